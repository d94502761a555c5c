//! What the agent asks for: the sandbox of a Unit and the containers in it, as plain serialisable facts; no behaviour.
//!
//! Every struct may gain fields; each field has a serde default, so that an older supervisor reads a newer agent and back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The `PATH` a container gets when its environment names none (Docker's default).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The size of `/dev/shm` when nobody names one, in bytes (Docker's default).
pub const DEFAULT_SHM_BYTES: u64 = 64 << 20;

/// One Unit's shared half: its parent control group and the namespaces its containers may share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxSpec {
    /// Short id of this Bayplan installation; part of every name on the host.
    pub instance: String,
    /// Never-reused id of the Unit.
    pub unit: String,
    /// Limits of the Unit's parent control group, in force for all its containers together.
    pub limits: Limits,
    /// Host name in the Unit's own UTS namespace; unused unless `uts` is set.
    pub hostname: String,
    /// Make a PID namespace that containers may join with [`Namespace::Unit`]; its pid 1 is a small reaper of ours.
    pub pid: bool,
    /// Make an IPC namespace with its own `/dev/shm` that containers may join.
    pub ipc: bool,
    /// Make a UTS namespace that containers may join.
    pub uts: bool,
    /// The network namespace behind [`Namespace::Unit`].
    pub net: UnitNet,
    /// Size of the shared `/dev/shm` in bytes; [`DEFAULT_SHM_BYTES`] if absent.
    pub shm_bytes: Option<u64>,
    /// Kernel parameters (`net.…`, `kernel.shm…`) written once inside the Unit's namespaces.
    pub sysctls: Vec<(String, String)>,
}

/// Where a Unit's network namespace comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitNet {
    /// The host's own.
    #[default]
    Host,
    /// A fresh one with nothing but loopback.
    Own,
    /// A descriptor given earlier by `Request::Hold` under this name.
    Held(String),
}

/// What a control group may use. An absent limit is not written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Relative weight as v1 counts it (2 to 262144, 1024 = one share); turned into a v2 weight where needed.
    pub cpu_shares: Option<u64>,
    /// Time on all processors per period, in microseconds.
    pub cpu_quota_us: Option<u64>,
    /// Length of a period, in microseconds; 100000 if absent.
    pub cpu_period_us: Option<u64>,
    /// Hard memory limit in bytes; above it a process of the group is killed.
    pub memory_bytes: Option<u64>,
    /// Soft memory limit in bytes; pages above it are taken back first when the host runs short.
    pub memory_reservation_bytes: Option<u64>,
    /// Swap in bytes on top of `memory_bytes`; 0 means none, absent leaves the kernel's default.
    pub swap_bytes: Option<u64>,
    /// How readily the group is swapped (0 to 100); v1 only, v2 has no such knob.
    pub swappiness: Option<u8>,
    /// Most processes and threads.
    pub pids: Option<u64>,
}

/// One container: everything needed to start it, with host paths and nothing to look up.
///
/// Start from [`ContainerSpec::new`]: its defaults are the safe ones (14 capabilities, seccomp, masked paths).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// Name within the Unit and handle in requests; each attempt's control group is `<name>.<attempt>`.
    pub name: String,
    pub rootfs: RootFs,
    /// Program and arguments; the program is looked up in the container's `PATH` unless it holds a `/`.
    pub argv: Vec<String>,
    /// `KEY=value`; `PATH` and `HOME` are added when missing.
    pub env: Vec<String>,
    /// Working directory inside the root; made when missing.
    pub cwd: String,
    /// `""`, `uid`, `uid:gid`, `name`, `name:group`; names are resolved in the container's `/etc/passwd` and `/etc/group`.
    pub user: String,
    /// Further groups, by number or by name in the container's `/etc/group`.
    pub additional_groups: Vec<String>,
    /// Give it a pseudo-terminal as stdin, stdout and stderr.
    pub tty: bool,
    /// Initial size of the terminal.
    pub tty_size: TtySize,
    /// Keep stdin open for `Attach`; otherwise it reads `/dev/null`.
    pub stdin_open: bool,
    /// Close stdin when the first attached writer goes.
    pub stdin_once: bool,
    pub namespaces: Namespaces,
    /// Host name in an own UTS namespace.
    pub hostname: String,
    pub security: Security,
    pub rlimits: Vec<Rlimit>,
    /// Kernel parameters of the container's own namespaces, as `net.ipv4.ip_forward` -> value.
    pub sysctls: Vec<(String, String)>,
    pub devices: Vec<Device>,
    /// Mounted in order of depth, so that a parent never hides a child.
    pub mounts: Vec<Mount>,
    /// Size of an own `/dev/shm` in bytes; [`DEFAULT_SHM_BYTES`] if absent.
    pub shm_bytes: Option<u64>,
    /// Run our small init as pid 1: it reaps orphans and forwards signals.
    pub init: bool,
    /// What the agent sends to stop it; kept here so that a restarted agent finds it again.
    pub stop_signal: i32,
    pub limits: Limits,
    /// Written to the process's `oom_score_adj`.
    pub oom_score_adj: i32,
    pub log: LogSpec,
}

