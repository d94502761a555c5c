//! Layers that try to reach out of their tree, to exhaust the node, or to mean two things: each is refused, and nothing outside changes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::raw_tar::{RawTar, header};
use common::{Place, chain, import_layers, listing};
use image::Limits;

/// What must never change: a folder beside the store, with a file to overwrite, a folder to write into, and a link count to raise.
fn sentinel(place: &Place) -> Vec<String> {
    let outside = place.path("outside");
    if !outside.exists() {
        fs::create_dir_all(outside.join("dir")).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
    }
    listing(&outside)
}

/// Nothing of a refused image stays, not even half of it.
fn assert_store_empty(place: &Place, case: &str) {
    for dir in ["layers", "blobs/sha256", "refs", "tmp"] {
        let left: Vec<_> = fs::read_dir(place.path("images").join(dir)).unwrap().collect();
        assert!(left.is_empty(), "{case}: {dir} holds {left:?}");
    }
}

fn assert_refused(cases: Vec<(&str, Vec<u8>, &str)>, limits: &Limits) {
    let place = Place::new();
    let before = sentinel(&place);
    for (case, layer, reason) in cases {
        let error = import_layers(&place, vec![layer], limits.clone()).expect_err(case);
        let text = chain(&error);
        assert!(text.contains(reason), "{case}: {text}");
        assert_eq!(sentinel(&place), before, "{case}");
        assert_store_empty(&place, case);
    }
}

/// Layers that are strange but can be unpacked safely: `check` looks at the tree.
fn assert_contained(case: &str, layer: Vec<u8>, check: impl Fn(&Path)) {
    let place = Place::new();
    let before = sentinel(&place);
    let dirs =
        import_layers(&place, vec![layer], Limits::default()).unwrap_or_else(|e| panic!("{case}: {}", chain(&e)));
    check(&dirs[0]);
    assert_eq!(sentinel(&place), before, "{case}");
}

/// The sentinel as the store's trees would reach it by climbing: `<place>/images/tmp/<n>/layers/<hex>/fs` and above.
const UP: &str = "../../../../../../outside";

#[test]
fn paths_cannot_climb_or_be_monstrous() {
    let long = "a/".repeat(2500) + "a";
    let deep = "d/".repeat(300) + "d";
    let name = "n".repeat(256);
    let pax = |path: &str| RawTar::new().pax(&[("path", path.as_bytes())]).file("short", b"x").end();
    assert_refused(
        vec![
            ("parent", RawTar::new().file(&format!("{UP}/new"), b"x").end(), "climbs up"),
            ("parent in the middle", RawTar::new().file(&format!("a/{UP}/../new"), b"x").end(), "climbs up"),
            ("harmless looking parent", RawTar::new().file("a/../b", b"x").end(), "climbs up"),
            ("parent after the root", RawTar::new().file(&format!("/{UP}/new"), b"x").end(), "climbs up"),
            ("the parent itself", RawTar::new().dir("..").end(), "climbs up"),
            ("parent by PAX", pax(&format!("{UP}/new")), "climbs up"),
            (
                "parent by GNU name",
                RawTar::new().extension(b'L', format!("{UP}/new\0").as_bytes()).file("a", b"x").end(),
                "climbs up",
            ),
            ("parent by ustar prefix", prefixed(b"../../outside", b"new"), "climbs up"),
            ("whiteout of the parent", RawTar::new().file("a/.wh...", b"").end(), "reserved prefix"),
            ("whiteout of itself", RawTar::new().file("a/.wh..", b"").end(), "reserved prefix"),
            ("whiteout of nothing", RawTar::new().file("a/.wh.", b"").end(), "reserved prefix"),
            ("whiteout as a folder", RawTar::new().file(".wh.a/b", b"").end(), "reserved prefix"),
            ("opaque root", RawTar::new().file(".wh..wh..opq", b"").end(), "reserved prefix"),
            ("empty path", RawTar::new().file("", b"x").end(), "it is empty"),
            ("long path", pax(&long), "longer than 4096"),
            ("deep path", pax(&deep), "more than 256 directories deep"),
            ("long name", pax(&name), "longer than 255"),
            ("root as a file", RawTar::new().file(".", b"x").end(), "replace the root"),
            ("root as a link", RawTar::new().symlink("./", "/etc").end(), "replace the root"),
            ("root as a hard link", RawTar::new().file("a", b"").hard_link("/", "a").end(), "replace the root"),
        ],
        &Limits::default(),
    );
}

