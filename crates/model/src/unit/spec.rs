//! The lowered, immutable description of a Unit: all that a node needs to run it, in no API's words.
//!
//! A spec holds no looked-up value, only [`Input`]s; the agent resolves them when a container starts. Front-ends produce
//! it by a pure function, and equal specs share one record under their hash.

pub mod container;

pub use container::{
    Capabilities, ContainerSpec, Dependency, DependencyCondition, DeviceSpec, HealthCheck, LinuxSpec, LogMode, LogSink,
    MountSpec, PortSpec, RestartPolicy, RlimitSpec, TmpfsSpec,
};

use crate::quantity::{Cpu, Memory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole Unit as a node runs it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct UnitSpec {
    pub network: NetworkMode,
    pub pid: NamespaceScope,
    pub ipc: NamespaceScope,
    /// The Unit's own ceiling; None leaves only the containers' limits.
    #[serde(default)]
    pub limits: UnitLimits,
    /// What placement subtracts from a node.
    pub reserve: Reserve,
    pub containers: Vec<ContainerSpec>,
    #[serde(default)]
    pub volumes: Vec<VolumeSpec>,
    /// The role whose temporary credentials the containers get (ECS taskRoleArn).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// How a Unit meets the network.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// One namespace and one address for the whole Unit (ECS awsvpc, a pod).
    Unit,
    /// A namespace and an address for each container, reached through published ports (ECS bridge).
    PerContainer,
    /// The host's namespace.
    Host,
    /// A namespace for each container with loopback only.
    None,
}

/// Whose process or IPC namespace the containers of a Unit use.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceScope {
    /// Each container its own.
    #[default]
    Container,
    /// One for the Unit.
    Unit,
    Host,
    /// IPC only: own namespace without /dev/shm of its own (ECS ipcMode none).
    Private,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct UnitLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Processes and threads of all containers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Reserve {
    pub cpu: Cpu,
    pub memory: Memory,
}

/// A value that the agent resolves when a container starts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Input {
    Literal {
        value: String,
    },
    /// The Unit's own metadata.
    Field {
        field: UnitField,
    },
    /// A secret, config or parameter that the server resolves for this node.
    Ref {
        reference: String,
        on_missing: OnMissing,
    },
    /// A short-lived token for an audience, rotated by the server.
    Token {
        audience: String,
        lifetime_s: u32,
    },
    /// The Kubernetes service environment of a namespace.
    ServiceEnv {
        namespace: String,
    },
}

impl Input {
    pub fn literal(value: impl Into<String>) -> Self {
        Input::Literal { value: value.into() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum UnitField {
    Uid,
    Name,
    Address,
    Node,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    Wait,
    Fail,
    Skip,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

/// A volume of a Unit, mounted by name.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct VolumeSpec {
    pub name: String,
    pub source: VolumeSource,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VolumeSource {
    /// An empty folder that ends with the Unit.
    Ephemeral,
    /// A path of the host.
    Host { path: String },
    /// A named volume of the node.
    Named {
        /// The volume's name on the node; a Unit-scoped one is its own to each Unit.
        name: String,
        scope: VolumeScope,
        #[serde(default)]
        autoprovision: bool,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum VolumeScope {
    Unit,
    Node,
}

impl UnitSpec {
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// Host ports that placement must keep free: (port, protocol), fixed ones only.
    pub fn fixed_host_ports(&self) -> impl Iterator<Item = (u16, Protocol)> + '_ {
        self.containers.iter().flat_map(|c| &c.ports).filter(|p| p.host_port != 0).map(|p| (p.host_port, p.protocol))
    }
}
