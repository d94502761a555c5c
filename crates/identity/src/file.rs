//! The installation's own secrets: made once, in one file that only root reads.

use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::{fs, io};

/// What the file holds.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Signs what temporary credentials say, 32 bytes in hex.
    pub(crate) mac_key: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.access_key_id)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the access keys in {path} cannot be read or written")]
    File { path: String, source: io::Error },
    #[error("the access keys in {path} are damaged; remove the file to make new ones")]
    Damaged { path: String, source: serde_json::Error },
}

impl Keys {
    /// Reads the file; makes it first if it is not there.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::File { path: path.display().to_string(), source };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| IdentityError::Damaged { path: path.display().to_string(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Self::mint();
                write(path, &keys).map_err(failed)?;
                Ok(keys)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn mint() -> Self {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let id: String = random::<16>().iter().map(|b| LETTERS[usize::from(b % 32)] as char).collect();
        use base64::Engine;
        Self {
            access_key_id: format!("AKIA{id}"),
            secret_access_key: base64::engine::general_purpose::STANDARD.encode(random::<30>()),
            mac_key: hex::encode(random::<32>()),
        }
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's random source is always there on Linux");
    bytes
}

/// Complete before it has its name: two that start at once see one file, whole.
fn write(path: &Path, keys: &Keys) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(&serde_json::to_vec_pretty(keys)?)?;
    file.sync_all()?;
    fs::rename(next, path)
}
