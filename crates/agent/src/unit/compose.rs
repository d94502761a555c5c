//! A model container and its image, turned into what the runtime starts; pure.

use image::ImageConfig;
use model::unit::UnitSpec;
use model::unit::spec::{
    ContainerSpec, DeviceSpec, Input, LogMode, LogSink, NamespaceScope, NetworkMode, RlimitSpec, TmpfsSpec, UnitField,
};
use runtime::spec as rt;
use std::path::{Path, PathBuf};

/// What a container needs besides its own description.
pub(super) struct Place<'a> {
    pub unit: &'a UnitSpec,
    pub uid: &'a str,
    pub address: Option<String>,
    pub node: &'a str,
    pub layers: &'a [PathBuf],
    /// The layer below them.
    pub mountpoints: &'a Path,
    /// Writable layer and its scratch folder, on one file system.
    pub scratch: &'a Path,
    pub log_file: PathBuf,
    pub hostname: String,
    /// Files of the run folder that become /etc/hosts, /etc/resolv.conf and /etc/hostname.
    pub etc: Vec<(PathBuf, &'static str)>,
    /// Volumes, already prepared.
    pub mounts: Vec<rt::Mount>,
    /// The most files that the host lets a process open.
    pub files_max: u64,
    /// What the Unit's role signs with.
    pub credentials: Option<&'a session::Credentials>,
    /// The name of the held namespace, where the container has its own.
    pub held_network: Option<String>,
}

/// Why a container cannot be described.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    #[error("No command specified: neither the container definition nor the image names one")]
    NoCommand,
    #[error("{0} is no signal; the image's STOPSIGNAL must be a name such as SIGTERM or a number")]
    StopSignal(String),
    #[error("the value of the environment variable {0} is not built yet on this node")]
    Unresolvable(String),
    #[error("{0} is not a security option that this node knows")]
    SecurityOption(String),
}

/// Bytes of a container's own log file before it is rotated, and files kept, where nothing else is said.
const LOG_FILE_BYTES: u64 = 16 << 20;
const LOG_FILES: u32 = 4;
/// Most bytes that wait in the spool of a blocking stream.
const SPOOL_BYTES: u64 = 8 << 20;
/// Files that a container may open unless told otherwise (ECS API, Ulimit: Fargate's default), where the host allows as many.
const NOFILE: u64 = 65_535;
const PERIOD_US: u64 = 100_000;

pub(super) fn compose(
    spec: &ContainerSpec,
    image: &ImageConfig,
    place: Place<'_>,
) -> Result<rt::ContainerSpec, ComposeError> {
    let mut container = rt::ContainerSpec::new(&spec.name, rootfs(spec, &place), &[]);
    container.argv = argv(spec, image)?;
    container.env = env(spec, image, &place)?;
    let image_dir = Some(&image.working_dir).filter(|d| !d.is_empty());
    container.cwd = spec.working_dir.as_ref().or(image_dir).cloned().unwrap_or_else(|| "/".to_owned());
    container.user = spec.user.clone().unwrap_or_else(|| image.user.clone());
    container.tty = spec.tty;
    container.stdin_open = spec.interactive;
    container.namespaces = namespaces(spec, &place);
    container.hostname = place.hostname.clone();
    container.security = security(spec)?;
    container.rlimits = spec.rlimits.iter().map(rlimit).collect();
    if !spec.rlimits.iter().any(|l| l.name == "nofile") {
        let files = NOFILE.min(place.files_max);
        container.rlimits.push(rt::Rlimit { name: "nofile".to_owned(), soft: files, hard: files });
    }
    container.sysctls = spec.sysctls.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    container.devices = spec.linux.devices.iter().map(device).collect();
    container.mounts = mounts(spec, &place);
    container.shm_bytes = spec.linux.shm_size.map(|s| s.bytes());
    container.init = spec.linux.init;
    container.stop_signal = stop_signal(&image.stop_signal)?;
    container.limits = limits(spec);
    container.log = log(spec, &place);
    Ok(container)
}

/// Docker's rule: an entry point of one's own also hides the image's command.
fn argv(spec: &ContainerSpec, image: &ImageConfig) -> Result<Vec<String>, ComposeError> {
    let own_entry = spec.entrypoint.as_ref().filter(|e| !e.is_empty());
    let own_command = spec.command.as_ref().filter(|c| !c.is_empty());
    let mut argv = own_entry.unwrap_or(&image.entrypoint).clone();
    match own_command {
        Some(command) => argv.extend(command.iter().cloned()),
        None if own_entry.is_none() => argv.extend(image.cmd.iter().cloned()),
        None => {}
    }
    if argv.is_empty() { Err(ComposeError::NoCommand) } else { Ok(argv) }
}

