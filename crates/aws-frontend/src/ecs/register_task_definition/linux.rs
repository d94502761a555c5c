//! Validation of what only Linux knows: capabilities, devices, tmpfs, swap, ulimits, sysctls and security options.

use super::validate::{Check, ensure, invalid};
use super::volumes::is_absolute;
use aws_api::ecs::{ContainerDefinition, LinuxParameters, TaskDefinition, Tmpfs};
use std::collections::BTreeSet;

/// ECS API, KernelCapabilities.
const CAPABILITIES: &str = "ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER \
    FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE \
    NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT \
    SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM";

/// ECS API, Tmpfs.
const TMPFS_FLAGS: &str = "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime \
    noatime diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime \
    norelatime strictatime nostrictatime";
/// ECS API, Tmpfs: the options that take a value after `=`.
const TMPFS_VALUES: &str = "mode uid gid nr_inodes nr_blocks mpol";

/// Docker: the sysctls of the IPC namespace, besides fs.mqueue.*.
const IPC_SYSCTLS: &str = "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax \
    kernel.shmmni kernel.shm_rmid_forced";

fn is_one_of(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

pub(super) fn container(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    if let Some(parameters) = &container.linux_parameters {
        linux_parameters(container, parameters)?;
    }
    ulimits(container)?;
    system_controls(definition, container)?;
    security_options(container)
}

fn linux_parameters(container: &ContainerDefinition, parameters: &LinuxParameters) -> Check {
    let capabilities = parameters.capabilities.iter().flat_map(|c| c.add.iter().chain(&c.drop).flatten());
    for capability in capabilities {
        ensure(is_one_of(CAPABILITIES, capability), || {
            invalid(
                container,
                format!("'{capability}' is not a Linux capability; write it without CAP_, such as NET_ADMIN."),
            )
        })?;
    }
    for device in parameters.devices.iter().flatten() {
        let (host, inside) = (device.host_path.as_deref().unwrap_or_default(), device.container_path.as_deref());
        ensure(is_absolute(host) && inside.is_none_or(is_absolute), || {
            invalid(container, format!("The paths of the device '{host}' must be absolute."))
        })?;
    }
    ensure(parameters.shared_memory_size.is_none_or(|mib| mib > 0), || {
        invalid(container, "'sharedMemorySize' must be at least 1 MiB.")
    })?;
    for tmpfs in parameters.tmpfs.iter().flatten() {
        tmpfs_mount(container, tmpfs)?;
    }
    ensure(parameters.max_swap.is_none_or(|mib| mib >= 0), || invalid(container, "'maxSwap' must not be negative."))?;
    ensure(parameters.swappiness.is_none_or(|s| (0..=100).contains(&s)), || {
        invalid(container, "'swappiness' must be from 0 to 100.")
    })
}

fn tmpfs_mount(container: &ContainerDefinition, tmpfs: &Tmpfs) -> Check {
    let path = tmpfs.container_path.as_deref().unwrap_or_default();
    ensure(is_absolute(path), || invalid(container, format!("The tmpfs path '{path}' must be absolute.")))?;
    ensure(tmpfs.size.is_some_and(|mib| mib > 0), || {
        invalid(container, format!("The size of the tmpfs '{path}' must be at least 1 MiB."))
    })?;
    for option in tmpfs.mount_options.iter().flatten() {
        let fine = match option.split_once('=') {
            Some((key, value)) => is_one_of(TMPFS_VALUES, key) && !value.is_empty(),
            None => is_one_of(TMPFS_FLAGS, option),
        };
        ensure(fine, || invalid(container, format!("'{option}' is not a mount option of the tmpfs '{path}'.")))?;
    }
    Ok(())
}

fn ulimits(container: &ContainerDefinition) -> Check {
    let mut names = BTreeSet::new();
    for ulimit in container.ulimits.iter().flatten() {
        let kind = ulimit.name.as_deref().unwrap_or_default();
        ensure(names.insert(kind), || invalid(container, format!("The ulimit '{kind}' is given twice.")))?;
        let (soft, hard) = (ulimit.soft_limit.unwrap_or(0), ulimit.hard_limit.unwrap_or(0));
        ensure(soft >= -1 && hard >= -1, || {
            invalid(container, format!("The ulimit '{kind}' must not be negative; -1 is unlimited."))
        })?;
        ensure(hard == -1 || (soft != -1 && soft <= hard), || {
            invalid(container, format!("Soft limit exceeds hard limit for ulimit {kind}."))
        })?;
    }
    Ok(())
}

/// ECS API, SystemControl.
fn system_controls(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    let mut names = BTreeSet::new();
    for control in container.system_controls.iter().flatten() {
        let key = control.namespace.as_deref().unwrap_or_default();
        let net =
            key.starts_with("net.") && !key.contains(char::is_whitespace) && !key.contains("..") && !key.contains('/');
        let ipc = is_one_of(IPC_SYSCTLS, key)
            || key.strip_prefix("fs.mqueue.").is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '.']));
        ensure(net || ipc, || {
            invalid(
                container,
                format!(
                    "'{key}' is not a system control of a container (net.*, fs.mqueue.*, kernel.sem, kernel.msg…, kernel.shm…)."
                ),
            )
        })?;
        ensure(control.value.as_deref().is_some_and(|v| !v.is_empty()), || {
            invalid(container, format!("The system control '{key}' needs a value."))
        })?;
        ensure(names.insert(key), || invalid(container, format!("The system control '{key}' is given twice.")))?;
        ensure(!(net && definition.network_mode.as_deref() == Some("host")), || {
            invalid(container, format!("The system control '{key}' is not supported when networkMode=host."))
        })?;
        ensure(!(ipc && definition.ipc_mode.as_deref() == Some("host")), || {
            invalid(container, format!("The system control '{key}' is not supported when ipcMode=host."))
        })?;
    }
    Ok(())
}

fn security_options(container: &ContainerDefinition) -> Check {
    for option in container.docker_security_options.iter().flatten() {
        let (kind, value) = option.split_once([':', '=']).unwrap_or((option, ""));
        let fine = match kind {
            "no-new-privileges" => matches!(value, "" | "true" | "false"),
            "apparmor" | "label" | "credentialspec" | "seccomp" => !value.is_empty(),
            _ => false,
        };
        ensure(fine, || {
            invalid(
                container,
                format!(
                    "'{option}' is not a Docker security option (no-new-privileges, seccomp:…, apparmor:…, label:…)."
                ),
            )
        })?;
    }
    Ok(())
}
