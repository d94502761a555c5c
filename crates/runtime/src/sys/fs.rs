//! Files and mounts by descriptor: the calls that make path races impossible; no policy.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{check, cstr, owned};

/// Never follow a `/proc/…/fd` kind of link.
pub const NO_MAGICLINKS: u64 = 0x02;
/// Follow no link at all.
pub const NO_SYMLINKS: u64 = 0x04;
/// Stay on one mount.
pub const NO_XDEV: u64 = 0x01;
/// Fail when the path leaves the starting folder.
pub const BENEATH: u64 = 0x08;
/// Treat the starting folder as the root of everything.
pub const IN_ROOT: u64 = 0x10;

/// Read-only.
pub const ATTR_RDONLY: u64 = 0x01;
/// Set-uid bits do nothing.
pub const ATTR_NOSUID: u64 = 0x02;
/// Device nodes do nothing.
pub const ATTR_NODEV: u64 = 0x04;
/// Nothing can be executed.
pub const ATTR_NOEXEC: u64 = 0x08;

/// Access times are not kept.
pub const ATTR_NOATIME: u64 = 0x10;
/// Access times are kept on every access.
pub const ATTR_STRICTATIME: u64 = 0x20;
/// Access times of folders are not kept.
pub const ATTR_NODIRATIME: u64 = 0x80;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens a path below a folder under the given `RESOLVE_…` rules; close-on-exec.
///
/// # Errors
/// The kernel's; `ELOOP` or `EXDEV` when a rule forbids the way.
pub fn openat2(
    folder: &impl AsRawFd,
    path: impl AsRef<OsStr>,
    flags: libc::c_int,
    resolve: u64,
) -> io::Result<OwnedFd> {
    let path = cstr(path)?;
    let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o644 };
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode, resolve };
    loop {
        // SAFETY: `path` is NUL-terminated and `how` of the stated size; both outlive the call.
        let opened = owned(unsafe {
            libc::syscall(libc::SYS_openat2, folder.as_raw_fd(), path.as_ptr(), &raw const how, size_of::<OpenHow>())
        });
        match opened {
            // The kernel asks for another try when a rename raced with an IN_ROOT or BENEATH walk.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
            other => return other,
        }
    }
}

/// Opens a path only as a place in the tree: no reading, no device side effects.
///
/// # Errors
/// The kernel's.
pub fn open_path(path: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    let path = cstr(path)?;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    owned(unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) }.into())
}

/// What an open descriptor is.
///
/// # Errors
/// The kernel's.
pub fn fstat(fd: &impl AsRawFd) -> io::Result<libc::stat> {
    // SAFETY: an all-zero stat is valid and is what the call overwrites; AT_EMPTY_PATH with "" means the descriptor.
    unsafe {
        let mut stat = std::mem::zeroed();
        check(libc::fstatat(fd.as_raw_fd(), c"".as_ptr(), &raw mut stat, libc::AT_EMPTY_PATH).into())?;
        Ok(stat)
    }
}

/// The magic number of the file system that an open descriptor lies on.
///
/// # Errors
/// The kernel's.
pub fn magic(fd: &impl AsRawFd) -> io::Result<i64> {
    // SAFETY: an all-zero statfs is valid and is what the call overwrites.
    unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        check(libc::fstatfs(fd.as_raw_fd(), &raw mut stat).into())?;
        Ok(stat.f_type as i64)
    }
}

/// Whether a `stat` says folder.
pub fn is_dir(stat: &libc::stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Makes a folder below an open one.
///
/// # Errors
/// The kernel's.
pub fn mkdirat(folder: &impl AsRawFd, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
    let name = cstr(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::mkdirat(folder.as_raw_fd(), name.as_ptr(), mode) }.into()).map(drop)
}

/// Makes a device node below an open folder.
///
/// # Errors
/// The kernel's.
pub fn mknodat(folder: &impl AsRawFd, name: impl AsRef<OsStr>, mode: u32, device: u64) -> io::Result<()> {
    let name = cstr(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::mknodat(folder.as_raw_fd(), name.as_ptr(), mode, device as libc::dev_t) }.into()).map(drop)
}

/// Makes a symbolic link below an open folder.
///
/// # Errors
/// The kernel's.
pub fn symlinkat(target: &str, folder: &impl AsRawFd, name: &str) -> io::Result<()> {
    let (target, name) = (cstr(target)?, cstr(name)?);
    // SAFETY: both strings are NUL-terminated and outlive the call.
    check(unsafe { libc::symlinkat(target.as_ptr(), folder.as_raw_fd(), name.as_ptr()) }.into()).map(drop)
}

/// Changes a mode past the umask.
///
/// # Errors
/// The kernel's.
pub fn chmodat(folder: &impl AsRawFd, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
    let name = cstr(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::fchmodat(folder.as_raw_fd(), name.as_ptr(), mode, 0) }.into()).map(drop)
}

/// Gives a file of an open folder an owner.
///
/// # Errors
/// The kernel's.
pub fn chownat(folder: &impl AsRawFd, name: impl AsRef<OsStr>, uid: u32, gid: u32) -> io::Result<()> {
    let name = cstr(name)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::fchownat(folder.as_raw_fd(), name.as_ptr(), uid, gid, flags) }.into()).map(drop)
}

