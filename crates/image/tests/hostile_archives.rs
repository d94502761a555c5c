//! Archives whose documents lie, whose blobs are damaged, or that hold no image: each is refused with its reason, and the store stays as it was.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::raw_tar::RawTar;
use common::{Place, chain, image_of, name, two_layers};
use flate2::Compression;
use image::build::{self, Files, Packing};
use image::{Digest, ImportOptions, Limits};

/// The files of a sound layout of one image, uncompressed, to be spoiled.
fn layout() -> Files {
    build::oci_files(&[(Some(&name("app:1")), &two_layers())], Packing::Plain)
}

fn docker() -> Files {
    build::docker_files(&[(&[name("app:1")], &two_layers())])
}

fn write(dir: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Replaces text in the document that contains `marker`, without correcting any digest.
fn spoil(files: &mut Files, marker: &str, from: &str, to: &str) {
    let is_it = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(marker);
    let (_, bytes) = files.iter_mut().find(|(_, bytes)| is_it(bytes)).expect("a document with the marker");
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    *bytes = text.replace(from, to).into_bytes();
}

/// A layout whose manifest is changed, and whose index is right about that.
fn with_manifest(change: impl Fn(&str) -> String) -> Files {
    let mut files = layout();
    let (old, text) = manifest(&files);
    let new = change(&text);
    let digest = Digest::of(new.as_bytes());
    files.remove(&format!("blobs/sha256/{}", old.hex()));
    let index = String::from_utf8(files["index.json"].clone()).unwrap();
    let index = index.replace(&old.hex(), &digest.hex());
    let index = index.replace(&format!("\"size\":{}", text.len()), &format!("\"size\":{}", new.len()));
    files.insert("index.json".to_owned(), index.into_bytes());
    files.insert(format!("blobs/sha256/{}", digest.hex()), new.into_bytes());
    files
}

fn manifest(files: &Files) -> (Digest, String) {
    let found = files.iter().find(|(name, bytes)| {
        name.starts_with("blobs") && String::from_utf8_lossy(bytes).contains("\"config\":{\"mediaType\"")
    });
    let bytes = found.unwrap().1;
    (Digest::of(bytes), String::from_utf8(bytes.clone()).unwrap())
}

fn index(manifests: &str) -> Files {
    Files::from([("index.json".to_owned(), format!(r#"{{"schemaVersion":2,"manifests":[{manifests}]}}"#).into_bytes())])
}

/// An index that holds an index that holds an index ... that holds nothing.
fn nested(depth: usize) -> Files {
    let mut files = Files::new();
    let mut inner = r#"{"schemaVersion":2,"manifests":[]}"#.to_owned();
    for _ in 0..depth {
        let digest = Digest::of(inner.as_bytes());
        files.insert(format!("blobs/sha256/{}", digest.hex()), inner.clone().into_bytes());
        inner = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{}}}]}}"#,
            inner.len()
        );
    }
    files.insert("index.json".to_owned(), inner.into_bytes());
    files
}

fn import(place: &Place, path: &Path, limits: Limits) -> Result<(), String> {
    let options = ImportOptions { limits, ..ImportOptions::default() };
    place.store().import(path, &options).map(drop).map_err(|error| chain(&error))
}

fn assert_refused(place: &Place, case: &str, path: &Path, limits: Limits, reason: &str) {
    let error = import(place, path, limits).expect_err(case);
    assert!(error.contains(reason), "{case}: {error}");
    for dir in ["layers", "blobs/sha256", "refs", "tmp"] {
        assert_eq!(fs::read_dir(place.path("images").join(dir)).unwrap().count(), 0, "{case}: {dir}");
    }
}

