//! Capabilities: names, the set a container gets, and putting all five sets of the thread into force.

use std::io;

use crate::failure::StartError;
use crate::spec::Security;
use crate::sys::{check, process};

/// A set of capabilities, one bit each, as the kernel numbers them.
pub type Set = u64;

/// Names by number (`linux/capability.h`).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What Docker grants when nothing else is said.
const DEFAULTS: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Needed to load a system call filter without `no_new_privs`.
pub const SYS_ADMIN: Set = 1 << 21;

/// The bit of a name, with or without `CAP_`, in any case.
pub fn bit(name: &str) -> Option<Set> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == bare).map(|at| 1 << at)
}

/// The set a container gets, of those this process can give.
///
/// # Errors
/// [`StartError`]: an unknown name, or an added one that the host does not give to Bayplan itself.
pub fn wanted(security: &Security, available: Set) -> Result<Set, StartError> {
    let named = |name: &String| {
        bit(name).ok_or_else(|| StartError::invalid("capabilities", format!("there is no capability `{name}`")))
    };
    if security.privileged {
        return Ok(available);
    }
    let is_all = |name: &&String| name.eq_ignore_ascii_case("ALL");
    let add_all = security.cap_add.iter().any(|n| is_all(&n));
    let drop_all = security.cap_drop.iter().any(|n| is_all(&n));
    let defaults = DEFAULTS.iter().filter_map(|name| bit(name)).fold(0, |set, bit| set | bit);
    let mut set = match (add_all, drop_all) {
        (true, _) => available,
        (false, true) => 0,
        (false, false) => defaults & available,
    };
    for name in security.cap_drop.iter().filter(|n| !is_all(n)) {
        set &= !named(name)?;
    }
    for name in security.cap_add.iter().filter(|n| !is_all(n)) {
        let bit = named(name)?;
        if available & bit == 0 {
            let what = format!("capability `{name}` cannot be added: Bayplan itself runs without it on this host");
            return Err(StartError::invalid("capabilities", what));
        }
        set |= bit;
    }
    Ok(set)
}

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Words {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// The capabilities this thread may use.
///
/// # Errors
/// The kernel's.
pub fn permitted() -> io::Result<Set> {
    let header = Header { version: VERSION_3, pid: 0 };
    let mut words = [Words::default(); 2];
    // SAFETY: version 3 reads the header and writes two words, which live across the call.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, words.as_mut_ptr()) })?;
    Ok(u64::from(words[0].permitted) | u64::from(words[1].permitted) << 32)
}

/// Makes `set` the thread's permitted and effective capabilities, with nothing inheritable.
///
/// # Errors
/// `EPERM` when it would add one.
pub fn set(set: Set) -> io::Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let word = |half: u32| Words { effective: half, permitted: half, inheritable: 0 };
    let words = [word(set as u32), word((set >> 32) as u32)];
    // SAFETY: version 3 reads the header and two words, which live across the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) }).map(drop)
}

/// Empties the ambient set and takes everything outside `set` from the bounding set.
///
/// # Errors
/// `EPERM` without `CAP_SETPCAP`.
pub fn bound(set: Set) -> io::Result<()> {
    process::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0, 0)?;
    for number in 0..64 {
        match process::prctl(libc::PR_CAPBSET_READ, number, 0, 0) {
            Ok(1) if set & 1 << number == 0 => drop(process::prctl(libc::PR_CAPBSET_DROP, number, 0, 0)?),
            Ok(_) => {}
            // The first number that the kernel does not know.
            Err(_) => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Set = (1 << 41) - 1;

    fn of(add: &[&str], drop: &[&str]) -> Result<Set, StartError> {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        wanted(&Security { cap_add: own(add), cap_drop: own(drop), ..Security::default() }, ALL)
    }

    #[test]
    fn the_default_is_dockers_fourteen() {
        assert_eq!(of(&[], &[]).unwrap(), 0xa804_25fb);
    }

    #[test]
    fn names_are_added_and_dropped() {
        let set = of(&["CAP_SYS_PTRACE"], &["net_raw"]).unwrap();
        assert_eq!(set, (0xa804_25fb | bit("SYS_PTRACE").unwrap()) & !bit("NET_RAW").unwrap());
    }

    #[test]
    fn all_may_be_dropped_but_for_what_is_added() {
        assert_eq!(of(&["KILL"], &["ALL"]).unwrap(), bit("KILL").unwrap());
        assert_eq!(of(&["ALL"], &["KILL"]).unwrap(), ALL & !bit("KILL").unwrap());
    }

    #[test]
    fn what_nobody_knows_or_has_is_refused() {
        assert!(of(&["SYS_MAGIC"], &[]).unwrap_err().to_string().contains("SYS_MAGIC"));
        let security = Security { cap_add: vec!["SYS_BOOT".into()], ..Security::default() };
        assert!(wanted(&security, 0xa804_25fb).unwrap_err().to_string().contains("without it"));
    }
}
