//! Small, valid records: a cluster, a network, a node, and Units made from a wish.

use crate::HandClock;
use model::ecs::{Cluster, ClusterStatus, LaunchType, TaskDefinition, TaskDefinitionStatus, TaskFace};
use model::network::Network;
use model::unit::spec::{ContainerSpec, NetworkMode, PortSpec, Protocol, Reserve};
use model::unit::{
    Capacity, Constraint, Face, Intent, Observed, Placement, Scheduling, StopCause, StopIntent, Strategy, Unit,
    UnitSpec,
};
use model::{ClusterId, Cpu, Memory, Node, NodeId, Scope, TaskDefinitionId, Timestamp, UnitName, UnitUid};
use records::units::spec_hash;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub fn cluster_id(name: &str) -> ClusterId {
    ClusterId { scope: scope(), name: name.into() }
}

pub fn task_name(cluster: &str, id: &str) -> UnitName {
    UnitName::EcsTask { cluster: cluster_id(cluster), id: id.into() }
}

/// An active cluster without settings.
pub fn cluster(name: &str) -> Cluster {
    Cluster {
        id: cluster_id(name),
        created_at: HandClock::START,
        status: ClusterStatus::Active,
        inactive_since: None,
        tags: Default::default(),
        settings: Default::default(),
        configuration: None,
        service_connect_defaults: None,
        capacity_providers: Vec::new(),
        default_strategy: Vec::new(),
    }
}

/// 10.42.0.0/16 with the subnets `subnet-a` to `subnet-c`.
pub fn network() -> Network {
    let ids = ["subnet-a", "subnet-b", "subnet-c", "sg-1"].map(Arc::from);
    Network::carve("vpc-1".into(), Ipv4Addr::new(10, 42, 0, 0), "us-east-1", ids)
}

/// A connected machine with so many CPU units and MiB.
pub fn node(id: &str, cpu: u64, memory_mib: u64) -> Node {
    let attribute = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    Node {
        id: NodeId::new(id),
        hostname: id.into(),
        cpu: Cpu::from_ecs_units(cpu),
        memory: Memory::from_mib(memory_mib),
        attributes: [attribute("ecs.os-type", "linux"), attribute("ecs.cpu-architecture", "x86_64")].into(),
        boot_id: "boot".into(),
        agent_version: "1.0.0".into(),
        registered_at: HandClock::START,
        connected: true,
        disconnected_at: None,
        reserved_ports: Vec::new(),
    }
}

/// A revision of `app`, the family of every [`Wish`], that is to be deleted.
pub fn deleted_definition(revision: u32) -> TaskDefinition {
    TaskDefinition {
        id: TaskDefinitionId { scope: scope(), family: "app".into(), revision },
        status: TaskDefinitionStatus::DeleteInProgress,
        document: serde_json::Value::Null,
        tags: Default::default(),
        registered_at: HandClock::START,
        registered_by: "root".into(),
        deregistered_at: Some(HandClock::START),
        delete_requested_at: Some(HandClock::START),
    }
}

/// A wish to stop, of a user.
pub fn stop_wish(reason: &str, grace_s: Option<u32>) -> StopIntent {
    StopIntent { by: StopCause::UserInitiated, reason: reason.into(), requested_at: HandClock::START, grace_s }
}

/// What is wanted of a Unit; the rest is the default: 128 CPU units, 64 MiB, no network, any instance of `default`, refused if
/// there is no room.
#[derive(Clone, Debug)]
pub struct Wish {
    pub cluster: String,
    pub cpu: u64,
    pub memory_mib: u64,
    pub network: NetworkMode,
    pub containers: usize,
    pub host_ports: Vec<u16>,
    pub constraints: Vec<Constraint>,
    pub strategy: Vec<Strategy>,
    pub group: String,
    pub wait_for_room: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            cluster: "default".into(),
            cpu: 128,
            memory_mib: 64,
            network: NetworkMode::None,
            containers: 1,
            host_ports: Vec::new(),
            constraints: Vec::new(),
            strategy: Vec::new(),
            group: "family:app".into(),
            wait_for_room: false,
        }
    }
}

impl Wish {
    pub fn spec(&self) -> UnitSpec {
        let container = |place: usize| {
            let mut made: ContainerSpec = serde_json::from_value(serde_json::json!({
                "name": format!("c{place}"), "essential": place == 0, "image": "app:1", "cpu": 0, "stop_timeout_s": 30,
                "log": {"to": "node"},
            }))
            .unwrap();
            if place == 0 {
                let port = |&host_port: &u16| PortSpec { container_port: 80, host_port, protocol: Protocol::Tcp };
                made.ports = self.host_ports.iter().map(port).collect();
            }
            made
        };
        // Read as stored, so that a field with a default needs no line here.
        let mut spec: UnitSpec = serde_json::from_value(serde_json::json!({
            "network": "none", "pid": "container", "ipc": "container", "reserve": {"cpu": 0, "memory": 0}, "containers": [],
        }))
        .unwrap();
        spec.network = self.network;
        spec.reserve = Reserve { cpu: Cpu::from_ecs_units(self.cpu), memory: Memory::from_mib(self.memory_mib) };
        spec.containers = (0..self.containers).map(container).collect();
        spec
    }

    /// A Unit that awaits placement, named `id` in its cluster; its uid is made from both.
    pub fn unit(&self, id: &str, created_at: Timestamp) -> Unit {
        let name = task_name(&self.cluster, id);
        let face = TaskFace {
            cluster: name.cluster().clone(),
            task_definition: TaskDefinitionId { scope: scope(), family: "app".into(), revision: 1 },
            launch_type: LaunchType::Ec2,
            capacity_provider: None,
            group: self.group.as_str().into(),
            started_by: None,
            overrides: serde_json::Value::Null,
            tags: Default::default(),
            enable_execute_command: false,
            platform_version: None,
            cpu: None,
            memory: None,
            containers: Vec::new(),
            ephemeral_storage_gib: None,
            attachment_id: None,
            assign_public_ip: false,
            protected_until: None,
        };
        Unit {
            uid: UnitUid::new(format!("uid-{}-{id}", self.cluster)),
            name,
            created_at,
            face: Face::Ecs(Arc::new(face)),
            spec: spec_hash(&self.spec()),
            scheduling: Arc::new(Scheduling {
                capacity: Capacity::Instances,
                group: self.group.as_str().into(),
                constraints: self.constraints.clone(),
                strategy: self.strategy.clone(),
                node: None,
                subnets: Vec::new(),
                security_groups: Vec::new(),
                required_attributes: Vec::new(),
                wait_for_room: self.wait_for_room,
            }),
            owner: None,
            settled: false,
            waits_for: None,
            intent: Intent::default(),
            placement: Placement::Pending,
            observed: Observed::default(),
        }
    }
}
