//! Network settings under /proc/sys/net of the calling thread's namespace.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{NetworkError, NetworkResult};

fn path_of(name: &str) -> PathBuf {
    Path::new("/proc/sys/net").join(name)
}

/// Reads a setting, for example `ipv4/ip_forward`.
pub(crate) fn read(name: &str) -> NetworkResult<String> {
    let path = path_of(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(NetworkError::File { doing: "read", path, source }),
    }
}

/// Writes a setting.
pub(crate) fn write(name: &str, value: &str) -> NetworkResult<()> {
    let path = path_of(name);
    fs::write(&path, value).map_err(|source| match source.raw_os_error().map(Errno::from_raw) {
        Some(source @ (Errno::EACCES | Errno::EPERM)) => {
            NetworkError::Privilege { doing: "change network settings in /proc/sys/net", source }
        }
        _ => NetworkError::File { doing: "write", path, source },
    })
}

/// Writes a setting that not every kernel has (IPv6, bridge filtering).
pub(crate) fn write_if_known(name: &str, value: &str) -> NetworkResult<()> {
    match write(name, value) {
        Err(NetworkError::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
