//! Kernel parameters of a container's own namespaces, written through a procfs that only we can see.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use crate::failure::{Stage, StartError};
use crate::sys::fs;

/// Which namespaces are not the host's; parameters of others would change the host.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub net: bool,
    pub ipc: bool,
}

/// Writes each parameter.
///
/// # Errors
/// [`StartError`]: a parameter of the host, an unknown one, or a value that the kernel refuses.
pub fn write(proc: &impl AsRawFd, sysctls: &[(String, String)], scope: Scope) -> Result<(), StartError> {
    for (name, value) in sysctls {
        let path = allowed(name, scope)?;
        let rules = fs::BENEATH | fs::NO_SYMLINKS | fs::NO_XDEV;
        let file = fs::openat2(proc, format!("sys/{path}"), libc::O_WRONLY, rules)
            .stage("sysctl", || format!("kernel parameter `{name}` cannot be opened"))?;
        File::from(file)
            .write_all(value.as_bytes())
            .stage("sysctl", || format!("kernel parameter `{name}` cannot be set to `{value}`"))?;
    }
    Ok(())
}

/// The path of a parameter that belongs to one of the namespaces.
fn allowed(name: &str, scope: Scope) -> Result<String, StartError> {
    let refuse = |why: &str| Err(StartError::invalid("sysctl", format!("kernel parameter `{name}` {why}")));
    // In `net.ipv4.conf.eth0/1.x` a slash stands for a dot in a name, as in sysctl(8).
    let path: String = name
        .chars()
        .map(|c| {
            if c == '.' {
                '/'
            } else if c == '/' {
                '.'
            } else {
                c
            }
        })
        .collect();
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("is not a name");
    }
    const IPC: [&str; 8] = [
        "kernel/msgmax",
        "kernel/msgmnb",
        "kernel/msgmni",
        "kernel/sem",
        "kernel/shmall",
        "kernel/shmmax",
        "kernel/shmmni",
        "kernel/shm_rmid_forced",
    ];
    let is_ipc = IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/");
    match (path.starts_with("net/"), is_ipc) {
        (true, _) if scope.net => Ok(path),
        (true, _) => refuse("is the host's here: the container shares the host's network"),
        (_, true) if scope.ipc => Ok(path),
        (_, true) => refuse("is the host's here: the container shares the host's IPC"),
        _ => refuse("belongs to the whole host, not to a container"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Scope = Scope { net: true, ipc: true };

    #[test]
    fn only_parameters_of_own_namespaces_are_allowed() {
        assert_eq!(allowed("net.core.somaxconn", OWN).unwrap(), "net/core/somaxconn");
        assert_eq!(allowed("net.ipv4.conf.eth0/5.rp_filter", OWN).unwrap(), "net/ipv4/conf/eth0.5/rp_filter");
        assert!(allowed("kernel.shmmax", OWN).is_ok());
        assert!(allowed("kernel.core_pattern", OWN).is_err());
        assert!(allowed("net.core.somaxconn", Scope { net: false, ipc: true }).is_err());
        assert!(allowed("fs.mqueue.msg_max", Scope { net: true, ipc: false }).is_err());
    }

    #[test]
    fn names_that_climb_are_refused() {
        for bad in ["net....kernel.core_pattern", "net.//.x", "", "net."] {
            assert!(allowed(bad, OWN).is_err(), "{bad}");
        }
    }
}
