//! What the tests of this crate share: a private folder, a store in it, and small images.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod raw_tar;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use image::build::{self, Image};
use image::{ImageConfig, ImportError, ImportOptions, Limits, Reference, Store};

/// A folder that goes with the test, in memory where that is possible: a sync of the whole disk is slow.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Place(tempfile::Builder::new().prefix("bayplan-image-").tempdir_in(parent).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path("images")).unwrap()
    }
}

pub(crate) fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub(crate) fn config() -> ImageConfig {
    ImageConfig { entrypoint: vec!["/app".to_owned()], env: vec!["A=1".to_owned()], ..ImageConfig::default() }
}

/// Two layers: `/app` and `/etc/conf`, then `/etc/extra`.
pub(crate) fn two_layers() -> Image {
    let base = Image::from_files(&[("app", b"program", 0o755), ("etc/conf", b"old", 0o600)], config()).unwrap();
    base.with_layer(build::layer(&[("etc/extra", b"more", 0o644)]).unwrap())
}

/// An image of the given layers, bottom first.
pub(crate) fn image_of(layers: Vec<Vec<u8>>) -> Image {
    Image { config: config(), platform: image::Platform::this_machine(), layers }
}

/// Imports an image of these layers as `x:1` and gives its trees, top first.
pub(crate) fn import_layers(place: &Place, layers: Vec<Vec<u8>>, limits: Limits) -> Result<Vec<PathBuf>, ImportError> {
    let archive = place.path("layers.tar");
    build::oci_tar(&archive, &[(Some(&name("x:1")), &image_of(layers))]).unwrap();
    let store = place.store();
    store.import(&archive, &ImportOptions { limits, ..ImportOptions::default() })?;
    Ok(store.resolve(&name("x:1")).unwrap().unwrap().layer_dirs)
}

/// Every path below `dir` with its kind, mode, owner, content or target, in order.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    list(dir, "", &mut lines);
    lines.sort();
    lines
}

fn list(dir: &Path, prefix: &str, lines: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().display());
        let stat = entry.metadata().unwrap();
        let about = format!("{:o} {}:{} {}", stat.mode(), stat.uid(), stat.gid(), stat.mtime());
        if stat.is_dir() {
            lines.push(format!("{name}/ {about}"));
            list(&entry.path(), &format!("{name}/"), lines);
        } else if stat.is_symlink() {
            lines.push(format!("{name} {about} -> {}", fs::read_link(entry.path()).unwrap().display()));
        } else if stat.is_file() {
            let content = fs::read(entry.path()).unwrap();
            lines.push(format!("{name} {about} x{} = {}", stat.nlink(), content.escape_ascii()));
        } else {
            lines.push(format!("{name} {about} device {}", stat.rdev()));
        }
    }
}

/// An error with all its causes, as a log line would show it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