#[test]
fn lies_in_the_documents_are_found() {
    let mut cases: Vec<(&str, Files, &str)> = Vec::new();
    let mut case = |name, files, reason| cases.push((name, files, reason));
    let spoiled = |mut files: Files, marker: &str, from: &str, to: &str| {
        spoil(&mut files, marker, from, to);
        files
    };
    case("changed configuration", spoiled(layout(), "diff_ids", "A=1", "A=2"), "its digest is");
    case(
        "changed manifest",
        spoiled(layout(), "\"config\":{\"mediaType\"", "\"schemaVersion\":2", "\"schemaVersion\":3"),
        "its digest is",
    );
    case(
        "longer manifest",
        spoiled(layout(), "\"config\":{\"mediaType\"", "\"schemaVersion\":2", "\"schemaVersion\": 2"),
        "are announced",
    );
    case("changed layer", spoiled(layout(), "program", "program", "malware"), "its packed bytes have the digest");
    case(
        "changed docker layer",
        spoiled(docker(), "program", "program", "malware"),
        "its unpacked bytes have the digest",
    );
    case("changed docker configuration", spoiled(docker(), "diff_ids", "A=1", "A=2"), "its digest is");
    case("no configuration", spoiled(docker(), "RepoTags", ".json", ".missing"), "has no file");
    case("no docker layer", spoiled(docker(), "RepoTags", "/layer.tar", "/other.tar"), "has no file");
    case(
        "a layer elsewhere",
        spoiled(docker(), "RepoTags", "\"Layers\":[\"", "\"Layers\":[\"../../../etc/"),
        "outside of the archive",
    );
    case(
        "a layer too many",
        spoiled(docker(), "RepoTags", "\"Layers\":[", "\"Layers\":[\"x\","),
        "names 3 layers but its configuration 2",
    );
    case("bad name", spoiled(docker(), "RepoTags", "app:1", "App:1"), "give it another with --name");
    case("no JSON", Files::from([("index.json".to_owned(), b"{".to_vec())]), "index.json is not valid");
    case("endless JSON", Files::from([("index.json".to_owned(), vec![b'['; 100_000])]), "index.json is not valid");
    case("huge JSON", Files::from([("index.json".to_owned(), vec![b' '; 5 << 20])]), "more than the 4194304 allowed");
    case("no image", index(""), "holds no image");
    case("no docker image", Files::from([("manifest.json".to_owned(), b"[]".to_vec())]), "holds no image");
    case("nothing known", Files::from([("README".to_owned(), b"hi".to_vec())]), "neither the index.json");
    case(
        "odd digest",
        index(r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../x","size":1}"#),
        "index.json is not valid",
    );
    case(
        "old schema",
        index(&format!(
            r#"{{"mediaType":"application/vnd.docker.distribution.manifest.v1+json","digest":"{}","size":1}}"#,
            Digest::of(b"")
        )),
        "manifest.v1+json",
    );
    case("nested index", nested(10), "nested too deeply");
    case("empty nested index", nested(1), "it has none");
    let media = |to: &str| with_manifest(|text| text.replace("application/vnd.oci.image.layer.v1.tar", to));
    case("encrypted layer", media("application/vnd.oci.image.layer.v1.tar+encrypted"), "+encrypted");
    case("helm chart", media("application/vnd.cncf.helm.chart.content.v1.tar+gzip"), "helm");
    case(
        "one layer less",
        with_manifest(|text| {
            let at = text.rfind(",{").unwrap();
            format!("{}]}}", &text[..at])
        }),
        "names 1 layers but its configuration 2",
    );
    case("layers swapped", with_manifest(swap_layers), "its unpacked bytes have the digest");
    case(
        "wrong layer size",
        with_manifest(|text| {
            let at = text.rfind("\"size\":").unwrap();
            format!("{}\"size\":1}}]}}", &text[..at])
        }),
        "are announced",
    );
    let place = Place::new();
    for (number, (case, files, reason)) in cases.iter().enumerate() {
        let dir = place.path(&format!("case{number}"));
        write(&dir, files);
        assert_refused(&place, case, &dir, Limits::default(), reason);
    }
    // Sound ones still work, so each refusal above is for its reason.
    for (number, files) in [layout(), docker(), with_manifest(str::to_owned)].iter().enumerate() {
        write(&place.path(&format!("sound{number}")), files);
        import(&place, &place.path(&format!("sound{number}")), Limits::default()).unwrap();
    }
}

/// The two layers' descriptors in the other order.
fn swap_layers(manifest: &str) -> String {
    let start = manifest.find("\"layers\":[").unwrap() + "\"layers\":[".len();
    let layers = manifest[start..].strip_suffix("]}").unwrap();
    let middle = layers.find("},{").unwrap() + 1;
    format!("{}{},{}]}}", &manifest[..start], &layers[middle + 1..], &layers[..middle])
}

#[test]
fn damaged_files_are_found() {
    let place = Place::new();
    let sound = place.path("app.tar");
    build::oci_tar(&sound, &[(Some(&name("app:1")), &two_layers())]).unwrap();
    let bytes = fs::read(&sound).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    let packed = gzip.finish().unwrap();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd], bytes.as_slice()].concat();
    let small = Limits { layer_bytes: 1000, ..Limits::default() };
    let few = Limits { archive_entries: 2, ..Limits::default() };
    for (case, content, limits, reason) in [
        ("cut off", &bytes[..bytes.len() / 2], Limits::default(), ""),
        ("cut off in a header", &bytes[..700], Limits::default(), "no valid tar"),
        ("cut off gzip", &packed[..packed.len() - 20], Limits::default(), "cannot be decompressed"),
        ("gzip of nothing known", b"\x1f\x8b\x08rubbish".as_slice(), Limits::default(), "cannot be decompressed"),
        ("zstd", zstd.as_slice(), Limits::default(), "zstd, which is not supported yet"),
        ("empty", b"".as_slice(), Limits::default(), "neither the index.json"),
        ("no tar", b"hello world".as_slice(), Limits::default(), "no valid tar"),
        ("too large when decompressed", packed.as_slice(), small, "larger than 1000 bytes"),
        ("too many files", bytes.as_slice(), few, "more than 2 files"),
    ] {
        fs::write(place.path("bad"), content).unwrap();
        assert_refused(&place, case, &place.path("bad"), limits, reason);
    }
    assert_refused(&place, "missing", &place.path("missing"), Limits::default(), "cannot be opened");
    assert_refused(&place, "device", Path::new("/dev/null"), Limits::default(), "neither the index.json");
    let one = Limits { layers: 1, ..Limits::default() };
    assert_refused(&place, "too many layers", &sound, one, "has 2 layers, more than the 1");
}

