//! Which volume is meant, and the folder names that follow from it; touches no disk.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// One volume of a unit, as its definition asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSpec {
    /// Lives and dies with the unit: ECS's docker volume with scope `task`, and a bind mount without sourcePath.
    Unit {
        /// The volume's name in the unit's definition.
        name: String,
    },
    /// Kept after the unit, shared by every unit that names it: ECS's docker volume with scope `shared`.
    Shared {
        /// The volume's name on this node.
        name: String,
        /// Whether it is made when it is missing; otherwise that is an error.
        autoprovision: bool,
    },
    /// What an image's VOLUME asks for where the definition mounts nothing; lives and dies with the unit.
    Anonymous {
        /// The container whose image it is.
        container: String,
        /// The path in the container.
        path: PathBuf,
    },
    /// A file or folder of the host; a folder is made where there is nothing, as Docker does.
    Host {
        /// Absolute path on the host.
        path: PathBuf,
    },
}

/// Why a name cannot be a folder's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no volume or unit name: up to 255 letters, digits, '_', '-' and '.', not starting with '.'")]
pub struct NameError(pub String);

/// A name that is safe as one path component.
pub(crate) fn checked(name: &str) -> Result<&str, NameError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let good = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(plain);
    if good { Ok(name) } else { Err(NameError(name.to_owned())) }
}

/// The folder of an anonymous volume: fixed by container and path, so that a restarted container finds its data. The leading '.' keeps it
/// apart from every named one.
pub(crate) fn anonymous(container: &str, path: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(container.as_bytes());
    hash.update([0]);
    hash.update(path.as_os_str().as_encoded_bytes());
    format!(".{}", hex::encode(&hash.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_plain_components() {
        for name in ["a", "my_vol-1.x", "0", "_a", "-a", &"a".repeat(255)] {
            assert_eq!(checked(name), Ok(name));
        }
        for name in ["", ".", "..", "a/b", "../x", ".a", "a b", "ä", "a\0", &"a".repeat(256)] {
            assert!(checked(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn anonymous_volumes_differ_by_container_and_path() {
        let names = [("a", "/data"), ("a", "/data2"), ("b", "/data"), ("a/", "data")];
        let folders: std::collections::BTreeSet<String> =
            names.iter().map(|(container, path)| anonymous(container, Path::new(path))).collect();
        assert_eq!(folders.len(), names.len());
        assert!(folders.iter().all(|folder| checked(folder).is_err()), "none can be a named volume");
    }
}
