//! Images come in, are found, held, renamed and removed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Place, chain, config, name, two_layers};
use image::build::{self, Image};
use image::{ImportError, ImportOptions, Platform, Store};

fn named(text: &str) -> ImportOptions {
    ImportOptions { name: Some(name(text)), ..ImportOptions::default() }
}

fn dirs_in(place: &Place, dir: &str) -> usize {
    fs::read_dir(place.path("images").join(dir)).unwrap().count()
}

#[test]
fn an_oci_tar_is_imported_under_its_own_name() {
    let place = Place::new();
    let store = place.store();
    build::oci_tar(&place.path("app.tar"), &[(Some(&name("app:1")), &two_layers())]).unwrap();

    let imported = store.import(&place.path("app.tar"), &ImportOptions::default()).unwrap();

    assert_eq!(imported[0].names, [name("app:1")]);
    assert_eq!((imported[0].layers, imported[0].size_bytes), (2, 14));
    let image = store.resolve(&name("docker.io/library/app:1")).unwrap().expect("the image has the name");
    assert_eq!((image.digest, image.config), (imported[0].digest, config()));
    let [top, bottom] = image.layer_dirs.as_slice() else { panic!("two layers") };
    assert_eq!(fs::read(top.join("etc/extra")).unwrap(), b"more");
    assert_eq!(fs::read(bottom.join("app")).unwrap(), b"program");
    assert_eq!(fs::metadata(bottom.join("app")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(!top.join("app").exists());
    assert_eq!(store.list().unwrap(), imported);
}

#[test]
fn every_packaging_of_an_image_gives_the_same_tree() {
    let place = Place::new();
    let image = two_layers();
    build::oci_tar(&place.path("oci.tar"), &[(None, &image)]).unwrap();
    build::docker_archive(&place.path("docker.tar"), &[(&[name("app:1")], &image)]).unwrap();
    for tar in ["oci.tar", "docker.tar"] {
        gzip(&place, tar);
        fs::create_dir(place.path(&format!("{tar}.dir"))).unwrap();
        tar::Archive::new(fs::File::open(place.path(tar)).unwrap()).unpack(place.path(&format!("{tar}.dir"))).unwrap();
    }
    let mut configs = Vec::new();
    for archive in ["oci.tar", "docker.tar", "oci.tar.gz", "docker.tar.gz", "oci.tar.dir", "docker.tar.dir"] {
        let store = Store::open(&place.path(&format!("store-{archive}"))).unwrap();
        let imported =
            store.import(&place.path(archive), &named("x:2")).unwrap_or_else(|e| panic!("{archive}: {}", chain(&e)));
        let found = store.resolve(&name("x:2")).unwrap().unwrap();
        assert_eq!(fs::read(found.layer_dirs[1].join("etc/conf")).unwrap(), b"old", "{archive}");
        configs.push(imported[0].config_digest);
    }
    assert!(configs.iter().all(|config| *config == configs[0]), "the image id does not depend on the packaging");
}

fn gzip(place: &Place, tar: &str) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &fs::read(place.path(tar)).unwrap()).unwrap();
    fs::write(place.path(&format!("{tar}.gz")), gzip.finish().unwrap()).unwrap();
}

#[test]
fn one_image_may_have_several_names() {
    let place = Place::new();
    let store = place.store();
    let names = [name("app:1"), name("app:latest")];
    build::docker_archive(&place.path("app.tar"), &[(&names, &two_layers())]).unwrap();
    store.import(&place.path("app.tar"), &ImportOptions::default()).unwrap();

    assert!(store.remove(&name("app:1")).unwrap());

    assert!(store.resolve(&name("app:1")).unwrap().is_none());
    assert!(store.resolve(&name("app")).unwrap().is_some());
    assert_eq!(store.list().unwrap()[0].names, [name("app:latest")]);
}

#[test]
fn a_name_chooses_one_of_several_images() {
    let place = Place::new();
    let store = place.store();
    let (one, two) = (two_layers(), Image::from_files(&[("b", b"b", 0o644)], config()).unwrap());
    build::oci_tar(&place.path("all.tar"), &[(Some(&name("one:1")), &one), (Some(&name("two:1")), &two)]).unwrap();

    let error = store.import(&place.path("all.tar"), &named("three:1")).unwrap_err();
    assert_eq!(error.to_string(), "the archive holds no image three:1; it holds one:1, two:1");
    assert_eq!(store.import(&place.path("all.tar"), &named("two:1")).unwrap().len(), 1);
    assert!(store.resolve(&name("one:1")).unwrap().is_none());
    assert_eq!(store.import(&place.path("all.tar"), &ImportOptions::default()).unwrap().len(), 2);
    assert_eq!(store.list().unwrap().len(), 2);
}