fn prefixed(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    let mut header = header(b'0', name, b"", 1);
    header[345..345 + prefix.len()].copy_from_slice(prefix);
    RawTar::new().raw(header, b"x").end()
}

#[test]
fn nothing_is_written_through_a_link() {
    let place = Place::new();
    sentinel(&place);
    let outside = place.path("outside");
    let outside = outside.to_str().unwrap();
    let link = |target: &str| RawTar::new().symlink("evil", target);
    assert_refused(
        vec![
            ("through an absolute link", link(outside).file("evil/new", b"x").end(), "passes through evil"),
            ("through a relative link", link(UP).file("evil/new", b"x").end(), "passes through evil"),
            ("through two links", link(outside).symlink("a", "evil").file("a/new", b"x").end(), "passes through a"),
            ("through a link to the root", link("/").file("evil/etc/new", b"x").end(), "passes through evil"),
            ("a folder behind a link", link(outside).dir("evil/new").end(), "passes through evil"),
            ("a link behind a link", link(outside).symlink("evil/new", "x").end(), "passes through evil"),
            ("a pipe behind a link", link(outside).entry(b'6', "evil/new", "").end(), "passes through evil"),
            (
                "a hard link behind a link",
                link(outside).file("a", b"").hard_link("evil/new", "a").end(),
                "passes through evil",
            ),
            ("opaque behind a link", link(outside).file("evil/dir/.wh..wh..opq", b"").end(), "passes through evil"),
            (
                "a link that takes an open folder's place",
                RawTar::new().file("a/b/one", b"1").symlink("a", outside).file("a/b/two", b"2").end(),
                "passes through a",
            ),
            ("through a file", RawTar::new().file("a", b"").file("a/b", b"").end(), "passes through a"),
        ],
        &Limits::default(),
    );
}

#[test]
fn hard_links_reach_only_files_of_the_layer() {
    let place = Place::new();
    sentinel(&place);
    let secret = place.path("outside/secret");
    let secret = secret.to_str().unwrap();
    let refused = "which is no file of this layer";
    let outside = place.path("outside");
    let outside = outside.to_str().unwrap();
    assert_refused(
        vec![
            ("absolute", RawTar::new().hard_link("a", secret).end(), refused),
            ("climbing", RawTar::new().hard_link("a", &format!("{UP}/secret")).end(), "climbs up"),
            ("climbing by PAX", RawTar::new().pax(&[("linkpath", b"../../x")]).hard_link("a", "b").end(), "climbs up"),
            (
                "climbing by GNU name",
                RawTar::new().extension(b'K', b"../../x\0").hard_link("a", "b").end(),
                "climbs up",
            ),
            ("through a link", RawTar::new().symlink("e", outside).hard_link("a", "e/secret").end(), refused),
            ("a folder", RawTar::new().dir("d").hard_link("a", "d").end(), refused),
            ("the root", RawTar::new().hard_link("a", "/").end(), refused),
            ("itself", RawTar::new().file("a", b"x").hard_link("a", "./a").end(), refused),
            ("nothing", RawTar::new().hard_link("a", "missing").end(), refused),
            ("the empty name", RawTar::new().hard_link("a", "").end(), "it is empty"),
        ],
        &Limits::default(),
    );
}

