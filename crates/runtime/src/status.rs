//! The short talk of a starting process with the supervisor: a terminal, a failure, or the silence of success.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::failure::StartError;
use crate::protocol::Failure;
use crate::sys::{check, owned, set_nonblocking, socket};

const TERMINAL: u8 = b'T';
const FAILED: u8 = b'F';

/// The end that the starting process holds; close-on-exec.
#[derive(Debug)]
pub struct Reporter(OwnedFd);

/// One thing a starting process said.
#[derive(Debug)]
pub enum Said {
    /// The master of its terminal.
    Terminal(OwnedFd),
    /// It could not start.
    Failed(Failure),
    /// Its program runs, or it died.
    Closed,
    /// Nothing yet.
    Nothing,
}

/// The supervisor's end (non-blocking) and the process's.
pub(crate) fn pair() -> io::Result<(OwnedFd, Reporter)> {
    let mut ends: [RawFd; 2] = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` holds the two numbers that the call writes.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }.into())?;
    let (ours, theirs) = (owned(ends[0].into())?, owned(ends[1].into())?);
    set_nonblocking(&ours)?;
    Ok((ours, Reporter(theirs)))
}

/// Takes the next message.
///
/// # Errors
/// The kernel's.
pub fn read(status: &OwnedFd) -> io::Result<Said> {
    let (mut bytes, mut fds) = (vec![0; 8192], Vec::new());
    match socket::receive(status, &mut bytes, &mut fds) {
        Ok(0) => Ok(Said::Closed),
        Ok(got) => Ok(match (bytes[0], fds.pop()) {
            (TERMINAL, Some(master)) => Said::Terminal(master),
            (FAILED, _) => serde_json::from_slice(&bytes[1..got]).map_or(Said::Closed, Said::Failed),
            _ => Said::Nothing,
        }),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Said::Nothing),
        Err(e) => Err(e),
    }
}

impl Reporter {
    /// Takes over an inherited end.
    pub(crate) fn from_descriptor(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Hands the terminal's master over.
    pub(crate) fn terminal(&self, master: &OwnedFd) -> io::Result<()> {
        socket::send(&self.0, &[TERMINAL], &[master.as_raw_fd()]).map(drop)
    }

    /// Says why it ends; nobody is left to tell when this fails too.
    pub(crate) fn failed(&self, error: StartError) {
        let mut failure = Failure::from(error);
        failure.message.truncate(failure.message.floor_char_boundary(4000));
        if let Ok(text) = serde_json::to_vec(&failure) {
            let _ = socket::send(&self.0, &[&[FAILED], text.as_slice()].concat(), &[]);
        }
    }
}