#[test]
fn an_image_without_a_name_needs_one() {
    let place = Place::new();
    let store = place.store();
    build::oci_tar(&place.path("app.tar"), &[(None, &two_layers())]).unwrap();
    let error = store.import(&place.path("app.tar"), &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ImportError::NoName), "{error}");
    assert_eq!(dirs_in(&place, "layers") + dirs_in(&place, "tmp"), 0);
}

#[test]
fn the_platform_of_this_machine_is_chosen() {
    let place = Place::new();
    let store = place.store();
    let mut foreign = two_layers();
    foreign.platform = Platform { os: "linux".to_owned(), architecture: "mips".to_owned(), variant: None };
    let app = name("app:1");
    build::oci_tar(&place.path("both.tar"), &[(Some(&app), &foreign), (Some(&app), &two_layers())]).unwrap();
    build::oci_tar(&place.path("foreign.tar"), &[(Some(&app), &foreign)]).unwrap();

    assert_eq!(
        store.import(&place.path("both.tar"), &ImportOptions::default()).unwrap()[0].platform,
        Platform::this_machine()
    );
    let error = store.import(&place.path("foreign.tar"), &ImportOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the image has no variant for {}; it has linux/mips", Platform::this_machine())
    );
}

#[test]
fn a_digest_in_the_name_decides() {
    let place = Place::new();
    let store = place.store();
    let imported = build::single_binary(&store, &name("app:1"), &[("app", b"x", 0o755)], config()).unwrap();
    let pinned = |digest: &str| name(&format!("app:other@{digest}"));
    assert!(store.resolve(&pinned(&imported.digest.to_string())).unwrap().is_some());
    assert!(store.resolve(&pinned(&image::Digest::of(b"").to_string())).unwrap().is_none());
    assert!(store.resolve(&name(&format!("elsewhere@{}", imported.digest))).unwrap().is_none());
}

#[test]
fn a_held_image_outlives_its_name_and_a_restart() {
    let place = Place::new();
    let store = place.store();
    build::single_binary(&store, &name("app:1"), &[("app", b"x", 0o755)], config()).unwrap();
    let image = store.resolve_and_hold("unit-1", &name("app:1")).unwrap().unwrap();
    store.hold("unit-2", &image).unwrap();

    assert!(store.remove(&name("app:1")).unwrap());
    drop(store);
    let store = place.store();
    assert_eq!(fs::read(image.layer_dirs[0].join("app")).unwrap(), b"x");
    assert_eq!(store.holders().unwrap(), ["unit-1", "unit-2"]);

    store.release("unit-1").unwrap();
    assert!(image.layer_dirs[0].exists(), "another unit still runs from it");
    store.release("unit-2").unwrap();
    assert!(!image.layer_dirs[0].exists());
    assert_eq!(dirs_in(&place, "layers") + dirs_in(&place, "blobs/sha256") + dirs_in(&place, "tmp"), 0);
    store.release("unit-2").unwrap();
}

#[test]
fn what_runs_is_found_by_its_digest_after_its_tag_has_gone() {
    let place = Place::new();
    let store = place.store();
    let old = build::single_binary(&store, &name("app:1"), &[("app", b"old", 0o755)], config()).unwrap().digest;
    store.resolve_and_hold("unit-1", &name("app:1")).unwrap().unwrap();
    store.remove(&name("app:1")).unwrap();
    let pinned = name(&format!("app:1@{old}"));
    let image = store.resolve_and_hold("unit-2", &pinned).unwrap().unwrap();
    assert_eq!(fs::read(image.layer_dirs[0].join("app")).unwrap(), b"old");
    store.release("unit-1").unwrap();
    assert!(image.layer_dirs[0].exists(), "the other one holds it too");
    store.release("unit-2").unwrap();
    assert!(store.resolve(&pinned).unwrap().is_none());
}

#[test]
fn layers_that_another_image_uses_stay() {
    let place = Place::new();
    let store = place.store();
    let base = Image::from_files(&[("app", b"program", 0o755), ("etc/conf", b"old", 0o600)], config()).unwrap();
    build::oci_tar(&place.path("app.tar"), &[(Some(&name("base:1")), &base), (Some(&name("app:1")), &two_layers())])
        .unwrap();
    store.import(&place.path("app.tar"), &ImportOptions::default()).unwrap();
    assert_eq!(dirs_in(&place, "layers"), 2);

    store.remove(&name("app:1")).unwrap();

    assert_eq!(dirs_in(&place, "layers"), 1);
    assert!(store.resolve(&name("base:1")).unwrap().unwrap().layer_dirs[0].join("app").exists());
    assert!(!store.remove(&name("app:1")).unwrap());
}

