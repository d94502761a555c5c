//! Fills a new volume with what the image has at its mount point, once, so that a crash at any moment neither loses nor repeats it; `copy` does the copying.
//!
//! Beside the volume's `data`: `copy` is a copy being made, thrown away after a crash; `copied` is a finished one being moved into `data`, taken up again
//! after a crash; `done` says that it is over. The folder `data` itself never changes, since a running container may have it mounted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, openat, renameat_with, syncfs};
use rustix::io::Errno;

use crate::copy::{CopyError, copy_tree, describe};
use crate::merged::MergedDir;
use crate::volumes::{Volume, Volumes, make_dir};

/// Where a volume's first content comes from.
#[derive(Debug, Clone, Copy)]
pub struct CopyUp<'a> {
    /// The image's layer trees, top first.
    pub layer_dirs: &'a [PathBuf],
    /// Where the volume is mounted in the container.
    pub container_path: &'a Path,
    /// Docker's `volume-nocopy`: leave the volume empty.
    pub nocopy: bool,
}

/// What a copy-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The image's content is in the volume now.
    Copied,
    /// The volume already has, or once had, content.
    Kept,
    /// The image has no such folder, the volume is the host's, or copying is switched off.
    Nothing,
}

/// Why a volume could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum CopyUpError {
    #[error("the image's folder {path} cannot be read")]
    Image { path: String, source: io::Error },
    #[error("the volume cannot be filled from the image")]
    Copy(#[from] CopyError),
    #[error("the volume's folder {path} cannot be used")]
    Volume { path: String, source: io::Error },
}

impl Volumes {
    /// Fills a volume that has never had content from the image's folder at its mount point, with owner and mode of that folder (Docker
    /// volumes, "Populate a volume using a container"). Several callers of one volume wait for the first.
    pub fn copy_up(&self, volume: &Volume, from: &CopyUp<'_>) -> Result<Outcome, CopyUpError> {
        let Some(place) = volume.place().filter(|_| !from.nocopy) else { return Ok(Outcome::Nothing) };
        let folder = open(place)?;
        lock(&folder, place)?;
        let steps = Steps { place, shared: volume.is_shared() };
        if steps.done().exists() {
            remove_tree(&steps.copied())?;
            return Ok(Outcome::Kept);
        }
        if steps.copied().exists() {
            steps.move_in()?;
            return Ok(Outcome::Copied);
        }
        if !is_empty(volume.path())? {
            return Ok(Outcome::Kept);
        }
        let image_error =
            |errno: Errno| CopyUpError::Image { path: from.container_path.display().to_string(), source: errno.into() };
        let root = MergedDir::open(from.layer_dirs).map_err(image_error)?;
        let content = match root {
            Some(root) => root.walk(from.container_path).map_err(image_error)?,
            None => None,
        };
        let Some(content) = content else { return Ok(Outcome::Nothing) };
        steps.copy(&content)?;
        steps.move_in()?;
        Ok(Outcome::Copied)
    }
}

/// The steps of one copy-up, each safe to be interrupted in.
struct Steps<'a> {
    place: &'a Path,
    shared: bool,
}

impl Steps<'_> {
    fn done(&self) -> PathBuf {
        self.place.join("done")
    }

    fn copied(&self) -> PathBuf {
        self.place.join("copied")
    }

    fn copy(&self, content: &MergedDir) -> Result<(), CopyUpError> {
        let copy = self.place.join("copy");
        remove_tree(&copy)?;
        make_dir(&copy, 0o700).map_err(used(&copy))?;
        let dir = open(&copy)?;
        copy_tree(content, &dir)?;
        if self.shared {
            // It outlives the machine's next power cut, and so must not be found half written.
            syncfs(&dir).map_err(|errno| used(&copy)(errno.into()))?;
        }
        fs::rename(&copy, self.copied()).map_err(used(&copy))
    }

    /// Moves the finished copy into the volume's folder, name by name. What a container has put there meanwhile stays.
    fn move_in(&self) -> Result<(), CopyUpError> {
        let (copied, data) = (self.copied(), self.place.join("data"));
        let (from, to) = (open(&copied)?, open(&data)?);
        let failed = |errno: Errno| used(&data)(errno.into());
        let metadata = fstat(&from).map_err(failed)?;
        for entry in fs::read_dir(&copied).map_err(used(&copied))? {
            let name = entry.map_err(used(&copied))?.file_name();
            match renameat_with(&from, &name, &to, &name, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        describe(&from, &metadata, &to).map_err(failed)?;
        let done = self.done();
        fs::write(&done, b"").map_err(used(&done))?;
        remove_tree(&copied)
    }
}

fn lock(folder: &std::os::fd::OwnedFd, place: &Path) -> Result<(), CopyUpError> {
    loop {
        match flock(folder, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(used(place)(errno.into())),
        }
    }
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd, CopyUpError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(|errno| used(path)(errno.into()))
}

fn is_empty(path: &Path) -> Result<bool, CopyUpError> {
    Ok(fs::read_dir(path).map_err(used(path))?.next().is_none())
}

fn remove_tree(path: &Path) -> Result<(), CopyUpError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(used(path)),
    }
}

fn used(path: &Path) -> impl FnOnce(io::Error) -> CopyUpError {
    let path = path.display().to_string();
    move |source| CopyUpError::Volume { path, source }
}
