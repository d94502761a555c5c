//! The lock file that keeps a second process off an open store; knows nothing of the database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Holds the store for this process until dropped. The kernel lets go when the process dies, however it dies.
pub(super) struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Locks the store at `database`, or says who has it.
    pub(super) fn take(database: &Path) -> Result<StoreLock, OpenError> {
        let path = lock_path(database);
        let failed = |source: io::Error| OpenError::LockFile { path: path.clone(), source };
        // Not truncated here: until the lock is ours, the content is the holder's.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: database.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Only a courtesy to whoever comes second: on a full disk the store opens without it.
        if let Err(error) = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())) {
            tracing::warn!(path = %path.display(), %error, "cannot note who holds the store");
        }
        Ok(StoreLock { file })
    }
}

impl Drop for StoreLock {
    /// Unlocks on purpose instead of by closing: a child that was just forked may still have the file open until it executes.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot unlock the store; its lock goes when this process ends");
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Who holds the lock, as far as its file tells.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut pid));
    match (read, pid.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}{}", command_of(pid)),
        _ => "another process".to_owned(),
    }
}

fn command_of(pid: u32) -> String {
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!(" ({})", name.trim()),
        Err(_) => String::new(),
    }
}
