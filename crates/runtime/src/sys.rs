//! Thin, safe faces of the system calls that `std` lacks, one per function; no policy.

pub mod fs;
pub mod process;
pub mod socket;

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// Turns a call's `-1` into the error it left behind.
pub(crate) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Owns the descriptor that a call returned.
pub(crate) fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)? as RawFd;
    // SAFETY: the kernel has just handed out this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A C string; a NUL inside is the caller's `EINVAL`.
pub(crate) fn cstr(text: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Repeats a call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A second descriptor of the same thing, close-on-exec.
///
/// # Errors
/// No descriptor is left.
pub fn duplicate(fd: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    owned(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) }.into())
}

/// Puts a descriptor's thing at a fixed number, without close-on-exec.
pub(crate) fn install(fd: &impl AsRawFd, at: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == at {
        // SAFETY: no memory is passed.
        return check(unsafe { libc::fcntl(at, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: no memory is passed; callers only name numbers that are theirs to replace (0, 1, 2).
    check(unsafe { libc::dup2(fd.as_raw_fd(), at) }.into()).map(drop)
}

/// Marks a descriptor close-on-exec, or not.
///
/// # Errors
/// It is not open.
pub fn set_cloexec(fd: RawFd, on: bool) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, if on { libc::FD_CLOEXEC } else { 0 }) }.into()).map(drop)
}

/// A file in memory, without a name; close-on-exec.
///
/// # Errors
/// No memory or descriptor is left.
pub fn memory_file(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated and outlives the call.
    owned(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) }.into())
}

/// Makes an open number lead to another thing.
///
/// # Errors
/// The kernel's.
pub fn replace(number: &impl AsRawFd, by: &impl AsRawFd) -> io::Result<()> {
    install(by, number.as_raw_fd())
}

/// A pipe, both ends close-on-exec.
///
/// # Errors
/// No descriptor is left.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` holds the two numbers that the call writes.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())?;
    Ok((owned(ends[0].into())?, owned(ends[1].into())?))
}

/// Makes reads and writes return `WouldBlock` instead of waiting.
///
/// # Errors
/// The descriptor is not open.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no memory is passed.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }.into())? as libc::c_int;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }.into()).map(drop)
}

/// Opens `/dev/null` for reading and writing.
///
/// # Errors
/// The host has no `/dev/null`.
pub fn dev_null() -> io::Result<OwnedFd> {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").map(OwnedFd::from)
}
