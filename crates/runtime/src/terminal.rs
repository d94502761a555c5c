//! Pseudo-terminals: making one inside a container's own devpts, owning it, sizing it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::spec::TtySize;
use crate::sys::{check, fs, owned};

const DEVPTS_MAGIC: i64 = 0x1cd1;

/// Both ends of a new terminal.
#[derive(Debug)]
pub struct Terminal {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// Opens a terminal in the devpts below an open `/dev`; the slave is opened through the master, never by its name.
///
/// # Errors
/// The kernel's.
pub fn open(dev: &impl AsRawFd, size: TtySize) -> io::Result<Terminal> {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = fs::openat2(dev, "pts/ptmx", flags | libc::O_NONBLOCK, fs::BENEATH | fs::NO_SYMLINKS)?;
    // A running container may have put something else in its place.
    if fs::magic(&master)? != DEVPTS_MAGIC {
        return Err(io::Error::from_raw_os_error(libc::ENOTTY));
    }
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int, which lives across the call.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) }.into())?;
    // SAFETY: TIOCGPTPEER takes open flags as a plain number.
    let slave = owned(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags | libc::O_CLOEXEC) }.into())?;
    if size != TtySize::default() {
        resize(&master, size)?;
    }
    Ok(Terminal { master, slave })
}

/// Sets the size; the foreground program gets SIGWINCH.
///
/// # Errors
/// `ENOTTY` when it is no terminal.
pub fn resize(terminal: &impl AsRawFd, size: TtySize) -> io::Result<()> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize, which lives across the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }.into()).map(drop)
}

/// Makes a terminal the controlling one of this session.
///
/// # Errors
/// `EPERM` when this process leads no session or has a terminal.
pub(crate) fn control(terminal: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes a plain number.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}
