//! What an honest layer becomes on disk: metadata kept, whiteouts as overlayfs wants them; checked against a real overlay mount.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::raw_tar::{RawTar, header};
use common::{Place, chain, import_layers};
use image::Limits;
use rustix::fs::{FileType, getxattr, listxattr};

fn unpack(place: &Place, layers: Vec<Vec<u8>>) -> Vec<PathBuf> {
    import_layers(place, layers, Limits::default()).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    getxattr(path, name, &mut value).ok().map(|length| value[..length].to_vec())
}

fn is_opaque(path: &Path) -> bool {
    attribute(path, "trusted.overlay.opaque").as_deref() == Some(b"y")
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.mode()) == FileType::CharacterDevice && stat.rdev() == 0)
}

/// A file entry with owner, mode and time.
fn described(kind: u8, path: &str, mode: u32, uid: u32, gid: u32, mtime: u64) -> [u8; 512] {
    let mut header = header(kind, path.as_bytes(), b"", 0);
    header[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    header[108..115].copy_from_slice(format!("{uid:07o}").as_bytes());
    header[116..123].copy_from_slice(format!("{gid:07o}").as_bytes());
    header[136..147].copy_from_slice(format!("{mtime:011o}").as_bytes());
    header
}

#[test]
fn owner_mode_and_times_are_kept() {
    let place = Place::new();
    let layer = RawTar::new()
        .raw(described(b'5', "./", 0o750, 7, 8, 1_000), b"")
        .raw(described(b'5', "d", 0o1777, 1, 2, 2_000), b"")
        .raw(described(b'0', "d/suid", 0o6755, 33, 34, 3_000), b"")
        .raw(described(b'2', "d/link", 0o777, 5, 6, 4_000), b"")
        .pax(&[("uid", b"3000000"), ("gid", b"3000001"), ("mtime", b"5000.25")])
        .raw(described(b'6', "d/pipe", 0o620, 0, 0, 0), b"");
    // The link needs a target, which is the one thing `described` does not write.
    let layer = layer.symlink("d/other", "x").end();
    let layer = patch_link(layer);
    let dirs = unpack(&place, vec![layer]);
    for (path, expected) in [
        (".", (0o40750, 7, 8, 1_000, 0)),
        ("d", (0o41777, 1, 2, 2_000, 0)),
        ("d/suid", (0o106_755, 33, 34, 3_000, 0)),
        ("d/link", (0o120_777, 5, 6, 4_000, 0)),
        ("d/pipe", (0o10620, 3_000_000, 3_000_001, 5_000, 250_000_000)),
    ] {
        let stat = fs::symlink_metadata(dirs[0].join(path)).unwrap();
        assert_eq!((stat.mode(), stat.uid(), stat.gid(), stat.mtime(), stat.mtime_nsec()), expected, "{path}");
    }
}

/// Gives the link entry of the archive above its target, by PAX.
fn patch_link(layer: Vec<u8>) -> Vec<u8> {
    let at = layer.chunks(512).position(|block| block.starts_with(b"d/link\0")).unwrap() * 512;
    let pax = RawTar::new().pax(&[("linkpath", b"target")]).unended();
    [&layer[..at], &pax, &layer[at..]].concat()
}

#[test]
fn long_names_and_old_directories_are_understood() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let layer = RawTar::new()
        .extension(b'L', format!("{long}1\0").as_bytes())
        .file("short", b"gnu")
        .pax(&[("path", format!("{long}2").as_bytes())])
        .file("short", b"pax")
        .file("old/", b"")
        .extension(b'K', format!("{long}1\0").as_bytes())
        .symlink("link", "short")
        .end();
    let dirs = unpack(&place, vec![layer]);
    assert_eq!(fs::read(dirs[0].join(format!("{long}1"))).unwrap(), b"gnu");
    assert_eq!(fs::read(dirs[0].join(format!("{long}2"))).unwrap(), b"pax");
    assert!(dirs[0].join("old").is_dir());
    assert_eq!(fs::read_link(dirs[0].join("link")).unwrap(), Path::new(&format!("{long}1")));
    assert!(!dirs[0].join("short").exists());
}

#[test]
fn hard_links_share_their_file() {
    let place = Place::new();
    let layer =
        RawTar::new().file("a/one", b"x").hard_link("b/two", "a/one").symlink("s", "q").hard_link("t", "s").end();
    let dirs = unpack(&place, vec![layer]);
    let inode = |path: &str| fs::symlink_metadata(dirs[0].join(path)).unwrap().ino();
    assert_eq!(inode("a/one"), inode("b/two"));
    assert_eq!(inode("s"), inode("t"));
}

