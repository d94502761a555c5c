//! Ends every process of a group, from inside the supervisor or without one; and removes what they leave.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{CgroupError, Group, Host, failed};
use crate::sys::process;

/// The processes in a group's folder and in those below it.
pub(super) fn processes(dir: &Path) -> Vec<i32> {
    let mut found: Vec<i32> = fs::read_to_string(dir.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid > 0)
        .collect();
    for below in subfolders(dir) {
        found.extend(processes(&below));
    }
    found
}

fn subfolders(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

impl Group {
    /// SIGKILL to all its processes and those of the groups below; returns without waiting for their end.
    ///
    /// # Errors
    /// [`CgroupError::Io`]; a group that is gone holds nobody.
    pub fn kill(&self) -> Result<(), CgroupError> {
        if let Some(dir) = self.unified_dir() {
            let path = dir.join("cgroup.kill");
            match fs::write(&path, "1") {
                Ok(()) => return Ok(()),
                // No such group, or a kernel before 5.14: then one by one.
                Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EACCES | libc::EOPNOTSUPP)) => {}
                Err(e) => return Err(failed(&path, "written")(e)),
            }
        }
        self.kill_one_by_one();
        Ok(())
    }

    /// Freezes where it can, so that nothing forks away between listing and killing, and repeats until nobody is new.
    fn kill_one_by_one(&self) {
        let freezers = [
            (self.unified_dir(), "cgroup.freeze", "1", "0"),
            (self.controller_dir("freezer"), "freezer.state", "FROZEN", "THAWED"),
        ];
        let set = |frozen: bool| {
            for (dir, file, on, off) in &freezers {
                if let Some(dir) = dir {
                    // A group that is gone needs no freezing; a kill without it only takes more rounds.
                    let _ = fs::write(dir.join(file), if frozen { on } else { off });
                }
            }
        };
        set(true);
        for _ in 0..100 {
            let found: Vec<i32> = self.dirs().flat_map(|dir| processes(&dir)).collect();
            let signalled = found.iter().filter(|pid| process::kill(**pid, libc::SIGKILL).is_ok()).count();
            set(false);
            if signalled == 0 {
                return;
            }
        }
    }

    /// Kills and waits until nobody is left, by descriptors of the processes; at most `within_ms`.
    ///
    /// # Errors
    /// [`CgroupError::Busy`] when some process did not end in time (stuck in the kernel).
    pub fn kill_and_wait(&self, within_ms: u64) -> Result<(), CgroupError> {
        let deadline = process::monotonic_ms() + within_ms;
        loop {
            let pids: Vec<i32> = self.dirs().flat_map(|dir| processes(&dir)).collect();
            if pids.is_empty() {
                return Ok(());
            }
            let left = deadline.saturating_sub(process::monotonic_ms());
            if left == 0 {
                return Err(CgroupError::Busy(self.dirs().next().unwrap_or_default()));
            }
            let watched: Vec<OwnedFd> = pids.iter().filter_map(|pid| process::pidfd_open(*pid).ok()).collect();
            self.kill()?;
            for fd in &watched {
                let left = deadline.saturating_sub(process::monotonic_ms()).min(1000);
                let mut wait = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
                let _ = process::poll(&mut wait, left as i32);
            }
        }
    }

    /// Removes the group and every group below it, trying again while the kernel still counts ending processes.
    ///
    /// # Errors
    /// [`CgroupError::Busy`] when processes are left after `within_ms`.
    pub fn remove_all(&self, within_ms: u64) -> Result<(), CgroupError> {
        let deadline = process::monotonic_ms() + within_ms;
        for dir in self.dirs() {
            loop {
                match remove_tree(&dir) {
                    Ok(()) => break,
                    Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                        if process::monotonic_ms() >= deadline {
                            return Err(CgroupError::Busy(dir));
                        }
                        let _ = process::poll(&mut [], 1);
                    }
                    Err(e) => return Err(failed(&dir, "removed")(e)),
                }
            }
        }
        Ok(())
    }
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    for below in subfolders(dir) {
        remove_tree(&below)?;
    }
    match fs::remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Ends all processes of a Unit's containers, with or without its supervisor; waits at most `within_ms`.
///
/// # Errors
/// [`CgroupError`].
pub fn kill_unit(instance: &str, unit: &str, within_ms: u64) -> Result<(), CgroupError> {
    Host::probe()?.unit(instance, unit)?.kill_and_wait(within_ms)
}

/// Removes a Unit's groups after [`kill_unit`]; for Units whose supervisor is gone.
///
/// # Errors
/// [`CgroupError`].
pub fn remove_unit(instance: &str, unit: &str, within_ms: u64) -> Result<(), CgroupError> {
    Host::probe()?.unit(instance, unit)?.remove_all(within_ms)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::process::Command;

    /// Kills a small family in a group of the given hierarchies and removes what is left.
    fn killed_in(host: Host, name: &str) {
        let unit = host.unit(&format!("kill-{}-{name}", std::process::id()), "u").unwrap();
        unit.create().unwrap();
        let group = unit.child("c").unwrap();
        group.create().unwrap();
        let joins: Vec<String> = group.dirs().map(|dir| format!("echo $$ > {}/cgroup.procs", dir.display())).collect();
        let script = format!("{} && sleep 60 & sleep 60", joins.join(" && "));
        let script = format!("{} && {{ {script}; }}", joins.join(" && "));
        let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        let deadline = process::monotonic_ms() + 5000;
        while group.dirs().flat_map(|dir| processes(&dir)).count() < 2 && process::monotonic_ms() < deadline {
            let _ = process::poll(&mut [], 1);
        }
        // Nobody reaps the orphan but init, so emptiness is what counts, not a vanished pid.
        unit.kill_and_wait(5000).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!group.is_populated());
        unit.remove_all(5000).unwrap();
        assert!(unit.dirs().all(|dir| !dir.exists()));
        for dir in unit.dirs() {
            std::fs::remove_dir(dir.parent().unwrap()).unwrap();
        }
    }

    fn only(keep: impl Fn(&Kind) -> bool) -> Option<Host> {
        let mut host = Host::probe().unwrap();
        host.hierarchies.retain(|h| keep(&h.kind));
        (!host.hierarchies.is_empty()).then_some(host)
    }

    #[test]
    fn a_group_is_killed_as_this_host_does_it() {
        killed_in(Host::probe().unwrap(), "host");
    }

    #[test]
    fn a_group_is_killed_where_only_v1_is() {
        match only(|kind| matches!(kind, Kind::V1(_))) {
            Some(host) => killed_in(host, "v1"),
            None => println!("untested: this host has no v1"),
        }
    }

    #[test]
    fn a_group_is_killed_where_only_v2_is() {
        match only(|kind| matches!(kind, Kind::V2(_))) {
            Some(host) => killed_in(host, "v2"),
            None => println!("untested: this host has no v2"),
        }
    }
}
