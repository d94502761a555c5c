//! The folders of a node's volumes: made when a unit asks, found again after a restart, deleted with the unit; what is in them is `copy_up`'s.
//!
//! ```text
//! shared/<name>/data            scope shared: kept
//! units/<unit>/<name>/data      scope task and anonymous: deleted with the unit
//! trash/                        being deleted
//! ```

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::spec::{NameError, VolumeSpec, anonymous, checked};

/// The volumes below one folder of the node, used by one agent.
#[derive(Debug)]
pub struct Volumes {
    root: PathBuf,
}

/// A volume that is ready to be bound into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    path: PathBuf,
    /// The folder that holds `data` and the state of its first copy; none for the host's own.
    place: Option<PathBuf>,
    shared: bool,
}

/// Why a volume cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("host path {0} is not absolute: a volume's sourcePath starts with '/'")]
    Relative(String),
    #[error("volume {0} does not exist on this node and its definition does not set autoprovision")]
    NotProvisioned(String),
    #[error("{path} cannot be used for a volume")]
    Io { path: String, source: io::Error },
}

impl Volume {
    /// The folder, or file, to bind.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn place(&self) -> Option<&Path> {
        self.place.as_deref()
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }
}

impl Volumes {
    /// Opens the volumes in `root`, made if missing, and finishes deletions that were interrupted.
    pub fn open(root: &Path) -> Result<Volumes, VolumeError> {
        let volumes = Volumes { root: root.to_owned() };
        for dir in [root.to_owned(), volumes.shared_dir(), volumes.units_dir(), volumes.trash_dir()] {
            DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io_error(&dir))?;
        }
        for trash in volumes.children(&volumes.trash_dir())? {
            let path = volumes.trash_dir().join(trash);
            // It costs space, not correctness: no reason not to start.
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "a deleted volume still takes space");
            }
        }
        Ok(volumes)
    }

    /// The volume of `spec` for `unit`: made with mode 0755 and owned by root if it is new, the same folder every time after.
    pub fn prepare(&self, spec: &VolumeSpec, unit: &str) -> Result<Volume, VolumeError> {
        let (place, shared) = match spec {
            VolumeSpec::Host { path } => return host(path),
            VolumeSpec::Unit { name } => (self.units_dir().join(checked(unit)?).join(checked(name)?), false),
            VolumeSpec::Anonymous { container, path } => {
                (self.units_dir().join(checked(unit)?).join(anonymous(container, path)), false)
            }
            VolumeSpec::Shared { name, autoprovision } => {
                let place = self.shared_dir().join(checked(name)?);
                if !autoprovision && !place.join("data").exists() {
                    return Err(VolumeError::NotProvisioned(name.clone()));
                }
                (place, true)
            }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(io_error(&place))?;
        let path = place.join("data");
        match make_dir(&path, 0o755) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(io_error(&path))?,
        }
        Ok(Volume { path, place: Some(place), shared })
    }

    /// Deletes every volume that belongs to a unit whose containers are gone. A unit without volumes is no error.
    pub fn remove_unit(&self, unit: &str) -> Result<(), VolumeError> {
        self.discard(&self.units_dir().join(checked(unit)?)).map(drop)
    }

    /// Deletes a shared volume that nothing mounts. Returns whether there was one.
    pub fn remove_shared(&self, name: &str) -> Result<bool, VolumeError> {
        self.discard(&self.shared_dir().join(checked(name)?))
    }

    /// The shared volumes, by name.
    pub fn shared(&self) -> Result<Vec<String>, VolumeError> {
        self.children(&self.shared_dir())
    }

    /// Units that have volumes here but are not in `known`.
    pub fn leftovers(&self, known: &BTreeSet<String>) -> Result<Vec<String>, VolumeError> {
        let mut units = self.children(&self.units_dir())?;
        units.retain(|unit| !known.contains(unit));
        Ok(units)
    }

    /// Deletes the volumes of all units that are not in `known`; returns which. Goes on after a unit that cannot be deleted, and reports the first
    /// error at the end.
    pub fn gc(&self, known: &BTreeSet<String>) -> Result<Vec<String>, VolumeError> {
        let mut removed = Vec::new();
        let mut failed = None;
        for unit in self.leftovers(known)? {
            match self.discard(&self.units_dir().join(&unit)) {
                Ok(_) => removed.push(unit),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(removed), Err)
    }

    /// Takes a folder out of sight in one step, then deletes it. No link in it is followed.
    fn discard(&self, path: &Path) -> Result<bool, VolumeError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let trash = self.trash_dir().join(format!("{}-{number}", std::process::id()));
        match fs::rename(path, &trash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(io_error(path))?,
        }
        fs::remove_dir_all(&trash).map_err(io_error(&trash))?;
        Ok(true)
    }

    fn children(&self, dir: &Path) -> Result<Vec<String>, VolumeError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(io_error(dir))? {
            names.extend(entry.map_err(io_error(dir))?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn shared_dir(&self) -> PathBuf {
        self.root.join("shared")
    }

    fn units_dir(&self) -> PathBuf {
        self.root.join("units")
    }

    fn trash_dir(&self) -> PathBuf {
        self.root.join("trash")
    }
}

/// A path of the host. Its links are the administrator's and are followed.
fn host(path: &Path) -> Result<Volume, VolumeError> {
    if !path.is_absolute() {
        return Err(VolumeError::Relative(path.display().to_string()));
    }
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(io_error(path))?;
        }
        Err(error) => return Err(io_error(path)(error)),
    }
    Ok(Volume { path: path.to_owned(), place: None, shared: false })
}

/// A directory with exactly this mode, whatever the process's umask.
pub(crate) fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> VolumeError {
    let path = path.display().to_string();
    move |source| VolumeError::Io { path, source }
}
