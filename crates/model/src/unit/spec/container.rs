//! One container of a [`super::UnitSpec`], in no API's words.

use super::{Input, Protocol};
use crate::quantity::{Cpu, Memory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct ContainerSpec {
    pub name: String,
    /// Its end ends the Unit.
    pub essential: bool,
    /// As the user wrote it.
    pub image: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// None takes the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(default)]
    pub env: Vec<(String, Input)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,

    /// Relative weight and, where `cpu_ceiling` is set, the ceiling.
    pub cpu: Cpu,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ceiling: Option<Cpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_hard: Option<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_soft: Option<Memory>,

    #[serde(default)]
    pub ports: Vec<PortSpec>,
    #[serde(default)]
    pub mounts: Vec<MountSpec>,
    /// Mounts of other containers to take over: (container, read only).
    #[serde(default)]
    pub volumes_from: Vec<(String, bool)>,
    /// Names of containers to reach, with an optional alias.
    #[serde(default)]
    pub links: Vec<(String, Option<String>)>,

    #[serde(default)]
    pub start_after: Vec<Dependency>,
    /// How long others wait for this one to meet their condition, in seconds; None waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout_s: Option<u32>,
    /// From the stop signal to SIGKILL, in seconds.
    pub stop_timeout_s: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,

    pub log: LogSink,
    #[serde(default)]
    pub interactive: bool,
    #[serde(default)]
    pub tty: bool,
    #[serde(default)]
    pub privileged: bool,
    #[serde(default)]
    pub read_only_root: bool,
    /// Only loopback, whatever the Unit has.
    #[serde(default)]
    pub disable_networking: bool,
    #[serde(default)]
    pub dns_servers: Vec<String>,
    #[serde(default)]
    pub dns_search: Vec<String>,
    #[serde(default)]
    pub extra_hosts: Vec<(String, String)>,
    #[serde(default)]
    pub security_options: Vec<String>,
    #[serde(default)]
    pub rlimits: Vec<RlimitSpec>,
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    #[serde(default)]
    pub linux: LinuxSpec,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct PortSpec {
    pub container_port: u16,
    /// 0 is a dynamic one, chosen on the node.
    pub host_port: u16,
    pub protocol: Protocol,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct MountSpec {
    pub volume: String,
    pub path: String,
    pub read_only: bool,
}

/// This container starts only after another one has met a condition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Dependency {
    pub container: String,
    pub condition: DependencyCondition,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    Started,
    Completed,
    Succeeded,
    Healthy,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct HealthCheck {
    /// The argument vector; a shell form is already wrapped in `/bin/sh -c`.
    pub command: Vec<String>,
    pub interval_s: u32,
    pub timeout_s: u32,
    pub retries: u32,
    /// Failures in this time after the start do not count.
    pub start_period_s: u32,
}

/// Restart in place, without a new Unit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct RestartPolicy {
    #[serde(default)]
    pub ignored_exit_codes: Vec<i32>,
    /// It must have run this long to be restarted, in seconds.
    pub attempt_period_s: u32,
}

/// Where a container's output goes besides the node's own file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum LogSink {
    /// The node's file only.
    Node {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_file_bytes: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_files: Option<u32>,
    },
    /// A stream of the Logs API. `{uid}` in the stream name stands for the Unit's uid.
    Stream { group: String, stream: String, create_group: bool, mode: LogMode },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum LogMode {
    /// The container waits when the bounded spool is full.
    Blocking,
    /// Lines are dropped and counted when the buffer is full.
    NonBlocking { max_buffer_bytes: u64 },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct RlimitSpec {
    /// Docker's name: nofile, nproc, core …
    pub name: String,
    /// -1 is unlimited.
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct LinuxSpec {
    #[serde(default)]
    pub capabilities: Capabilities,
    #[serde(default)]
    pub devices: Vec<DeviceSpec>,
    /// A tiny init reaps and forwards signals as process 1.
    #[serde(default)]
    pub init: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<Memory>,
    #[serde(default)]
    pub tmpfs: Vec<TmpfsSpec>,
    /// Swap beyond memory; None is no swap at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_swap: Option<Memory>,
    /// 0 to 100; only with `max_swap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u32>,
}

/// Changes to the default set, by name without the CAP_ prefix; "ALL" is every one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Capabilities {
    #[serde(default)]
    pub add: Vec<String>,
    #[serde(default)]
    pub drop: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct DeviceSpec {
    pub host_path: String,
    pub container_path: String,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct TmpfsSpec {
    pub path: String,
    pub size: Memory,
    /// Mount options as Docker spells them: ro, noexec, mode=1777 …
    #[serde(default)]
    pub options: Vec<String>,
}
