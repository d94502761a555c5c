//! Volumes are made, found again, filled once and deleted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, makedev, mknodat, setxattr};
use volume::{CopyUp, Outcome, Volume, VolumeError, VolumeSpec, Volumes};

/// A folder that goes with the test, holding the volumes and hand-made image layers.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Place(tempfile::Builder::new().prefix("bayplan-volume-").tempdir_in(parent).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn volumes(&self) -> Volumes {
        Volumes::open(&self.path("volumes")).unwrap()
    }

    /// A layer tree with these files; a name that ends in '/' is a folder.
    fn layer(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.path(name);
        fs::create_dir_all(&root).unwrap();
        for (path, content) in files {
            let target = root.join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            if path.ends_with('/') {
                fs::create_dir_all(target).unwrap();
            } else {
                fs::write(target, content).unwrap();
            }
        }
        root
    }
}

fn whiteout(path: &Path) {
    mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)).unwrap();
}

fn opaque(dir: &Path) {
    setxattr(dir, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
}

fn shared(name: &str) -> VolumeSpec {
    VolumeSpec::Shared { name: name.to_owned(), autoprovision: true }
}

fn unit(name: &str) -> VolumeSpec {
    VolumeSpec::Unit { name: name.to_owned() }
}

fn fill(volumes: &Volumes, volume: &Volume, layer_dirs: &[PathBuf], path: &str) -> Outcome {
    volumes.copy_up(volume, &CopyUp { layer_dirs, container_path: Path::new(path), nocopy: false }).unwrap()
}

/// Every path below `dir` with the content of files and the targets of links.
fn listing(dir: &Path) -> Vec<String> {
    fn add(dir: &Path, prefix: &str, lines: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                lines.push(format!("{name}/"));
                add(&entry.path(), &format!("{name}/"), lines);
            } else if kind.is_symlink() {
                lines.push(format!("{name} -> {}", fs::read_link(entry.path()).unwrap().display()));
            } else {
                lines.push(format!("{name}={}", fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    let mut lines = Vec::new();
    add(dir, "", &mut lines);
    lines.sort();
    lines
}

#[test]
fn a_unit_finds_its_volume_again_and_no_other_unit_does() {
    let place = Place::new();
    let first = place.volumes().prepare(&unit("data"), "u1").unwrap();
    fs::write(first.path().join("x"), "x").unwrap();
    let volumes = place.volumes();
    assert_eq!(volumes.prepare(&unit("data"), "u1").unwrap(), first);
    assert_ne!(volumes.prepare(&unit("data"), "u2").unwrap().path(), first.path());
    let metadata = fs::metadata(first.path()).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.uid(), metadata.gid()), (0o755, 0, 0));
}

#[test]
fn unit_volumes_go_and_shared_ones_stay() {
    let place = Place::new();
    let volumes = place.volumes();
    let own = volumes.prepare(&unit("data"), "u1").unwrap();
    let anonymous = VolumeSpec::Anonymous { container: "web".to_owned(), path: PathBuf::from("/var/lib/web") };
    let anonymous = volumes.prepare(&anonymous, "u1").unwrap();
    let kept = volumes.prepare(&shared("db"), "u1").unwrap();
    volumes.remove_unit("u1").unwrap();
    volumes.remove_unit("u1").unwrap();
    assert!(!own.path().exists() && !anonymous.path().exists() && kept.path().exists());
    assert_eq!(volumes.shared().unwrap(), ["db"]);
    assert!(volumes.remove_shared("db").unwrap());
    assert!(!volumes.remove_shared("db").unwrap());
}

#[test]
fn a_shared_volume_without_autoprovision_must_exist() {
    let place = Place::new();
    let volumes = place.volumes();
    let strict = VolumeSpec::Shared { name: "db".to_owned(), autoprovision: false };
    assert!(matches!(volumes.prepare(&strict, "u1"), Err(VolumeError::NotProvisioned(name)) if name == "db"));
    volumes.prepare(&shared("db"), "u1").unwrap();
    assert!(volumes.prepare(&strict, "u2").is_ok());
}

#[test]
fn what_no_known_unit_owns_is_collected() {
    let place = Place::new();
    let volumes = place.volumes();
    for name in ["u1", "u2", "u3"] {
        volumes.prepare(&unit("data"), name).unwrap();
    }
    let known = BTreeSet::from(["u2".to_owned()]);
    assert_eq!(volumes.leftovers(&known).unwrap(), ["u1", "u3"]);
    assert_eq!(volumes.gc(&known).unwrap(), ["u1", "u3"]);
    assert!(volumes.leftovers(&known).unwrap().is_empty());
    assert_eq!(volumes.leftovers(&BTreeSet::new()).unwrap(), ["u2"]);
}

#[test]
fn names_cannot_lead_elsewhere() {
    let place = Place::new();
    let volumes = place.volumes();
    for bad in ["../x", "a/b", "..", "", ".x"] {
        assert!(matches!(volumes.prepare(&unit(bad), "u1"), Err(VolumeError::Name(_))), "{bad}");
        assert!(matches!(volumes.prepare(&unit("a"), bad), Err(VolumeError::Name(_))), "{bad}");
        assert!(matches!(volumes.remove_unit(bad), Err(VolumeError::Name(_))), "{bad}");
    }
}

#[test]
fn deleting_follows_no_link_out_of_the_volume() {
    let place = Place::new();
    let volumes = place.volumes();
    fs::create_dir(place.path("outside")).unwrap();
    fs::write(place.path("outside/precious"), "x").unwrap();
    let volume = volumes.prepare(&unit("data"), "u1").unwrap();
    symlink(place.path("outside"), volume.path().join("link")).unwrap();
    volumes.remove_unit("u1").unwrap();
    assert!(place.path("outside/precious").exists());
}

#[test]
fn an_interrupted_deletion_is_finished_at_the_next_start() {
    let place = Place::new();
    drop(place.volumes());
    fs::create_dir_all(place.path("volumes/trash/1-0/data/deep")).unwrap();
    drop(place.volumes());
    assert_eq!(fs::read_dir(place.path("volumes/trash")).unwrap().count(), 0);
}

#[test]
fn a_missing_host_folder_is_made_and_a_file_is_taken_as_it_is() {
    let place = Place::new();
    let volumes = place.volumes();
    let host = |path: PathBuf| volumes.prepare(&VolumeSpec::Host { path }, "u1");
    let made = host(place.path("host/a/b")).unwrap();
    assert!(made.path().is_dir());
    fs::write(place.path("file"), "x").unwrap();
    assert_eq!(host(place.path("file")).unwrap().path(), place.path("file"));
    assert!(matches!(host(PathBuf::from("relative")), Err(VolumeError::Relative(_))));
    let layer = place.layer("layer", &[("data/x", "x")]);
    assert_eq!(fill(&volumes, &made, &[layer], "/data"), Outcome::Nothing, "a host folder is never filled");
}

#[test]
fn an_empty_volume_gets_what_the_layers_show() {
    let place = Place::new();
    let volumes = place.volumes();
    let old = ["kept", "gone", "changed", "dir/old", "sealed/old", "file/inner"].map(|name| format!("data/{name}"));
    let mut files: Vec<(&str, &str)> = old.iter().map(|path| (path.as_str(), "1")).collect();
    files.push(("data/empty/", ""));
    let bottom = place.layer("bottom", &files);
    let new = ["changed", "dir/new", "sealed/new", "file"].map(|name| format!("data/{name}"));
    let top = place.layer("top", &new.each_ref().map(|path| (path.as_str(), "2")));
    whiteout(&top.join("data/gone"));
    opaque(&top.join("data/sealed"));
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();

    assert_eq!(fill(&volumes, &volume, &[top, bottom], "/data"), Outcome::Copied);

    let expected =
        ["changed=2", "dir/", "dir/new=2", "dir/old=1", "empty/", "file=2", "kept=1", "sealed/", "sealed/new=2"];
    assert_eq!(listing(volume.path()), expected);
}

#[test]
fn files_keep_everything_that_belongs_to_them() {
    let place = Place::new();
    let volumes = place.volumes();
    let layer = place.layer("layer", &[("data/bin", "x"), ("data/sub/a", "a")]);
    let data = layer.join("data");
    chown(&data, Some(33), Some(34)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o1770)).unwrap();
    chown(data.join("bin"), Some(5), Some(6)).unwrap();
    fs::set_permissions(data.join("bin"), fs::Permissions::from_mode(0o4711)).unwrap();
    setxattr(data.join("bin"), "user.note", b"hello", XattrFlags::empty()).unwrap();
    fs::hard_link(data.join("sub/a"), data.join("again")).unwrap();
    symlink("/etc/passwd", data.join("link")).unwrap();
    mknodat(CWD, data.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o622), 0).unwrap();
    let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    fs::File::open(data.join("bin")).unwrap().set_modified(past).unwrap();
    fs::File::open(&data).unwrap().set_modified(past).unwrap();
    let volume = volumes.prepare(&unit("v"), "u1").unwrap();

    assert_eq!(fill(&volumes, &volume, &[layer], "/data"), Outcome::Copied);

    let of = |name: &str| fs::symlink_metadata(volume.path().join(name)).unwrap();
    assert_eq!((of("").uid(), of("").gid(), of("").mode() & 0o7777), (33, 34, 0o1770));
    assert_eq!((of("bin").uid(), of("bin").gid(), of("bin").mode() & 0o7777), (5, 6, 0o4711));
    assert_eq!((of("bin").modified().unwrap(), of("").modified().unwrap()), (past, past));
    let mut value = [0; 16];
    assert_eq!(getxattr(volume.path().join("bin"), "user.note", &mut value), Ok(5));
    assert_eq!(of("again").ino(), of("sub/a").ino());
    assert_eq!(fs::read_link(volume.path().join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(FileType::from_raw_mode(of("pipe").mode()), FileType::Fifo);
}

#[test]
fn it_happens_once() {
    let place = Place::new();
    let volumes = place.volumes();
    let layer = [place.layer("layer", &[("data/x", "1")])];
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    assert_eq!(fill(&volumes, &volume, &layer, "/data"), Outcome::Copied);
    fs::remove_file(volume.path().join("x")).unwrap();
    assert_eq!(fill(&place.volumes(), &volume, &layer, "/data"), Outcome::Kept);
    assert!(listing(volume.path()).is_empty(), "what a user deleted does not come back");
}

#[test]
fn a_volume_with_content_is_left_alone() {
    let place = Place::new();
    let volumes = place.volumes();
    let layer = [place.layer("layer", &[("data/x", "1")])];
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    fs::write(volume.path().join("mine"), "1").unwrap();
    assert_eq!(fill(&volumes, &volume, &layer, "/data"), Outcome::Kept);
    assert_eq!(listing(volume.path()), ["mine=1"]);
}

#[test]
fn nocopy_and_paths_that_the_image_lacks_leave_it_empty_for_the_next() {
    let place = Place::new();
    let volumes = place.volumes();
    let layer = [place.layer("layer", &[("data/x", "1"), ("file", "1")])];
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    let nocopy = CopyUp { layer_dirs: &layer, container_path: Path::new("/data"), nocopy: true };
    assert_eq!(volumes.copy_up(&volume, &nocopy).unwrap(), Outcome::Nothing);
    for path in ["/elsewhere", "/file", "/file/x", "/data/x/y"] {
        assert_eq!(fill(&volumes, &volume, &layer, path), Outcome::Nothing, "{path}");
    }
    assert_eq!(fill(&volumes, &volume, &layer, "/data"), Outcome::Copied);
}

#[test]
fn links_on_the_way_stay_inside_the_image() {
    let place = Place::new();
    let volumes = place.volumes();
    let outside = place.layer("outside", &[("secret", "s")]);
    let bottom = place.layer("bottom", &[("run/app/x", "1")]);
    let top = place.layer("top", &[("var/", ""), ("loop/", "")]);
    symlink("/run", top.join("var/run")).unwrap();
    symlink("../../../../run", top.join("up")).unwrap();
    symlink(&outside, top.join("evil")).unwrap();
    symlink("b", top.join("loop/a")).unwrap();
    symlink("a", top.join("loop/b")).unwrap();
    let layers = [top, bottom];
    for (name, path) in [("a", "/var/run/app"), ("b", "/up/app"), ("c", "/var/../run/./app/")] {
        let volume = volumes.prepare(&unit(name), "u1").unwrap();
        assert_eq!(fill(&volumes, &volume, &layers, path), Outcome::Copied, "{path}");
        assert_eq!(listing(volume.path()), ["x=1"]);
    }
    let volume = volumes.prepare(&unit("d"), "u1").unwrap();
    assert_eq!(fill(&volumes, &volume, &layers, "/evil"), Outcome::Nothing);
    let looping = CopyUp { layer_dirs: &layers, container_path: Path::new("/loop/a"), nocopy: false };
    assert!(volumes.copy_up(&volume, &looping).is_err());
    assert!(listing(volume.path()).is_empty());
}

#[test]
fn a_copy_that_was_cut_off_is_made_anew() {
    let place = Place::new();
    let volumes = place.volumes();
    let layer = [place.layer("layer", &[("data/x", "whole")])];
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    fs::create_dir(place.path("volumes/shared/v/copy")).unwrap();
    fs::write(place.path("volumes/shared/v/copy/x"), "wh").unwrap();
    assert_eq!(fill(&volumes, &volume, &layer, "/data"), Outcome::Copied);
    assert_eq!(listing(volume.path()), ["x=whole"]);
}

#[test]
fn a_finished_copy_is_moved_in_after_a_crash_without_touching_what_came_between() {
    let place = Place::new();
    let volumes = place.volumes();
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    place.layer("volumes/shared/v/copied", &[("a", "image"), ("b", "image"), ("sub/c", "image")]);
    fs::set_permissions(place.path("volumes/shared/v/copied"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(volume.path().join("a"), "user").unwrap();
    assert_eq!(fill(&volumes, &volume, &[], "/data"), Outcome::Copied);
    assert_eq!(listing(volume.path()), ["a=user", "b=image", "sub/", "sub/c=image"]);
    assert_eq!(fs::metadata(volume.path()).unwrap().mode() & 0o7777, 0o700);
    assert!(!place.path("volumes/shared/v/copied").exists());
}

#[test]
fn several_units_filling_one_volume_copy_once() {
    let place = Place::new();
    let volumes = place.volumes();
    let files: Vec<(String, String)> = (0..50).map(|n| (format!("data/{n}"), n.to_string())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let layer = [place.layer("layer", &files)];
    let volume = volumes.prepare(&shared("v"), "u1").unwrap();
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let run = || fill(&volumes, &volume, &layer, "/data");
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Copied).count(), 1);
    assert_eq!(listing(volume.path()).len(), 50);
}

#[test]
fn what_is_copied_is_what_a_container_would_see() {
    let place = Place::new();
    let volumes = place.volumes();
    let bottom =
        place.layer("bottom", &[("d/a/1", "1"), ("d/b/1", "1"), ("d/c/deep/1", "1"), ("d/e", "1"), ("d/f/1", "1")]);
    let middle = place.layer("middle", &[("d/a/2", "2"), ("d/b/2", "2"), ("d/e/2", "2"), ("d/c/", "")]);
    let top = place.layer("top", &[("d/a/3", "3"), ("d/c/deep/3", "3"), ("d/f", "3")]);
    whiteout(&middle.join("d/c/deep"));
    whiteout(&top.join("d/a/1"));
    opaque(&middle.join("d/b"));
    opaque(&top.join("d/c/deep"));
    let layers = [top, middle, bottom];
    let volume = volumes.prepare(&unit("v"), "u1").unwrap();
    assert_eq!(fill(&volumes, &volume, &layers, "/d"), Outcome::Copied);

    fs::create_dir(place.path("merged")).unwrap();
    let lower: Vec<_> = layers.iter().map(|dir| dir.to_str().unwrap()).collect();
    // In a mount namespace of its own, which ends with the command.
    let script = format!(
        "mount -t overlay overlay -o ro,lowerdir={} {merged} && diff -r {merged}/d {}",
        lower.join(":"),
        volume.path().display(),
        merged = place.path("merged").display()
    );
    let output = std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
