//! Reads of a group: use of cpu, memory and pids, and whether memory ran out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use super::{Group, Kind};
use crate::protocol::Stats;
use crate::sys::owned;

/// v1 says "no limit" with a huge number just below 2^63.
const V1_UNLIMITED: u64 = 1 << 62;

fn number(dir: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok()
}

fn keyed(dir: &Path, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(dir.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

impl Group {
    fn is_v2(&self, controller: &str) -> bool {
        self.host().controller(controller).is_some_and(|h| matches!(h.kind, Kind::V2(_)))
    }

    /// What the group uses now; a file that is not there reads as 0.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        if let Some(dir) = self.controller_dir("cpuacct") {
            stats.cpu_ns = number(&dir, "cpuacct.usage").unwrap_or(0);
        } else if let Some(dir) = self.unified_dir() {
            stats.cpu_ns = keyed(&dir, "cpu.stat", "usage_usec").unwrap_or(0) * 1000;
        }
        if let Some(dir) = self.controller_dir("memory") {
            let (usage, limit, peak, cache) = if self.is_v2("memory") {
                ("memory.current", "memory.max", "memory.peak", "inactive_file")
            } else {
                ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "total_inactive_file")
            };
            stats.memory_bytes = number(&dir, usage).unwrap_or(0);
            stats.memory_limit_bytes = number(&dir, limit).filter(|bytes| *bytes < V1_UNLIMITED);
            stats.memory_max_seen_bytes = number(&dir, peak).unwrap_or(0);
            stats.memory_inactive_file_bytes = keyed(&dir, "memory.stat", cache).unwrap_or(0);
        }
        if let Some(dir) = self.controller_dir("pids") {
            stats.pids = number(&dir, "pids.current").unwrap_or(0);
        }
        stats
    }

    /// How many of its processes the kernel has killed for want of memory; `None` where it does not count (before 4.13).
    pub fn oom_kills(&self) -> Option<u64> {
        let dir = self.controller_dir("memory")?;
        keyed(&dir, if self.is_v2("memory") { "memory.events" } else { "memory.oom_control" }, "oom_kill")
    }

    /// v1: a descriptor that counts the times the group ran out of memory. v2 needs none.
    ///
    /// # Errors
    /// The kernel's.
    pub fn oom_events(&self) -> io::Result<Option<OwnedFd>> {
        let Some(dir) = self.controller_dir("memory").filter(|_| !self.is_v2("memory")) else { return Ok(None) };
        let control = File::open(dir.join("memory.oom_control"))?;
        // SAFETY: no memory is passed.
        let event = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }.into())?;
        let mut register = OpenOptions::new().write(true).open(dir.join("cgroup.event_control"))?;
        io::Write::write_all(&mut register, format!("{} {}", event.as_raw_fd(), control.as_raw_fd()).as_bytes())?;
        Ok(Some(event))
    }
}

/// Whether the group of these two lost a process to want of memory.
///
/// The counter decides where there is one, as the event also comes to groups that shared a parent's shortage unharmed.
pub fn was_oom_killed(group: &Group, events: Option<&OwnedFd>) -> bool {
    group.oom_kills().map_or_else(
        || {
            let Some(copy) = events.and_then(|fd| fd.try_clone().ok()) else { return false };
            let mut count = [0; 8];
            File::from(copy).read_exact(&mut count).is_ok() && u64::from_ne_bytes(count) > 0
        },
        |kills| kills > 0,
    )
}