/// The image's variables, then the container's own; a later one replaces an earlier one in its place.
fn env(spec: &ContainerSpec, image: &ImageConfig, place: &Place<'_>) -> Result<Vec<String>, ComposeError> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: String| match all.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = value,
        None => all.push((name.to_owned(), value)),
    };
    for entry in &image.env {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        set(name, value.to_owned());
    }
    set("HOSTNAME", place.hostname.clone());
    if let Some(credentials) = place.credentials {
        set("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone());
        set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone());
        set("AWS_SESSION_TOKEN", credentials.session_token.clone());
    }
    for (name, input) in &spec.env {
        let value = match input {
            Input::Literal { value } => value.clone(),
            Input::Field { field } => match field {
                UnitField::Uid | UnitField::Name => place.uid.to_owned(),
                UnitField::Address => place.address.clone().unwrap_or_default(),
                UnitField::Node => place.node.to_owned(),
            },
            Input::Ref { .. } | Input::Token { .. } | Input::ServiceEnv { .. } => {
                return Err(ComposeError::Unresolvable(name.clone()));
            }
        };
        set(name, value);
    }
    if spec.tty {
        let named = all.iter().any(|(n, _)| n == "TERM");
        if !named {
            all.push(("TERM".to_owned(), "xterm".to_owned()));
        }
    }
    Ok(all.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn rootfs(spec: &ContainerSpec, place: &Place<'_>) -> rt::RootFs {
    rt::RootFs {
        lower: place.layers.iter().cloned().chain([place.mountpoints.to_owned()]).collect(),
        upper: Some(place.scratch.join("upper")),
        work: Some(place.scratch.join("work")),
        readonly: spec.read_only_root,
    }
}

fn namespaces(spec: &ContainerSpec, place: &Place<'_>) -> rt::Namespaces {
    let shared = |scope: NamespaceScope| match scope {
        NamespaceScope::Container | NamespaceScope::Private => rt::Namespace::Own,
        NamespaceScope::Unit => rt::Namespace::Unit,
        NamespaceScope::Host => rt::Namespace::Host,
    };
    rt::Namespaces {
        pid: shared(place.unit.pid),
        ipc: shared(place.unit.ipc),
        net: match place.unit.network {
            _ if spec.disable_networking => rt::Namespace::Own,
            NetworkMode::Unit => rt::Namespace::Unit,
            NetworkMode::Host => rt::Namespace::Host,
            NetworkMode::None => rt::Namespace::Own,
            NetworkMode::PerContainer => match &place.held_network {
                Some(name) => rt::Namespace::Held(name.clone()),
                None => rt::Namespace::Own,
            },
        },
        uts: rt::Namespace::Own,
        cgroup: rt::Namespace::Own,
    }
}

fn security(spec: &ContainerSpec) -> Result<rt::Security, ComposeError> {
    let mut security = rt::Security {
        cap_add: spec.linux.capabilities.add.clone(),
        cap_drop: spec.linux.capabilities.drop.clone(),
        privileged: spec.privileged,
        ..rt::Security::default()
    };
    for option in &spec.security_options {
        match option.as_str() {
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => security.no_new_privs = true,
            "no-new-privileges:false" | "no-new-privileges=false" => {}
            "seccomp=unconfined" | "seccomp:unconfined" => security.seccomp = rt::Seccomp::Unconfined,
            other => return Err(ComposeError::SecurityOption(other.to_owned())),
        }
    }
    Ok(security)
}

fn rlimit(limit: &RlimitSpec) -> rt::Rlimit {
    let value = |v: i64| u64::try_from(v).unwrap_or(u64::MAX);
    rt::Rlimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }
}

fn device(device: &DeviceSpec) -> rt::Device {
    let letters = [(device.read, 'r'), (device.write, 'w'), (device.mknod, 'm')];
    rt::Device {
        host_path: device.host_path.clone().into(),
        container_path: device.container_path.clone(),
        permissions: letters.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect(),
    }
}

fn mounts(spec: &ContainerSpec, place: &Place<'_>) -> Vec<rt::Mount> {
    let etc = place.etc.iter().map(|(source, target)| rt::Mount::Bind {
        source: source.clone(),
        target: (*target).to_owned(),
        readonly: false,
    });
    let tmpfs = |t: &TmpfsSpec| rt::Mount::Tmpfs {
        target: t.path.clone(),
        size_bytes: Some(t.size.bytes()).filter(|b| *b > 0),
        mode: None,
        options: t.options.clone(),
    };
    etc.chain(place.mounts.iter().cloned()).chain(spec.linux.tmpfs.iter().map(tmpfs)).collect()
}

