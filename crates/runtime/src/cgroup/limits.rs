//! Turns limits into the writes that put them into force; the plan is pure, so v2 is proved by transcripts on v1 hosts.

use std::fs;
use std::io;

use super::{CgroupError, Group, Host, Kind, failed};
use crate::spec::Limits;

/// One value for one file of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The controller whose hierarchy holds the file.
    pub controller: &'static str,
    pub file: &'static str,
    pub value: String,
}

const DEFAULT_PERIOD_US: u64 = 100_000;

/// The writes for `limits` on this host, in order.
///
/// # Errors
/// [`CgroupError::NoController`] when a limit cannot be kept here at all: better no container than an unlimited one.
pub fn plan(host: &Host, limits: &Limits) -> Result<Vec<Write>, CgroupError> {
    let mut writes = Vec::new();
    let mut put = |controller, file, value: String| writes.push(Write { controller, file, value });
    let is_v2 = |controller| -> Result<bool, CgroupError> {
        let hierarchy = host.controller(controller).ok_or(CgroupError::NoController(controller))?;
        Ok(matches!(hierarchy.kind, Kind::V2(_)))
    };
    if let Some(shares) = limits.cpu_shares {
        let shares = shares.clamp(2, 262_144);
        if is_v2("cpu")? {
            put("cpu", "cpu.weight", weight_of(shares).to_string());
        } else {
            put("cpu", "cpu.shares", shares.to_string());
        }
    }
    if let Some(quota) = limits.cpu_quota_us {
        let period = limits.cpu_period_us.unwrap_or(DEFAULT_PERIOD_US);
        if is_v2("cpu")? {
            put("cpu", "cpu.max", format!("{quota} {period}"));
        } else {
            put("cpu", "cpu.cfs_period_us", period.to_string());
            put("cpu", "cpu.cfs_quota_us", quota.to_string());
        }
    }
    let v2_memory = || is_v2("memory");
    if let Some(bytes) = limits.memory_bytes {
        put("memory", if v2_memory()? { "memory.max" } else { "memory.limit_in_bytes" }, bytes.to_string());
    }
    if let Some(bytes) = limits.memory_reservation_bytes {
        put("memory", if v2_memory()? { "memory.low" } else { "memory.soft_limit_in_bytes" }, bytes.to_string());
    }
    if let Some(swap) = limits.swap_bytes {
        if v2_memory()? {
            put("memory", "memory.swap.max", swap.to_string());
        } else if let Some(bytes) = limits.memory_bytes {
            // v1 counts memory and swap together, and only a memory limit gives it a base.
            put("memory", "memory.memsw.limit_in_bytes", bytes.saturating_add(swap).to_string());
        }
    }
    if let Some(swappiness) = limits.swappiness
        && !v2_memory()?
    {
        put("memory", "memory.swappiness", swappiness.min(100).to_string());
    }
    if let Some(pids) = limits.pids {
        is_v2("pids")?;
        put("pids", "pids.max", pids.to_string());
    }
    Ok(writes)
}

/// v1 shares (2 to 262144) on v2's scale (1 to 10000): the linear rule of the Kubernetes cgroup v2 KEP-2254.
fn weight_of(shares: u64) -> u64 {
    1 + (shares - 2) * 9999 / 262_142
}

/// Plans and writes.
///
/// # Errors
/// [`CgroupError`]; which file refused which value.
pub fn apply(group: &Group, limits: &Limits) -> Result<(), CgroupError> {
    let mut again = Vec::new();
    for write in plan(group.host(), limits)? {
        // Memory and memory + swap bound each other: when raised, the first may only follow the second.
        match put(group, &write) {
            Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => again.push(write),
            other => other?,
        }
    }
    again.iter().try_for_each(|write| put(group, write))
}

fn put(group: &Group, write: &Write) -> Result<(), CgroupError> {
    let dir = group.controller_dir(write.controller).ok_or(CgroupError::NoController(write.controller))?;
    let path = dir.join(write.file);
    match fs::write(&path, &write.value) {
        // A kernel without swap accounting has no such file, and without swap there is nothing to bound.
        Err(e) if e.kind() == io::ErrorKind::NotFound && write.file.contains("sw") => Ok(()),
        other => other.map_err(failed(&path, format!("set to {}", write.value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn transcript(mountinfo: &str, v2: &str, limits: &Limits) -> String {
        let host = Host::from_mounts(mountinfo, |_| v2.to_owned()).unwrap();
        plan(&host, limits).unwrap().iter().fold(String::new(), |mut text, write| {
            writeln!(text, "{} = {}", write.file, write.value).unwrap();
            text
        })
    }

    const V1: &str = "\
1 0 0:1 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct
2 0 0:2 / /c/memory rw - cgroup cgroup rw,memory
3 0 0:3 / /c/pids rw - cgroup cgroup rw,pids
";
    const V2: &str = "1 0 0:1 / /c rw - cgroup2 cgroup2 rw\n";

    fn everything() -> Limits {
        Limits {
            cpu_shares: Some(1024),
            cpu_quota_us: Some(50_000),
            cpu_period_us: None,
            memory_bytes: Some(64 << 20),
            memory_reservation_bytes: Some(32 << 20),
            swap_bytes: Some(0),
            swappiness: Some(10),
            pids: Some(99),
        }
    }

    #[test]
    fn v1_gets_every_limit_in_its_own_words() {
        assert_eq!(
            transcript(V1, "", &everything()),
            "cpu.shares = 1024\ncpu.cfs_period_us = 100000\ncpu.cfs_quota_us = 50000\n\
             memory.limit_in_bytes = 67108864\nmemory.soft_limit_in_bytes = 33554432\n\
             memory.memsw.limit_in_bytes = 67108864\nmemory.swappiness = 10\npids.max = 99\n"
        );
    }

    #[test]
    fn v2_gets_every_limit_it_knows() {
        println!("untested on this host unless it is pure v2: these writes against a real kernel");
        assert_eq!(
            transcript(V2, "cpu memory pids", &everything()),
            "cpu.weight = 39\ncpu.max = 50000 100000\nmemory.max = 67108864\nmemory.low = 33554432\n\
             memory.swap.max = 0\npids.max = 99\n"
        );
    }

    #[test]
    fn shares_keep_their_ends_on_the_v2_scale() {
        assert_eq!((weight_of(2), weight_of(262_144)), (1, 10_000));
    }

    #[test]
    fn a_limit_that_the_host_cannot_keep_is_an_error() {
        let host = Host::from_mounts(V2, |_| "hugetlb".to_owned()).unwrap();
        let limits = Limits { memory_bytes: Some(1), ..Limits::default() };
        assert!(matches!(plan(&host, &limits), Err(CgroupError::NoController("memory"))));
    }

    #[test]
    fn no_limit_writes_nothing() {
        assert_eq!(transcript(V1, "", &Limits::default()), "");
    }
}