#[test]
fn damaged_gzip_layers_are_found() {
    let place = Place::new();
    let mut cut = build::oci_files(&[(Some(&name("app:1")), &two_layers())], Packing::Gzip);
    let (blob, packed) = cut.iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap();
    let (blob, packed) = (blob.clone(), packed.clone());
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    cut.insert(blob.clone(), packed[..packed.len() - 8].to_vec());
    write(&place.path("cut"), &cut);
    assert_refused(&place, "cut", &place.path("cut"), Limits::default(), "are announced");
    cut.insert(blob, flipped);
    write(&place.path("flipped"), &cut);
    assert_refused(&place, "flipped", &place.path("flipped"), Limits::default(), "layer sha256:");

    let zstd = image_of(vec![b"\x28\xb5\x2f\xfd and more".to_vec()]);
    build::oci_tar(&place.path("zstd.tar"), &[(Some(&name("app:1")), &zstd)]).unwrap();
    build::docker_archive(&place.path("zstd-docker.tar"), &[(&[name("app:1")], &zstd)]).unwrap();
    assert_refused(&place, "zstd in docker", &place.path("zstd-docker.tar"), Limits::default(), "compressed with zstd");
    let none = image_of(vec![]);
    build::oci_tar(&place.path("none.tar"), &[(Some(&name("app:1")), &none)]).unwrap();
    assert_refused(&place, "no layers", &place.path("none.tar"), Limits::default(), "no layers");
}

#[test]
fn a_layout_folder_is_not_left_by_links() {
    let place = Place::new();
    let (dir, outside) = (place.path("layout"), place.path("outside"));
    write(&outside, &layout());
    fs::create_dir(&dir).unwrap();
    symlink(outside.join("index.json"), dir.join("index.json")).unwrap();
    symlink(outside.join("blobs"), dir.join("blobs")).unwrap();
    assert_refused(&place, "linked index", &dir, Limits::default(), "neither the index.json");
    fs::remove_file(dir.join("index.json")).unwrap();
    fs::copy(outside.join("index.json"), dir.join("index.json")).unwrap();
    assert_refused(&place, "linked blobs", &dir, Limits::default(), "behind a symbolic link");
}

#[test]
fn links_inside_an_archive_are_followed_inside_it_only() {
    let place = Place::new();
    let files = docker();
    let layer = files.keys().find(|name| name.ends_with("/layer.tar")).unwrap().clone();
    let with_link = |target: &str, also: Option<&str>| {
        let mut tar = RawTar::new();
        for (name, bytes) in &files {
            tar = if *name == layer { tar.symlink(name, target) } else { tar.file(name, bytes) };
        }
        if let Some(also) = also {
            tar = tar.file(also, &files[&layer]);
        }
        fs::write(place.path("linked.tar"), tar.end()).unwrap();
        place.path("linked.tar")
    };
    for (case, target) in [("outside", "../../../../etc/passwd"), ("absolute", "/etc/passwd"), ("itself", "layer.tar")]
    {
        assert_refused(&place, case, &with_link(target, None), Limits::default(), "has no file");
    }
    // What `docker save` of old did with layers that occur twice.
    import(&place, &with_link("../shared/layer.tar", Some("shared/layer.tar")), Limits::default()).unwrap();
}

#[test]
fn provenance_beside_an_image_is_passed_over() {
    let place = Place::new();
    let mut files = layout();
    let attestation = format!(
        r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":1,"platform":{{"os":"unknown","architecture":"unknown"}},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}},"#,
        Digest::of(b"")
    );
    spoil(&mut files, "\"manifests\"", "\"manifests\":[", &format!("\"manifests\":[{attestation}"));
    write(&place.path("layout"), &files);
    import(&place, &place.path("layout"), Limits::default()).unwrap();
}

#[test]
fn an_index_inside_the_index_is_looked_into_and_can_be_pinned() {
    let place = Place::new();
    let mut files = layout();
    let inner = files["index.json"].clone();
    let digest = Digest::of(&inner);
    files.insert(format!("blobs/sha256/{}", digest.hex()), inner.clone());
    let outer = format!(
        r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"1.0","io.containerd.image.name":"docker.io/library/web:2"}}}}"#,
        inner.len()
    );
    files.extend(index(&outer));
    write(&place.path("layout"), &files);
    import(&place, &place.path("layout"), Limits::default()).unwrap();
    let store = place.store();
    assert!(store.resolve(&name("web:2")).unwrap().is_some());
    assert!(store.resolve(&name(&format!("web@{digest}"))).unwrap().is_some(), "by the index's digest too");
}