#[test]
fn devices_and_impossible_entries_are_refused() {
    assert_refused(
        vec![
            ("disk", RawTar::new().device(b'4', "sda", 8, 0).end(), "is a device node"),
            ("memory", RawTar::new().device(b'3', "mem", 1, 1).end(), "is a device node"),
            ("null", RawTar::new().device(b'3', "dev/null", 1, 3).end(), "is a device node"),
            ("a block device 0:0", RawTar::new().device(b'4', "a", 0, 0).end(), "is a device node"),
            ("unknown type", RawTar::new().entry(b'Z', "a", "").end(), "unknown type"),
            ("sparse file", RawTar::new().entry(b'S', "a", "").end(), "sparse"),
            ("sparse file by PAX", RawTar::new().pax(&[("GNU.sparse.major", b"1")]).file("a", b"").end(), "sparse"),
            ("a folder with content", RawTar::new().raw(header(b'5', b"d", b"", 5), b"hello").end(), "no regular file"),
            ("a link with content", RawTar::new().raw(header(b'2', b"l", b"t", 5), b"hello").end(), "no regular file"),
            ("a link to nothing", RawTar::new().symlink("a", "").end(), "it is empty"),
            (
                "a very long link",
                RawTar::new().pax(&[("linkpath", &[b'x'; 5000])]).symlink("a", "x").end(),
                "longer than 4096",
            ),
            ("owner -1", RawTar::new().pax(&[("uid", b"4294967295")]).file("a", b"").end(), "no uid"),
            (
                "a huge attribute",
                RawTar::new().pax(&[("SCHILY.xattr.user.x", &[b'x'; 70_000])]).file("a", b"").end(),
                "attribute that is too large",
            ),
        ],
        &Limits::default(),
    );
}