/// Gives an open file an owner; `None` leaves the group.
///
/// # Errors
/// The kernel's.
pub fn fchown(fd: &impl AsRawFd, uid: u32, gid: Option<u32>) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fchown(fd.as_raw_fd(), uid, gid.unwrap_or(u32::MAX)) }.into()).map(drop)
}

/// Makes an open folder the working directory.
///
/// # Errors
/// The kernel's.
pub fn fchdir(folder: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fchdir(folder.as_raw_fd()) }.into()).map(drop)
}

/// The working directory's path as the kernel tells it; without a leading `/` it is out of this root's reach.
///
/// # Errors
/// `ENOENT` when it was removed.
pub fn current_folder() -> io::Result<Vec<u8>> {
    let mut path = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: pointer and length are those of the live buffer. The raw call, as libc's would refuse unreachable paths
    // in its own way.
    let len = check(unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) })? as usize;
    path.truncate(len.saturating_sub(1));
    Ok(path)
}

/// The classic mount call; `None` passes no string.
///
/// # Errors
/// The kernel's.
pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: every string is NUL-terminated or null, and outlives the call.
    let result = unsafe { libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(data).cast()) };
    check(result.into()).map(drop)
}

/// Unmounts; `MNT_DETACH` lets users of it finish.
///
/// # Errors
/// The kernel's.
pub fn umount(target: &CStr, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: `target` is NUL-terminated and outlives the call.
    check(unsafe { libc::umount2(target.as_ptr(), flags) }.into()).map(drop)
}

/// Makes the working directory the root, stacking the old root on top of it.
///
/// # Errors
/// The kernel's.
pub fn pivot_root_here() -> io::Result<()> {
    let here = c".".as_ptr();
    // SAFETY: both strings are NUL-terminated constants.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, here, here) }).map(drop)
}

/// A file system being configured.
#[derive(Debug)]
pub struct FsContext(OwnedFd);

impl FsContext {
    /// Begins a file system of a kind.
    ///
    /// # Errors
    /// `ENODEV` when the kernel does not have it.
    pub fn open(kind: &CStr) -> io::Result<Self> {
        const FSOPEN_CLOEXEC: libc::c_uint = 1;
        // SAFETY: `kind` is NUL-terminated and outlives the call.
        owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) }).map(Self)
    }

    /// Sets `key=value`.
    ///
    /// # Errors
    /// `EINVAL` when the file system does not know it.
    pub fn set(&self, key: &CStr, value: impl AsRef<OsStr>) -> io::Result<()> {
        const FSCONFIG_SET_STRING: libc::c_uint = 1;
        let value = cstr(value)?;
        self.config(FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())
    }

    /// Sets a key that has no value.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn flag(&self, key: &CStr) -> io::Result<()> {
        const FSCONFIG_SET_FLAG: libc::c_uint = 0;
        self.config(FSCONFIG_SET_FLAG, key.as_ptr(), std::ptr::null())
    }

    /// Makes the file system and a detached mount of it with `MOUNT_ATTR_…` flags.
    ///
    /// # Errors
    /// The file system's own.
    pub fn mount(self, attributes: u64) -> io::Result<OwnedFd> {
        const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
        const FSMOUNT_CLOEXEC: libc::c_uint = 1;
        self.config(FSCONFIG_CMD_CREATE, std::ptr::null(), std::ptr::null())?;
        // SAFETY: no memory is passed.
        owned(unsafe { libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), FSMOUNT_CLOEXEC, attributes) })
    }

    fn config(&self, command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char) -> io::Result<()> {
        // SAFETY: both pointers are null or NUL-terminated strings that the callers keep alive.
        check(unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, key, value, 0) }).map(drop)
    }
}

/// A detached copy of the mount at an open place; `recursive` takes what is mounted below along.
///
/// # Errors
/// `EINVAL` when the place is in another mount namespace.
pub fn clone_mount(place: &impl AsRawFd, recursive: bool) -> io::Result<OwnedFd> {
    const OPEN_TREE_CLONE: libc::c_uint = 1;
    const AT_RECURSIVE: libc::c_uint = 0x8000;
    let flags = OPEN_TREE_CLONE
        | libc::O_CLOEXEC as libc::c_uint
        | libc::AT_EMPTY_PATH as libc::c_uint
        | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated constant.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Attaches a detached mount onto an open place.
///
/// # Errors
/// The kernel's.
pub fn attach_mount(mount: &impl AsRawFd, place: &impl AsRawFd) -> io::Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x04;
    const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
    let empty = c"".as_ptr();
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are NUL-terminated constants.
    check(unsafe { libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), empty, place.as_raw_fd(), empty, flags) })
        .map(drop)
}

/// Sets `MOUNT_ATTR_…` flags and a propagation (`MS_PRIVATE`, `MS_SLAVE`, 0 for none) on a mount.
///
/// # Errors
/// The kernel's.
pub fn set_mount(mount: &impl AsRawFd, attributes: u64, propagation: u64, recursive: bool) -> io::Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        userns: u64,
    }
    const AT_RECURSIVE: libc::c_int = 0x8000;
    let attr = MountAttr { set: attributes, clear: 0, propagation, userns: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant, `attr` of the stated size; both outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}