fn limits(spec: &ContainerSpec) -> rt::Limits {
    let memory = spec.memory_hard.map(|m| m.bytes());
    rt::Limits {
        // The kernel's floor: ECS passes 2 shares for none.
        cpu_shares: Some(spec.cpu.ecs_units().max(2)),
        cpu_quota_us: spec.cpu_ceiling.map(|c| c.quota_us(PERIOD_US)),
        cpu_period_us: spec.cpu_ceiling.map(|_| PERIOD_US),
        memory_bytes: memory,
        memory_reservation_bytes: spec.memory_soft.map(|m| m.bytes()),
        swap_bytes: spec.linux.max_swap.map(|s| s.bytes()).or(memory.map(|_| 0)),
        swappiness: spec.linux.swappiness.filter(|_| spec.linux.max_swap.is_some()).and_then(|s| u8::try_from(s).ok()),
        pids: None,
    }
}

/// The Unit's own ceiling.
pub(super) fn unit_limits(spec: &UnitSpec) -> rt::Limits {
    rt::Limits {
        cpu_shares: spec.limits.cpu.map(|c| c.ecs_units().max(2)),
        cpu_quota_us: spec.limits.cpu.map(|c| c.quota_us(PERIOD_US)),
        cpu_period_us: spec.limits.cpu.map(|_| PERIOD_US),
        memory_bytes: spec.limits.memory.map(|m| m.bytes()),
        pids: spec.limits.pids.map(u64::from),
        ..rt::Limits::default()
    }
}

fn log(spec: &ContainerSpec, place: &Place<'_>) -> rt::LogSpec {
    let path = place.log_file.clone();
    match &spec.log {
        LogSink::Node { max_file_bytes, max_files } => rt::LogSpec {
            path,
            max_file_bytes: max_file_bytes.unwrap_or(LOG_FILE_BYTES),
            max_files: max_files.unwrap_or(LOG_FILES),
            spool: None,
        },
        LogSink::Stream { mode, .. } => rt::LogSpec {
            path,
            max_file_bytes: LOG_FILE_BYTES,
            max_files: LOG_FILES,
            spool: Some(rt::Spool {
                mode: match mode {
                    LogMode::Blocking => rt::SpoolMode::Blocking,
                    LogMode::NonBlocking { max_buffer_bytes } => {
                        rt::SpoolMode::NonBlocking { max_buffer_bytes: *max_buffer_bytes }
                    }
                },
                limit_bytes: SPOOL_BYTES,
            }),
        },
    }
}

/// A signal's number from `SIGQUIT`, `QUIT`, `3` or `SIGRTMIN+4`; nothing is SIGTERM.
fn stop_signal(name: &str) -> Result<i32, ComposeError> {
    let unknown = || ComposeError::StopSignal(name.to_owned());
    let upper = name.to_ascii_uppercase();
    if upper.is_empty() {
        return Ok(nix::libc::SIGTERM);
    }
    if let Ok(number) = upper.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let long = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    if let Some(offset) = long.strip_prefix("SIGRTMIN") {
        let offset: i32 =
            if offset.is_empty() { 0 } else { offset.trim_start_matches('+').parse().map_err(|_| unknown())? };
        return Some(34 + offset).filter(|n| (34..=64).contains(n)).ok_or_else(unknown);
    }
    if let Some(offset) = long.strip_prefix("SIGRTMAX") {
        let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().map_err(|_| unknown())? };
        return Some(64 + offset).filter(|n| (34..=64).contains(n)).ok_or_else(unknown);
    }
    long.parse::<nix::sys::signal::Signal>().map(|s| s as i32).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|p| (*p).to_owned()).collect()
    }

    #[test]
    fn entry_point_and_command_combine_as_in_docker() {
        let image = ImageConfig { entrypoint: words(&["/e"]), cmd: words(&["c"]), ..Default::default() };
        let run = |entry: Option<&[&str]>, command: Option<&[&str]>| {
            let mut spec = crate::unit::tests::container("x");
            (spec.entrypoint, spec.command) = (entry.map(words), command.map(words));
            argv(&spec, &image).unwrap()
        };
        assert_eq!(run(None, None), ["/e", "c"]);
        assert_eq!(run(None, Some(&["d"])), ["/e", "d"]);
        assert_eq!(run(Some(&["/f"]), None), ["/f"]);
        assert_eq!(run(Some(&["/f"]), Some(&["d"])), ["/f", "d"]);
        let bare = argv(&crate::unit::tests::container("x"), &ImageConfig::default());
        assert!(matches!(bare, Err(ComposeError::NoCommand)));
    }

    #[test]
    fn stop_signals_are_names_or_numbers_and_real_time_ones_too() {
        for (name, number) in [("", 15), ("SIGQUIT", 3), ("quit", 3), ("9", 9), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)] {
            assert_eq!(stop_signal(name).unwrap(), number, "{name}");
        }
        for name in ["SIGNOPE", "0", "65", "SIGRTMIN+31", "RTMIN+x"] {
            assert!(stop_signal(name).is_err(), "{name}");
        }
    }
}
