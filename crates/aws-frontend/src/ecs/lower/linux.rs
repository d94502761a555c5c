//! Linux parameters, ulimits and security options.

use super::non_negative;
use aws_api::ecs::{ContainerDefinition, Device, LinuxParameters, Tmpfs};
use model::Memory;
use model::unit::spec::{Capabilities, DeviceSpec, LinuxSpec, RlimitSpec, TmpfsSpec};

pub(super) fn linux(container: &ContainerDefinition) -> LinuxSpec {
    let Some(parameters) = &container.linux_parameters else { return LinuxSpec::default() };
    let mib = |size: i32| Memory::from_mib(non_negative(size));
    let max_swap = parameters.max_swap.map(mib);
    LinuxSpec {
        capabilities: capabilities(parameters),
        devices: parameters.devices.iter().flatten().filter_map(device).collect(),
        init: parameters.init_process_enabled.unwrap_or(false),
        shm_size: parameters.shared_memory_size.map(mib),
        tmpfs: parameters.tmpfs.iter().flatten().filter_map(tmpfs).collect(),
        // ECS API, LinuxParameters: swappiness counts only with maxSwap.
        swappiness: max_swap.and(parameters.swappiness).and_then(|s| u32::try_from(s).ok()),
        max_swap,
    }
}

fn capabilities(parameters: &LinuxParameters) -> Capabilities {
    let Some(given) = &parameters.capabilities else { return Capabilities::default() };
    Capabilities { add: given.add.clone().unwrap_or_default(), drop: given.drop.clone().unwrap_or_default() }
}

/// ECS API, Device: the same path inside, and every permission, unless said otherwise.
fn device(device: &Device) -> Option<DeviceSpec> {
    let host_path = device.host_path.clone()?;
    let given = device.permissions.as_deref().unwrap_or_default();
    let may = |permission: &str| given.is_empty() || given.iter().any(|p| p == permission);
    Some(DeviceSpec {
        container_path: device.container_path.clone().unwrap_or_else(|| host_path.clone()),
        host_path,
        read: may("read"),
        write: may("write"),
        mknod: may("mknod"),
    })
}

fn tmpfs(tmpfs: &Tmpfs) -> Option<TmpfsSpec> {
    Some(TmpfsSpec {
        path: tmpfs.container_path.clone()?,
        size: Memory::from_mib(non_negative(tmpfs.size?)),
        options: tmpfs.mount_options.clone().unwrap_or_default(),
    })
}

/// Those that are asked for; the number of files that a container may open otherwise is the node's to say.
pub(super) fn rlimits(container: &ContainerDefinition) -> Vec<RlimitSpec> {
    let given = container.ulimits.iter().flatten().filter_map(|u| {
        Some(RlimitSpec { name: u.name.clone()?, soft: i64::from(u.soft_limit?), hard: i64::from(u.hard_limit?) })
    });
    given.collect()
}

/// The options that nodes know, in one spelling: `no-new-privileges` and `seccomp=unconfined`.
pub(super) fn security_options(container: &ContainerDefinition) -> Vec<String> {
    let options = container.docker_security_options.iter().flatten();
    options
        .filter_map(|option| match option.split_once([':', '=']).unwrap_or((option, "")) {
            ("no-new-privileges", "" | "true") => Some("no-new-privileges".to_owned()),
            ("seccomp", "unconfined") => Some("seccomp=unconfined".to_owned()),
            _ => None,
        })
        .collect()
}