/// The container's root file system, layered inside its own mount namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// Unpacked layers, topmost first. One layer without `upper` is bound read-only.
    pub lower: Vec<PathBuf>,
    /// Where writes go; must be on the same file system as `work`.
    pub upper: Option<PathBuf>,
    /// overlayfs's own scratch folder.
    pub work: Option<PathBuf>,
    /// Mount the root read-only even when there is an `upper`.
    pub readonly: bool,
}

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TtySize {
    pub rows: u16,
    pub cols: u16,
}

/// Which of each kind of namespace a container lives in; the mount namespace is always its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    pub pid: Namespace,
    pub net: Namespace,
    pub ipc: Namespace,
    pub uts: Namespace,
    /// `Own` or `Host`; anything else is refused.
    pub cgroup: Namespace,
}

/// One namespace choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// A fresh one.
    Own,
    /// The one the sandbox made for the Unit.
    Unit,
    /// The host's.
    Host,
    /// That of another, running container of the same Unit, by name.
    Container(String),
    /// A descriptor given earlier by `Request::Hold` (network only).
    Held(String),
}

impl Default for Namespaces {
    fn default() -> Self {
        Self {
            pid: Namespace::Own,
            net: Namespace::Unit,
            ipc: Namespace::Own,
            uts: Namespace::Own,
            cgroup: Namespace::Own,
        }
    }
}

/// What the container may ask of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Capabilities added to the fourteen defaults, with or without `CAP_`; `ALL` adds every one.
    pub cap_add: Vec<String>,
    /// Capabilities taken away; `ALL` starts from none. Adds win over `ALL`, drops win over defaults.
    pub cap_drop: Vec<String>,
    /// All capabilities, all devices, nothing masked, no seccomp.
    pub privileged: bool,
    /// Never gain privileges through set-uid programs.
    pub no_new_privs: bool,
    pub seccomp: Seccomp,
    /// Paths hidden from the container.
    pub masked_paths: Vec<String>,
    /// Paths that stay readable but not writable.
    pub readonly_paths: Vec<String>,
}

/// The system call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seccomp {
    /// Our allow-list; see [`crate::seccomp`].
    #[default]
    Default,
    Unconfined,
}

