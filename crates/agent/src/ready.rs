//! A descriptor whose readiness the event loop watches.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor that is in non-blocking mode.
#[expect(
    deprecated,
    reason = "what its successor asks of the caller, an `OwnedFd` keeps by itself: one descriptor, open"
)]
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}