#[test]
fn a_name_moves_to_the_newer_image_and_keeps_the_last_three_before_it() {
    let place = Place::new();
    let store = place.store();
    let build = |content: &[u8]| {
        build::single_binary(&store, &name("app:1"), &[("app", content, 0o755)], config()).unwrap().digest
    };
    let content = |reference: &str| {
        let image = store.resolve(&name(reference)).unwrap()?;
        Some(fs::read(image.layer_dirs[0].join("app")).unwrap())
    };
    let digests = [b"1", b"2", b"3", b"4", b"5"].map(|content| build(content));
    assert_eq!(content("app:1"), Some(b"5".to_vec()));
    let pinned = digests.map(|digest| content(&format!("app:1@{digest}")));
    assert_eq!(pinned, [None, Some(b"2".to_vec()), Some(b"3".to_vec()), Some(b"4".to_vec()), Some(b"5".to_vec())]);
    assert_eq!((dirs_in(&place, "layers"), store.list().unwrap().len()), (4, 1));
    assert_eq!(build(b"3"), digests[2], "it may go back");
    assert_eq!(content(&format!("app:1@{}", digests[4])), Some(b"5".to_vec()));
    store.remove(&name("app:1")).unwrap();
    assert_eq!((dirs_in(&place, "layers"), content(&format!("app:1@{}", digests[4]))), (0, None));
}

#[test]
fn nobody_else_can_look_into_the_store() {
    let place = Place::new();
    let store = place.store();
    build::single_binary(&store, &name("app:1"), &[("app", b"x", 0o4755)], config()).unwrap();
    let root = place.path("images");
    for dir in ["", "blobs", "blobs/sha256", "layers", "refs", "holds", "tmp"] {
        assert_eq!(fs::metadata(root.join(dir)).unwrap().permissions().mode() & 0o7777, 0o700, "{dir}");
    }
    let image = store.resolve(&name("app:1")).unwrap().unwrap();
    let fs_dir = &image.layer_dirs[0];
    assert_eq!(fs::metadata(fs_dir.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(fs_dir).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(fs_dir.join("app")).unwrap().permissions().mode() & 0o7777, 0o4755);
}

#[test]
fn a_store_of_another_format_and_a_bad_unit_id_are_refused() {
    let place = Place::new();
    let store = place.store();
    for unit in ["", "../x", "a/b", ".hidden", "a b"] {
        assert!(store.release(unit).is_err(), "{unit:?}");
    }
    fs::write(place.path("images/version"), "2\n").unwrap();
    let error = Store::open(&place.path("images")).unwrap_err();
    assert!(error.to_string().contains("another format"), "{error}");
}

#[test]
fn a_damaged_store_says_so_and_a_new_import_repairs_it() {
    let place = Place::new();
    let store = place.store();
    let make = || build::single_binary(&store, &name("app:1"), &[("app", b"x", 0o755)], config());
    let image = make().unwrap();
    let blob = place.path("images/blobs/sha256").join(image.config_digest.hex());
    fs::write(&blob, b"{}").unwrap();
    assert!(store.resolve(&name("app:1")).unwrap_err().to_string().contains("is damaged"));
    make().unwrap();
    assert!(store.resolve(&name("app:1")).unwrap().is_some());
}

#[test]
fn readers_and_importers_share_the_store() {
    let place = Place::new();
    let root = place.path("images");
    Store::open(&root).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let root = &root;
            scope.spawn(move || {
                let store = Store::open(root).unwrap();
                for round in 0..5 {
                    let app = name(&format!("app{worker}:1"));
                    let content = [worker as u8, round];
                    build::single_binary(&store, &app, &[("shared", b"x", 0o644), ("own", &content, 0o644)], config())
                        .unwrap();
                    let unit = format!("unit-{worker}");
                    let image = store.resolve_and_hold(&unit, &app).unwrap().expect("just imported");
                    store.remove(&app).unwrap();
                    assert_eq!(fs::read(image.layer_dirs[0].join("own")).unwrap(), content);
                    store.release(&unit).unwrap();
                }
            });
        }
    });
    for dir in ["layers", "blobs/sha256", "tmp", "refs", "holds"] {
        assert_eq!(dirs_in(&place, dir), 0, "{dir}");
    }
}

#[test]
fn one_broken_image_does_not_keep_others_from_being_deleted() {
    let place = Place::new();
    let store = place.store();
    let broken = build::single_binary(&store, &name("broken:1"), &[("a", b"a", 0o755)], config()).unwrap();
    build::single_binary(&store, &name("app:1"), &[("b", b"b", 0o755)], config()).unwrap();
    fs::remove_file(place.path("images/blobs/sha256").join(broken.digest.hex())).unwrap();

    let error = store.resolve(&name("broken:1")).unwrap_err();
    assert!(error.to_string().contains("import it again"), "{error}");
    assert!(store.remove(&name("app:1")).unwrap());
    assert!(store.remove(&name("broken:1")).unwrap());
    assert_eq!(dirs_in(&place, "layers") + dirs_in(&place, "blobs/sha256"), 0);
}
