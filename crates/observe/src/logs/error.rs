//! What can go wrong with log streams, in words a person can act on.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log stream {0:?} does not exist")]
    NoSuchStream(String),
    #[error("the log stream {0:?} exists already")]
    StreamExists(String),
    #[error("the log group was deleted")]
    GroupDeleted,
    #[error("a log group's uid is 1 to 128 letters, digits, '-' and '_', not {0:?}")]
    BadGroup(String),
    #[error("a batch holds at most {events} events and {bytes} bytes, counting 26 bytes beside each message")]
    BatchTooLarge { events: usize, bytes: usize },
    #[error("an event's time is {0} ms, outside 0 to 9999999999999")]
    BadTimestamp(i64),
    #[error("a producer's name is 1 to 128 bytes")]
    BadProducer,
    #[error("the token does not belong to this stream or query")]
    BadToken,
    #[error("another process already uses the logs in {0}; stop it first")]
    InUse(PathBuf),
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

/// Names the action and the file of an I/O error.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LogError>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LogError> {
        self.map_err(|source| LogError::Io { action, path: path.to_owned(), source })
    }
}
