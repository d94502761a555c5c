//! What this machine is: read once at start, from the kernel.

use model::{Cpu, Memory, Node, NodeId, Timestamp};
use std::collections::BTreeMap;
use std::{fs, io};

/// Reads the machine. `capacity` overrides what is registered: whole CPU units (1024 a core) and MiB.
pub fn probe(
    id: NodeId,
    version: &str,
    attributes: BTreeMap<String, Option<String>>,
    capacity: (Option<u64>, Option<u64>),
) -> io::Result<Node> {
    let cores = std::thread::available_parallelism()?.get() as u64;
    let (cpu_units, memory_mib) = capacity;
    let memory = match memory_mib {
        Some(mib) => Memory::from_mib(mib),
        None => total_memory()?,
    };
    Ok(Node {
        id,
        hostname: fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned(),
        cpu: cpu_units.map_or(Cpu::from_cores(cores), Cpu::from_ecs_units),
        memory,
        attributes,
        boot_id: boot_id()?,
        agent_version: version.to_owned(),
        registered_at: Timestamp::default(),
        connected: true,
        disconnected_at: None,
        reserved_ports: vec![22],
    })
}

/// The kernel's id of this boot.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// All memory in whole MiB.
fn total_memory() -> io::Result<Memory> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("/proc/meminfo names no MemTotal"))?;
    Ok(Memory::from_mib(kib / 1024))
}