impl Default for Security {
    fn default() -> Self {
        let own = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect();
        Self {
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            privileged: false,
            no_new_privs: false,
            seccomp: Seccomp::Default,
            masked_paths: own(&[
                "/proc/acpi",
                "/proc/asound",
                "/proc/interrupts",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/sched_debug",
                "/proc/scsi",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/sys/devices/virtual/powercap",
                "/sys/firmware",
            ]),
            readonly_paths: own(&["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
        }
    }
}

/// One resource limit; `name` as in `ulimit`: `nofile`, `nproc`, `core`, …
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rlimit {
    pub name: String,
    /// `u64::MAX` means unlimited.
    pub soft: u64,
    /// `u64::MAX` means unlimited.
    pub hard: u64,
}

/// A device node of the host, made again inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    pub host_path: PathBuf,
    /// Same as `host_path` when empty.
    #[serde(default)]
    pub container_path: String,
    /// Any of `r`, `w`, `m`.
    pub permissions: String,
}

/// Something mounted into the container's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mount {
    /// A file or folder of the host, never propagating back (rprivate).
    Bind {
        source: PathBuf,
        target: String,
        #[serde(default)]
        readonly: bool,
    },
    Tmpfs {
        target: String,
        /// Bytes; the kernel's default (half the memory) if absent.
        #[serde(default)]
        size_bytes: Option<u64>,
        /// Permission bits of its root, 0o1777 if absent.
        #[serde(default)]
        mode: Option<u32>,
        /// Docker's tmpfs options: `noexec`, `exec`, `ro`, `nosuid`, `nodev`, `mode=…`, `uid=…`, `gid=…`, `nr_inodes=…`, …
        #[serde(default)]
        options: Vec<String>,
    },
}

/// Where stdout and stderr go: one file in Docker's json-file line format.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// The file; its folder must exist. Empty discards the output.
    pub path: PathBuf,
    /// Rotate above this size in bytes; 0 never rotates.
    pub max_file_bytes: u64,
    /// Files kept, the live one included: `path`, `path.1`, …; at least 1.
    pub max_files: u32,
    /// Bound what nobody has shipped yet.
    pub spool: Option<Spool>,
}

/// A bound on log bytes that `LogAck` has not yet covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    pub mode: SpoolMode,
    /// Most unacknowledged bytes of the log file in `Blocking` mode.
    pub limit_bytes: u64,
}

/// What happens at the bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolMode {
    /// Stop reading the pipe: the container waits in its write.
    Blocking,
    /// Drop and count what does not fit in this many unacknowledged bytes.
    NonBlocking { max_buffer_bytes: u64 },
}

impl Default for ContainerSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            rootfs: RootFs::default(),
            argv: Vec::new(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: String::new(),
            additional_groups: Vec::new(),
            tty: false,
            tty_size: TtySize::default(),
            stdin_open: false,
            stdin_once: false,
            namespaces: Namespaces::default(),
            hostname: String::new(),
            security: Security::default(),
            rlimits: Vec::new(),
            sysctls: Vec::new(),
            devices: Vec::new(),
            mounts: Vec::new(),
            shm_bytes: None,
            init: false,
            stop_signal: libc::SIGTERM,
            limits: Limits::default(),
            oom_score_adj: 0,
            log: LogSpec::default(),
        }
    }
}

impl ContainerSpec {
    /// A container with safe defaults that runs `argv` in `rootfs`.
    pub fn new(name: &str, rootfs: RootFs, argv: &[&str]) -> Self {
        Self { name: name.to_owned(), rootfs, argv: argv.iter().map(|a| (*a).to_owned()).collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_with_only_what_is_needed_reads_with_safe_defaults() {
        let spec: ContainerSpec = serde_json::from_str(r#"{"name":"web","argv":["/bin/web"]}"#).unwrap();
        assert_eq!(spec.cwd, "/");
        assert_eq!(spec.namespaces.pid, Namespace::Own);
        assert_eq!(spec.security.seccomp, Seccomp::Default);
        assert!(spec.security.masked_paths.iter().any(|p| p == "/proc/kcore"));
    }

    #[test]
    fn a_spec_survives_its_wire_form() {
        let mut spec = ContainerSpec::new("web", RootFs::default(), &["/bin/web", "-v"]);
        spec.namespaces.net = Namespace::Container("db".to_owned());
        spec.mounts.push(Mount::Tmpfs { target: "/run".into(), size_bytes: Some(1), mode: None, options: vec![] });
        spec.log.spool = Some(Spool { mode: SpoolMode::NonBlocking { max_buffer_bytes: 7 }, limit_bytes: 9 });
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ContainerSpec>(&text).unwrap(), spec);
    }
}
