//! Unix sockets: paths of any length, and descriptors riding along with bytes.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::{check, fs, retry};
use crate::protocol::MAX_FDS;

/// Room for the control message of `MAX_FDS` descriptors, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 128]);

/// Sends bytes and descriptors in one call; returns how many bytes went. The descriptors go with the first byte.
///
/// # Errors
/// The kernel's, `WouldBlock` included; then nothing was sent. `EINVAL` for no bytes or too many descriptors.
pub fn send(socket: &impl AsRawFd, bytes: &[u8], fds: &[RawFd]) -> io::Result<usize> {
    if bytes.is_empty() || fds.len() > MAX_FDS {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut control = Control([MaybeUninit::uninit(); 128]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: an all-zero msghdr is a valid empty one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        let payload = size_of_val(fds) as u32;
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: pure arithmetic; MAX_FDS descriptors need 48 bytes, the buffer has 128, so the header pointer is
        // inside it and there is room for the numbers behind it.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(payload) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(payload) as _;
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), payload as usize);
        }
    }
    retry(|| {
        // SAFETY: `message` points at `part` and `control`, which outlive the call.
        check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) } as libc::c_long)
    })
    .map(|sent| sent as usize)
}

/// Receives bytes into `bytes` and appends descriptors that came with them to `fds`; 0 bytes means the peer has gone.
///
/// # Errors
/// The kernel's, `WouldBlock` included; `EMSGSIZE` when descriptors were lost for want of room.
pub fn receive(socket: &impl AsRawFd, bytes: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut control = Control([MaybeUninit::uninit(); 128]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: an all-zero msghdr is a valid empty one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let got = retry(|| {
        // SAFETY: `message` points at `part` and `control`, which outlive the call.
        check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) } as libc::c_long)
    })? as usize;
    // SAFETY: the kernel filled in the control messages and their true total length; every number in an SCM_RIGHTS
    // message is a descriptor that has just become ours.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                let count = ((*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>();
                for i in 0..count {
                    fds.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok(got)
}

/// A short name of a socket file in an open folder: addresses hold 107 bytes, real paths may be longer.
fn short(folder: &OwnedFd, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

fn folder_of(path: &Path) -> io::Result<OwnedFd> {
    fs::open_path(path.parent().unwrap_or(Path::new(".")))
}

/// Listens at a path of any length, readable and writable by the owner alone.
///
/// # Errors
/// The kernel's; `EADDRINUSE` when the file is there.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    let folder = folder_of(path)?;
    // SAFETY: no memory is passed. The process is single-threaded, so nobody sees the narrow mask.
    let mask = unsafe { libc::umask(0o177) };
    let listener = UnixListener::bind(short(&folder, path)?);
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    listener
}

/// Connects to a socket at a path of any length.
///
/// # Errors
/// The kernel's; `ECONNREFUSED` when nobody listens.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let folder = folder_of(path)?;
    UnixStream::connect(short(&folder, path)?)
}
