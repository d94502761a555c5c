//! Processes and namespaces: clone, wait, signals, descriptors of processes; no policy.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{check, owned, retry};

/// What `clone3` reads (first version plus `set_tid` and `cgroup`).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which of the two a clone returns as.
#[derive(Debug)]
pub enum Cloned {
    Parent { pid: i32, pidfd: OwnedFd },
    Child,
}

/// Makes a child with a copy of this address space, in new namespaces (`CLONE_NEW…` flags) and a v2 control group.
///
/// # Errors
/// The kernel's: `EAGAIN` at a process limit, `ENOMEM` when a joined PID namespace has ended, `ENOSYS` before Linux 5.7.
///
/// # Safety
/// The caller must be single-threaded: the child may then use all of the copied memory, locks and allocator included.
pub unsafe fn clone(namespaces: libc::c_int, cgroup: Option<&OwnedFd>) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: namespaces as u64 | CLONE_PIDFD,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(group) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: `args` and `pidfd` live across the call; no stack is given, so the child goes on with a copy of this one.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) })? as i32;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    Ok(Cloned::Parent { pid, pidfd: owned(pidfd.into())? })
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

/// Reaps one ended child; `None` when none has ended. `pid` -1 means any.
///
/// # Errors
/// `ECHILD` when there is no such child.
pub fn reap(pid: i32) -> io::Result<Option<(i32, Ended)>> {
    wait(pid, libc::WNOHANG)
}

/// Waits for one child.
///
/// # Errors
/// `ECHILD` when there is no such child.
pub fn wait_for(pid: i32) -> io::Result<Ended> {
    wait(pid, 0)?.map(|(_, ended)| ended).ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))
}

fn wait(pid: i32, flags: libc::c_int) -> io::Result<Option<(i32, Ended)>> {
    let mut status = 0;
    // SAFETY: `status` is the one number that the call writes. __WALL: children of any exit signal.
    let reaped = retry(|| check(unsafe { libc::waitpid(pid, &raw mut status, flags | libc::__WALL) }.into()))? as i32;
    if reaped == 0 {
        return Ok(None);
    }
    let ended = if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else {
        Ended::Code(libc::WEXITSTATUS(status))
    };
    Ok(Some((reaped, ended)))
}

/// A descriptor of a process, readable once it has ended.
///
/// # Errors
/// `ESRCH` when there is no such process.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Sends a signal to the very process behind the descriptor.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` for a number that is no signal.
pub fn pidfd_signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks the kernel to fill in its own.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) }).map(drop)
}

/// Sends a signal to a process that is known to be alive: a member of a frozen or our own group.
///
/// # Errors
/// `ESRCH` when it has ended.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Moves this thread (for PID: its future children) into a namespace.
///
/// # Errors
/// The kernel's.
pub fn setns(namespace: &OwnedFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kind) }.into()).map(drop)
}

/// Gives this thread fresh namespaces.
///
/// # Errors
/// The kernel's.
pub fn unshare(kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::unshare(kinds) }.into()).map(drop)
}

/// One `prctl` whose arguments are plain numbers.
pub(crate) fn prctl(option: libc::c_int, a: u64, b: u64, c: u64) -> io::Result<libc::c_long> {
    // SAFETY: callers use only options that take numbers; the kernel follows no pointer.
    check(unsafe { libc::prctl(option, a, b, c, 0_u64) }.into())
}

/// Makes this process adopt orphaned descendants.
///
/// # Errors
/// The kernel's.
pub fn become_subreaper() -> io::Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0).map(drop)
}

/// Hides this process's memory, descriptors and links from others that lack `CAP_SYS_PTRACE`.
///
/// # Errors
/// The kernel's.
pub fn become_undumpable() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0, 0, 0).map(drop)
}

/// A new session without a terminal.
///
/// # Errors
/// `EPERM` when this process leads a group.
pub fn setsid() -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// Gives every signal its default disposition and blocks none.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid handler; SIGKILL, SIGSTOP and libc's own are refused, which is what we want.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an emptied set is initialised before use.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ignores signals; a child must reset them.
pub fn ignore_signals(signals: &[i32]) {
    for signal in signals {
        // SAFETY: SIG_IGN is a valid handler.
        unsafe { libc::signal(*signal, libc::SIG_IGN) };
    }
}

/// Sets the name that `ps` shows, at most 15 bytes.
pub fn set_name(name: &std::ffi::CStr) {
    // SAFETY: PR_SET_NAME reads a NUL-terminated string, which outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Blocks a signal and returns a non-blocking descriptor that reads it.
///
/// # Errors
/// The kernel's.
pub fn signalfd(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is emptied before use and lives across both calls.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()).into())?;
        owned(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).into())
    }
}

/// Closes every descriptor above 2 but those listed.
///
/// # Safety
/// Nothing that still owns one of the closed descriptors may be used or dropped afterwards.
pub unsafe fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter(|fd| **fd > 2).map(|fd| *fd as u32).collect();
    keep.sort_unstable();
    let mut from = 3_u32;
    for kept in keep.into_iter().chain([u32::MAX]) {
        if kept > from {
            let to = if kept == u32::MAX { kept } else { kept - 1 };
            // SAFETY: the caller vouches for the owners.
            check(unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) })?;
        }
        from = kept.saturating_add(1);
    }
    Ok(())
}

/// Marks every descriptor from `first` on close-on-exec.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: closes nothing now, only marks.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Ends this process at once, without destructors or handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: never returns.
    unsafe { libc::_exit(code) }
}

/// Seconds since 1970 and nanoseconds within the second, from the wall clock.
pub fn wall_clock() -> (u64, u32) {
    let now = clock(libc::CLOCK_REALTIME);
    (now.tv_sec as u64, now.tv_nsec as u32)
}

/// Milliseconds since 1970, from the wall clock.
pub fn unix_ms() -> u64 {
    let (seconds, nanos) = wall_clock();
    seconds * 1000 + u64::from(nanos) / 1_000_000
}

/// Milliseconds of a clock that never jumps.
pub fn monotonic_ms() -> u64 {
    let now = clock(libc::CLOCK_MONOTONIC);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

fn clock(id: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is the one struct that the call writes; both clocks always exist.
    unsafe { libc::clock_gettime(id, &raw mut now) };
    now
}

/// Waits until a descriptor is ready or the time is over; `revents` are filled in. A negative timeout waits for ever.
///
/// # Errors
/// The kernel's; an interrupting signal counts as nothing ready.
pub fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<usize> {
    // SAFETY: the slice gives the array and its true length.
    match check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) }.into()) {
        Ok(ready) => Ok(ready as usize),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(0)
        }
        Err(e) => Err(e),
    }
}