#[test]
fn capabilities_and_user_attributes_are_kept_and_no_others() {
    let place = Place::new();
    // A file capability as the kernel stores it (VFS_CAP_REVISION_2), with a newline among its bytes.
    let capability = b"\x01\0\0\x02\x0a\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let layer = RawTar::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.user.note", b"hello"),
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.security.selinux", b"system_u"),
        ])
        .file("a", b"x")
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.user.note", b"dir")])
        .dir("d")
        .end();
    let dirs = unpack(&place, vec![layer]);
    let file = dirs[0].join("a");
    assert_eq!(attribute(&file, "security.capability").as_deref(), Some(capability.as_slice()));
    assert_eq!(attribute(&file, "user.note").as_deref(), Some(b"hello".as_slice()));
    assert_eq!(attribute(&dirs[0].join("d"), "user.note").as_deref(), Some(b"dir".as_slice()));
    assert!(!is_opaque(&dirs[0].join("d")));
    let mut names = [0; 1024];
    let length = listxattr(&file, &mut names).unwrap();
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    assert!(!names.contains("overlay"), "{names}");
}

#[test]
fn whiteouts_and_opaque_folders_are_overlayfs_marks() {
    let place = Place::new();
    let base = RawTar::new().file("gone", b"1").file("dir/old", b"1").file("sealed/old", b"1").end();
    let top = RawTar::new()
        .file(".wh.gone", b"")
        .file("dir/.wh.old", b"")
        .file("sealed/.wh..wh..opq", b"")
        .file("sealed/new", b"2")
        .file(".wh..wh.aufs", b"")
        .file("dir/.wh.never", b"")
        .end();
    let dirs = unpack(&place, vec![base, top]);
    assert!(is_whiteout(&dirs[0].join("gone")) && is_whiteout(&dirs[0].join("dir/old")));
    assert!(is_opaque(&dirs[0].join("sealed")) && !is_opaque(&dirs[0].join("dir")));
    let names: Vec<_> = fs::read_dir(dirs[0].join("dir")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["old"], "nothing is marked deleted that was not there");
    assert!(!dirs[0].join(".wh..wh.aufs").exists());
}

#[test]
fn a_whiteout_hides_what_is_below_and_never_its_own_layer() {
    let base = RawTar::new().file("file", b"1").file("dir/old", b"1").end();
    let file = RawTar::new().file("file", b"2");
    let dir = RawTar::new().dir("dir").file("dir/new", b"2");
    let marks = |tar: RawTar| tar.file(".wh.file", b"").file(".wh.dir", b"").end();
    let before = marks(RawTar::new());
    let before = [&before[..before.len() - 1024], &file.clone().unended(), &dir.clone().end()].concat();
    let after = marks(RawTar::new().bytes(&file.unended()).bytes(&dir.unended()));
    for (order, top) in [("before", before), ("after", after)] {
        let place = Place::new();
        let dirs = unpack(&place, vec![base.clone(), top]);
        assert_eq!(fs::read(dirs[0].join("file")).unwrap(), b"2", "{order}");
        assert_eq!(fs::read(dirs[0].join("dir/new")).unwrap(), b"2", "{order}");
        assert!(is_opaque(&dirs[0].join("dir")), "{order}: the old folder's content does not shine through");
    }
}

#[test]
fn folders_that_a_layer_does_not_describe_stay_as_they_are_below() {
    let place = Place::new();
    let base = RawTar::new().raw(described(b'5', "tmp", 0o1777, 3, 4, 0), b"").end();
    let top = RawTar::new().file("tmp/x", b"x").file("fresh/x", b"x").end();
    let dirs = unpack(&place, vec![base, top]);
    let stat = fs::metadata(dirs[0].join("tmp")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o1777, 3, 4));
    let stat = fs::metadata(dirs[0].join("fresh")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o755, 0, 0));
}

#[test]
fn a_container_sees_what_the_layers_say() {
    let place = Place::new();
    let base = RawTar::new()
        .dir("etc")
        .file("etc/conf", b"1")
        .file("etc/gone", b"1")
        .file("sealed/old", b"1")
        .file("again/old", b"1")
        .file("thing/inner", b"1")
        .symlink("link", "etc")
        .end();
    let middle = RawTar::new().file("etc/.wh.gone", b"").file(".wh.again", b"").file("thing", b"2").end();
    let top = RawTar::new()
        .file("sealed/.wh..wh..opq", b"")
        .file("sealed/new", b"3")
        .file("again/new", b"3")
        .file("etc/conf", b"3")
        .end();
    let dirs = unpack(&place, vec![base, middle, top]);
    let lower: Vec<_> = dirs.iter().map(|dir| dir.to_str().unwrap()).collect();
    fs::create_dir(place.path("merged")).unwrap();
    // In a mount namespace of its own, which ends with the command.
    let script = format!(
        "mount -t overlay overlay -o ro,lowerdir={} {merged} && cd {merged} && find . -type f -exec grep -H '' {{}} + ; find . ! -type f | sort",
        lower.join(":"),
        merged = place.path("merged").display()
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected =
        [".", "./again", "./again/new:3", "./etc", "./etc/conf:3", "./link", "./sealed", "./sealed/new:3", "./thing:2"];
    assert_eq!(lines, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
