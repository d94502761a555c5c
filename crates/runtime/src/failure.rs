//! How one step of making a container fails: which step, whose fault, what the kernel said.

use std::io;

use crate::protocol::{Failure, FailureKind};

/// A failed step, in words for the person who wrote the spec.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StartError {
    pub kind: FailureKind,
    /// The step: `cgroup`, `rootfs`, `mount`, `user`, `exec`, …
    pub stage: &'static str,
    pub what: String,
    pub source: Option<io::Error>,
}

impl StartError {
    /// The spec asks for something that makes no sense.
    pub fn invalid(stage: &'static str, what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Invalid, stage, what: what.into(), source: None }
    }

    /// The state of things does not allow it now.
    pub fn conflict(stage: &'static str, what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Conflict, stage, what: what.into(), source: None }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message =
            error.source.as_ref().map_or_else(|| error.what.clone(), |e| format!("{}: {}", error.what, words(e)));
        Self {
            kind: error.kind,
            message,
            stage: Some(error.stage.to_owned()),
            errno: error.source.and_then(|e| e.raw_os_error()),
        }
    }
}

/// The kernel's words without the number that `std` adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// Names the step that an I/O error belongs to.
pub(crate) trait Stage<T> {
    /// `what` is a sentence without its cause: "/etc cannot be mounted".
    fn stage(self, stage: &'static str, what: impl FnOnce() -> String) -> Result<T, StartError>;
}

impl<T> Stage<T> for io::Result<T> {
    fn stage(self, stage: &'static str, what: impl FnOnce() -> String) -> Result<T, StartError> {
        self.map_err(|source| StartError { kind: FailureKind::System, stage, what: what(), source: Some(source) })
    }
}

impl<T> Stage<T> for Result<T, crate::cgroup::CgroupError> {
    fn stage(self, stage: &'static str, what: impl FnOnce() -> String) -> Result<T, StartError> {
        self.map_err(|error| {
            let what = format!("{}: {error}", what());
            match error {
                crate::cgroup::CgroupError::Io { source, .. } => {
                    StartError { kind: FailureKind::System, stage, what, source: Some(source) }
                }
                _ => StartError { kind: FailureKind::System, stage, what, source: None },
            }
        })
    }
}