#[test]
fn archives_with_two_meanings_are_refused() {
    let size = |size: &'static [u8]| RawTar::new().pax(&[("size", size)]).file("a", b"12345").end();
    let mut negative = header(b'0', b"a", b"", 0);
    negative[124..136].copy_from_slice(&[0xff; 12]);
    let mut vast = header(b'0', b"a", b"", 0);
    vast[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let mut wrong_sum = RawTar::new().file("a", b"").end();
    wrong_sum[0] = b'b';
    let mut not_octal = header(b'0', b"a", b"", 0);
    not_octal[100..107].copy_from_slice(b"rwxr-xr");
    assert_refused(
        vec![
            ("smaller size", size(b"0"), "two different sizes"),
            ("larger size", size(b"512"), "two different sizes"),
            ("size that is no number", size(b"0x5"), "not decimal"),
            ("negative size", RawTar::new().raw(negative, b"").end(), "negative"),
            ("size beyond everything", RawTar::new().raw(vast, b"").end(), "more than 68719476736 bytes"),
            ("mode that is no number", RawTar::new().raw(not_octal, b"").end(), "not octal"),
            (
                "one key twice",
                RawTar::new().pax(&[("path", b"a"), ("path", b"b")]).file("c", b"").end(),
                "same PAX key twice",
            ),
            (
                "two PAX headers",
                RawTar::new().pax(&[("path", b"a")]).pax(&[("path", b"b")]).file("c", b"").end(),
                "header twice",
            ),
            (
                "PAX and GNU names that differ",
                RawTar::new().extension(b'L', b"a\0").pax(&[("path", b"b")]).file("c", b"").end(),
                "two different long names",
            ),
            ("NUL in a PAX name", RawTar::new().pax(&[("path", b"a\0b")]).file("c", b"").end(), "NUL"),
            ("PAX record too short", RawTar::new().extension(b'x', b"5 path=a\n").file("c", b"").end(), "PAX record"),
            ("PAX record too long", RawTar::new().extension(b'x', b"99 path=a\n").file("c", b"").end(), "PAX record"),
            ("PAX without a length", RawTar::new().extension(b'x', b"path=a\n").file("c", b"").end(), "PAX"),
            ("global name", RawTar::new().extension(b'g', b"9 path=a\n").file("c", b"").end(), "global header"),
            (
                "huge PAX header",
                RawTar::new().extension(b'x', &vec![b'a'; 2 << 20]).file("c", b"").end(),
                "larger than 1 MiB",
            ),
            ("PAX header for nothing", RawTar::new().pax(&[("path", b"a")]).end(), "no entry after it"),
            ("wrong checksum", wrong_sum, "checksum is wrong"),
            ("no archive", b"<html>not found</html>".repeat(100), "no valid tar"),
            ("data after a zero block", RawTar::new().bytes(&[0; 512]).file("a", b"").end(), "after an end mark"),
            ("ends in a header", RawTar::new().bytes(&[1; 100]).unended(), "middle of an entry"),
            (
                "ends in a file",
                RawTar::new().raw(header(b'0', b"a", b"", 4096), b"short").unended(),
                "middle of an entry",
            ),
        ],
        &Limits::default(),
    );
}

#[test]
fn excess_is_refused_before_it_is_written() {
    let many = (0..20).fold(RawTar::new(), |tar, n| tar.file(&format!("f{n}"), b""));
    let limits =
        Limits { entries: 10, layer_bytes: 1 << 20, ratio: 20, ratio_floor_bytes: 64 << 10, ..Limits::default() };
    assert_refused(
        vec![
            ("entries", many.end(), "more than 10 entries"),
            (
                "size announced",
                RawTar::new().raw(header(b'0', b"a", b"", 1 << 30), b"").unended(),
                "more than 1048576 bytes",
            ),
            (
                "size in sum",
                (0..5).fold(RawTar::new(), |t, n| t.file(&format!("{n}"), &incompressible(300 << 10))).end(),
                "more than 1048576 bytes",
            ),
            ("ratio", RawTar::new().file("a", &vec![0; 1 << 20]).end(), "more than 20 times"),
            (
                "ratio after the end mark",
                RawTar::new().file("a", b"").bytes(&vec![0; 1 << 20]).end(),
                "more than 20 times",
            ),
        ],
        &limits,
    );
}

fn incompressible(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn absolute_paths_mean_the_layers_root() {
    assert_contained("absolute", RawTar::new().file("/etc/passwd", b"inside").end(), |tree| {
        assert_eq!(fs::read(tree.join("etc/passwd")).unwrap(), b"inside");
    });
}

#[test]
fn a_file_replaces_a_link_and_not_what_it_points_to() {
    let place = Place::new();
    sentinel(&place);
    let secret = place.path("outside/secret");
    let target = secret.to_str().unwrap();
    let layer = RawTar::new().symlink("a", target).hard_link("b", "a").file("a", b"new").file("b", b"new").end();
    let dirs = import_layers(&place, vec![layer], Limits::default()).unwrap();
    assert_eq!(
        (fs::read(dirs[0].join("a")).unwrap(), fs::read(dirs[0].join("b")).unwrap()),
        (b"new".to_vec(), b"new".to_vec())
    );
    assert_eq!(fs::read(secret).unwrap(), b"secret");
}

#[test]
fn replacing_a_folder_deletes_no_more_than_the_folder() {
    let place = Place::new();
    let before = sentinel(&place);
    let outside = place.path("outside");
    let layer = RawTar::new().symlink("d/e/link", outside.to_str().unwrap()).file("d/x", b"x").file("d", b"file").end();
    let dirs = import_layers(&place, vec![layer], Limits::default()).unwrap();
    assert_eq!(fs::read(dirs[0].join("d")).unwrap(), b"file");
    assert_eq!(sentinel(&place), before);
}

#[test]
fn a_folder_replaces_a_link_before_anything_is_put_into_it() {
    assert_contained("folder over link", RawTar::new().symlink("a", UP).dir("a").file("a/new", b"x").end(), |tree| {
        assert!(fs::symlink_metadata(tree.join("a")).unwrap().is_dir());
        assert_eq!(fs::read(tree.join("a/new")).unwrap(), b"x");
    });
}

#[test]
fn the_last_of_several_entries_counts_and_a_pipe_never_blocks() {
    let layer = RawTar::new().file("a", b"1").entry(b'6', "a", "").file("a", b"2").dir("b").dir("b").end();
    assert_contained("twice", layer, |tree| assert_eq!(fs::read(tree.join("a")).unwrap(), b"2"));
}

#[test]
fn links_may_point_anywhere_and_stay_verbatim() {
    let layer = RawTar::new().symlink("a", "/etc/shadow").symlink("b", "../../../../x").symlink("c", "\u{1b}[2J").end();
    assert_contained("verbatim", layer, |tree| {
        assert_eq!(fs::read_link(tree.join("a")).unwrap(), Path::new("/etc/shadow"));
        assert_eq!(fs::read_link(tree.join("b")).unwrap(), Path::new("../../../../x"));
        assert_eq!(fs::read_link(tree.join("c")).unwrap(), Path::new("\u{1b}[2J"));
    });
}

#[test]
fn messages_show_strange_names_escaped() {
    let place = Place::new();
    let layer = RawTar::new().device(b'3', "\u{1b}[31mnull\n", 1, 3).end();
    let error = chain(&import_layers(&place, vec![layer], Limits::default()).unwrap_err());
    assert!(error.contains(r"\x1b[31mnull\n") && !error.contains('\u{1b}'), "{error}");
}
