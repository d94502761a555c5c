//! What the tests of this crate share: a private folder, a store in it, and small images.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};

use image::build::{self, Image};
use image::{ImageConfig, Reference, Store};

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
