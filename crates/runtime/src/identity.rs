//! Becoming the container's user: ids, capabilities, limits, death signal and filter, in the one order that is safe.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::caps::{self, Set};
use crate::failure::{Stage, StartError};
use crate::spec::{Rlimit, Seccomp, Security};
use crate::sys::{check, process};
use crate::user::Identity;
use crate::{rlimit, seccomp};

/// Everything that a process gives up or takes on before it runs foreign code.
#[derive(Debug)]
pub struct Change<'a> {
    pub identity: &'a Identity,
    pub capabilities: Set,
    pub security: &'a Security,
    pub rlimits: &'a [Rlimit],
    /// The supervisor, as a descriptor: with it this process must end.
    pub supervisor: &'a OwnedFd,
}

/// Makes the change. Afterwards nothing privileged is left to do.
///
/// # Errors
/// [`StartError`] naming the step.
pub fn change(to: &Change<'_>) -> Result<(), StartError> {
    let Identity { uid, gid, groups, .. } = to.identity;
    new_session_keyring().stage("keyring", || "a session keyring of its own cannot be made".into())?;
    for limit in to.rlimits {
        rlimit::set(limit)?;
    }
    let filtered = to.security.seccomp == Seccomp::Default && !to.security.privileged;
    // Loading a filter takes no_new_privs or CAP_SYS_ADMIN: the latter stays until the filter is in.
    let loader = if filtered && !to.security.no_new_privs { caps::SYS_ADMIN } else { 0 };
    caps::bound(to.capabilities).stage("capabilities", || "the bounding set cannot be narrowed".into())?;
    process::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0).stage("user", || "capabilities cannot be kept".into())?;
    let what = || format!("the process cannot become user {uid}, group {gid}");
    // SAFETY: the groups' pointer and length are those of a live vector; the others pass numbers. The raw calls change
    // this one thread, which is the only one.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr())).stage("user", what)?;
        check(libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid)).stage("user", what)?;
        check(libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid)).stage("user", what)?;
    }
    let narrow = |set| caps::set(set).stage("capabilities", || "the capabilities cannot be set".into());
    narrow(to.capabilities | loader)?;
    // Set only now: a change of user clears it.
    die_with(to.supervisor)?;
    if to.security.no_new_privs {
        process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0)
            .stage("capabilities", || "no_new_privs cannot be set".into())?;
    }
    if filtered {
        seccomp::load(&seccomp::filter(to.capabilities))
            .stage("seccomp", || "the system call filter cannot be loaded".into())?;
    }
    // The filter allows giving up the loader's right.
    narrow(to.capabilities)
}

/// SIGKILL to this process when the supervisor ends; and now, if it has ended already.
///
/// # Errors
/// [`StartError`] when it has.
pub fn die_with(supervisor: &OwnedFd) -> Result<(), StartError> {
    process::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0, 0)
        .stage("supervisor", || "the death signal cannot be set".into())?;
    let mut wait = [libc::pollfd { fd: supervisor.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    match process::poll(&mut wait, 0) {
        Ok(0) => Ok(()),
        _ => Err(StartError::conflict("supervisor", "the supervisor has ended")),
    }
}

/// Keys of the host's session, and of sibling containers', stay out of reach.
fn new_session_keyring() -> std::io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring.
    let joined = check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) });
    match joined {
        // A kernel without keys has none to protect.
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        other => other.map(drop),
    }
}
