//! Small snapshots built in a few words, and plans applied to them as the controller's commits would.

use model::ecs::{
    Cluster, ClusterStatus, LaunchType, Membership, MembershipStatus, TaskDefinition, TaskDefinitionStatus, TaskFace,
};
use model::network::Network;
use model::node::{Ledger, Node};
use model::unit::placement::Shortage;
use model::unit::spec::{ContainerSpec, NamespaceScope, NetworkMode, PortSpec, Protocol, Reserve};
use model::unit::{
    Capacity, Constraint, Face, Intent, Lifecycle, Observed, Placement, Scheduling, StopCause, Strategy, Unit, UnitSpec,
};
use model::{
    ClusterId, Cpu, Memory, NodeId, Scope, Snapshot, SpecHash, TaskDefinitionId, Timestamp, UnitName, UnitUid,
    Versioned,
};
use planner::placement::{Answer, Plan, plan};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_000_000_000);

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

pub(crate) fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub(crate) fn cluster(name: &str) -> ClusterId {
    ClusterId { scope: scope(), name: name.into() }
}

pub(crate) fn task(cluster_name: &str, id: &str) -> UnitName {
    UnitName::EcsTask { cluster: cluster(cluster_name), id: id.into() }
}

/// What a test says of a Unit; the rest is the default: 128 CPU units, 64 MiB, no network, any instance of `default`.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) cluster: &'static str,
    pub(crate) cpu: u64,
    pub(crate) memory_mib: u64,
    pub(crate) network: NetworkMode,
    pub(crate) containers: usize,
    pub(crate) ports: Vec<(u16, Protocol)>,
    pub(crate) scheduling: Scheduling,
}

pub(crate) fn wish() -> Wish {
    Wish {
        cluster: "default",
        cpu: 128,
        memory_mib: 64,
        network: NetworkMode::None,
        containers: 1,
        ports: Vec::new(),
        scheduling: Scheduling {
            capacity: Capacity::Instances,
            group: "family:app".into(),
            constraints: Vec::new(),
            strategy: Vec::new(),
            node: None,
            subnets: Vec::new(),
            security_groups: Vec::new(),
            required_attributes: Vec::new(),
            wait_for_room: false,
        },
    }
}

impl Wish {
    pub(crate) fn size(mut self, cpu: u64, memory_mib: u64) -> Self {
        (self.cpu, self.memory_mib) = (cpu, memory_mib);
        self
    }
    pub(crate) fn cluster(mut self, name: &'static str) -> Self {
        self.cluster = name;
        self
    }
    pub(crate) fn group(mut self, group: &str) -> Self {
        self.scheduling.group = group.into();
        self
    }
    pub(crate) fn capacity(mut self, capacity: Capacity) -> Self {
        self.scheduling.capacity = capacity;
        self
    }
    pub(crate) fn port(mut self, port: u16, protocol: Protocol) -> Self {
        self.network = NetworkMode::Host;
        self.ports.push((port, protocol));
        self
    }
    /// An address of its own out of one of these subnets.
    pub(crate) fn address(mut self, subnets: &[&str]) -> Self {
        self.network = NetworkMode::Unit;
        self.scheduling.subnets = subnets.iter().map(|&subnet| subnet.into()).collect();
        self
    }
    /// That many containers with an address each.
    pub(crate) fn bridged(mut self, containers: usize) -> Self {
        (self.network, self.containers) = (NetworkMode::PerContainer, containers);
        self
    }
    pub(crate) fn needs(mut self, attribute: &str) -> Self {
        self.scheduling.required_attributes.push(attribute.into());
        self
    }
    pub(crate) fn distinct(mut self) -> Self {
        self.scheduling.constraints.push(Constraint::DistinctInstance);
        self
    }
    pub(crate) fn member_of(mut self, expression: &str) -> Self {
        self.scheduling.constraints.push(Constraint::MemberOf { expression: expression.into() });
        self
    }
    pub(crate) fn by(mut self, strategy: Strategy) -> Self {
        self.scheduling.strategy.push(strategy);
        self
    }
    pub(crate) fn spread(self, field: &str) -> Self {
        self.by(Strategy::Spread { field: field.into() })
    }
    pub(crate) fn only_on(mut self, node: &str) -> Self {
        self.scheduling.node = Some(NodeId::new(node));
        self
    }
    pub(crate) fn patient(mut self) -> Self {
        self.scheduling.wait_for_room = true;
        self
    }

    fn spec(&self) -> UnitSpec {
        let container = |place: usize| {
            let mut made: ContainerSpec = serde_json::from_value(serde_json::json!({
                "name": format!("c{place}"), "essential": true, "image": "app:1", "cpu": 0, "stop_timeout_s": 30,
                "log": {"to": "node"},
            }))
            .unwrap();
            if place == 0 {
                let port =
                    |&(host_port, protocol): &(u16, Protocol)| PortSpec { container_port: 80, host_port, protocol };
                made.ports = self.ports.iter().map(port).collect();
            }
            made
        };
        UnitSpec {
            network: self.network,
            pid: NamespaceScope::Container,
            ipc: NamespaceScope::Container,
            limits: Default::default(),
            reserve: Reserve { cpu: Cpu::from_ecs_units(self.cpu), memory: Memory::from_mib(self.memory_mib) },
            containers: (0..self.containers).map(container).collect(),
            volumes: Vec::new(),
            role: None,
        }
    }
}

/// A snapshot in the making.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
}

impl World {
    /// The cluster `default` and a network of three /20 subnets, `subnet-a` to `subnet-c`; no node.
    pub(crate) fn new() -> Self {
        let mut world = World { snapshot: Snapshot::default() };
        world.make_cluster("default", ClusterStatus::Active, at(0));
        let ids = ["subnet-a", "subnet-b", "subnet-c", "sg-1"].map(Arc::from);
        world.network(Network::carve("vpc-1".into(), Ipv4Addr::new(10, 42, 0, 0), "us-east-1", ids));
        world
    }

    pub(crate) fn versioned<T>(&mut self, value: T) -> Versioned<T> {
        self.snapshot.revision += 1;
        Versioned { value: Arc::new(value), revision: self.snapshot.revision, version: 1 }
    }

    pub(crate) fn network(&mut self, network: Network) {
        let stored = self.versioned(network);
        self.snapshot.networks.insert(scope(), stored);
    }

    pub(crate) fn make_cluster(&mut self, name: &str, status: ClusterStatus, created_at: Timestamp) {
        let stored = self.versioned(Cluster {
            id: cluster(name),
            created_at,
            status,
            inactive_since: (status == ClusterStatus::Inactive).then_some(created_at),
            tags: Default::default(),
            settings: Default::default(),
            configuration: None,
            service_connect_defaults: None,
            capacity_providers: Vec::new(),
            default_strategy: Vec::new(),
        });
        self.snapshot.clusters.insert(cluster(name), stored);
    }

    /// A connected x86_64 node with 1024 CPU units and 1024 MiB, but for what `change` makes of it.
    pub(crate) fn node(&mut self, id: &str, change: impl FnOnce(&mut Node)) -> &mut Self {
        let mut node = Node {
            id: NodeId::new(id),
            hostname: id.into(),
            cpu: Cpu::from_ecs_units(1024),
            memory: Memory::from_mib(1024),
            attributes: Default::default(),
            boot_id: "boot".into(),
            agent_version: "1.0.0".into(),
            registered_at: at(1000),
            connected: true,
            disconnected_at: None,
            reserved_ports: Vec::new(),
        };
        node.attributes.insert("ecs.os-type".into(), Some("linux".into()));
        node.attributes.insert("ecs.cpu-architecture".into(), Some("x86_64".into()));
        change(&mut node);
        let stored = self.versioned(node);
        self.snapshot.set_node(&NodeId::new(id), Some(stored));
        self
    }

    pub(crate) fn nodes(&mut self, ids: &[&str]) -> &mut Self {
        ids.iter().for_each(|id| {
            self.node(id, |_| {});
        });
        self
    }

    pub(crate) fn membership(
        &mut self,
        cluster_name: &str,
        node: &str,
        status: MembershipStatus,
        attributes: &[(&str, &str)],
    ) {
        let stored = self.versioned(Membership {
            cluster: cluster(cluster_name),
            node: NodeId::new(node),
            status,
            attributes: attributes.iter().map(|&(name, value)| (name.into(), Some(value.into()))).collect(),
            tags: Default::default(),
        });
        self.snapshot.set_membership(&(cluster(cluster_name), NodeId::new(node)), Some(stored));
    }

    /// A revision of `app`, the family of every test's tasks.
    pub(crate) fn definition(&mut self, revision: u32, status: TaskDefinitionStatus) -> TaskDefinitionId {
        let id = TaskDefinitionId { scope: scope(), family: "app".into(), revision };
        let stored = self.versioned(TaskDefinition {
            id: id.clone(),
            status,
            document: serde_json::Value::Null,
            tags: Default::default(),
            registered_at: at(0),
            registered_by: "root".into(),
            deregistered_at: None,
            delete_requested_at: None,
        });
        self.snapshot.task_definitions.insert(id.clone(), stored);
        id
    }

    /// A Unit that awaits placement.
    pub(crate) fn awaits(&mut self, id: &str, wish: Wish) -> &mut Self {
        let spec = wish.spec();
        let hash = SpecHash::new(serde_json::to_string(&spec).unwrap());
        if !self.snapshot.specs.contains_key(&hash) {
            let stored = self.versioned(spec);
            self.snapshot.specs.insert(hash.clone(), stored);
        }
        let name = task(wish.cluster, id);
        let face = TaskFace {
            cluster: cluster(wish.cluster),
            task_definition: TaskDefinitionId { scope: scope(), family: "app".into(), revision: 1 },
            launch_type: LaunchType::Ec2,
            capacity_provider: None,
            group: wish.scheduling.group.clone(),
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
        let unit = Unit {
            name: name.clone(),
            uid: UnitUid::new(format!("uid-{}-{id}", wish.cluster)),
            created_at: at(1),
            face: Face::Ecs(Arc::new(face)),
            spec: hash,
            scheduling: Arc::new(wish.scheduling),
            owner: None,
            settled: false,
            waits_for: None,
            intent: Intent::default(),
            placement: Placement::Pending,
            observed: Observed::default(),
        };
        let stored = self.versioned(unit);
        self.snapshot.set_unit(&name, Some(stored));
        self
    }

    /// A Unit that runs on a node, with an address where the test gives one.
    pub(crate) fn runs(&mut self, id: &str, node: &str, wish: Wish) -> &mut Self {
        let name = task(wish.cluster, id);
        self.awaits(id, wish);
        let placement =
            Placement::Bound { node: NodeId::new(node), at: at(1), address: None, container_addresses: Vec::new() };
        self.change(&name, |unit| {
            unit.placement = placement;
            unit.observed.lifecycle = Lifecycle::Running;
        });
        self
    }

    pub(crate) fn change(&mut self, name: &UnitName, change: impl FnOnce(&mut Unit)) {
        let mut unit = (*self.snapshot.units[name].value).clone();
        change(&mut unit);
        let stored = self.versioned(unit);
        self.snapshot.set_unit(name, Some(stored));
    }

    pub(crate) fn stop_wish(&mut self, name: &UnitName, requested_at: Timestamp) {
        let wish = model::unit::StopIntent {
            by: StopCause::UserInitiated,
            reason: "stopped".into(),
            requested_at,
            grace_s: None,
        };
        self.change(name, |unit| unit.intent = unit.intent.merge(wish));
    }

    /// The plan for all that await, in the order of their names.
    pub(crate) fn plan(&self, seed: u64) -> Plan {
        plan(&self.snapshot, self.snapshot.awaiting_placement(), NOW, &mut StdRng::seed_from_u64(seed))
    }

    /// Commits one answer; panics where a compare would fail.
    pub(crate) fn apply(&mut self, answer: &Answer) {
        match answer {
            Answer::Bind(bind) => {
                assert_eq!(self.snapshot.units[&bind.unit].revision, bind.unit_revision, "decided on the stored unit");
                self.change(&bind.unit, |unit| unit.placement = bind.placement.clone());
                let bindings = self.snapshot.ledgers.get(&bind.node).map_or(0, |ledger| ledger.bindings);
                let ledger = self.versioned(Ledger { bindings: bindings + 1 });
                self.snapshot.ledgers.insert(bind.node.clone(), ledger);
            }
            Answer::Refuse(refuse) => {
                assert_eq!(
                    self.snapshot.units[&refuse.unit].revision, refuse.unit_revision,
                    "decided on the stored unit"
                );
                self.change(&refuse.unit, |unit| unit.placement = Placement::Refused(refuse.refusal.clone()));
            }
            Answer::Wait(_) => {}
        }
    }

    /// Plans and commits all of it.
    pub(crate) fn settle(&mut self, seed: u64) -> Plan {
        let plan = self.plan(seed);
        plan.answers.iter().for_each(|answer| self.apply(answer));
        plan
    }
}

/// Which node each answer binds to, `-` where none.
pub(crate) fn nodes_of(plan: &Plan) -> Vec<String> {
    let node = |answer: &Answer| match answer {
        Answer::Bind(bind) => bind.node.to_string(),
        Answer::Refuse(_) | Answer::Wait(_) => "-".into(),
    };
    plan.answers.iter().map(node).collect()
}

/// The main reason of the only answer, which is a refusal.
#[track_caller]
pub(crate) fn refusal_of(plan: &Plan) -> Shortage {
    match &plan.answers[..] {
        [Answer::Refuse(refuse) | Answer::Wait(refuse)] => refuse.refusal.main.clone(),
        other => panic!("expected one refusal, got {other:?}"),
    }
}

/// The nodes and Units that a failing case is about, a line each.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (id, node) in &self.snapshot.nodes {
            let (cpu, memory, used) = (node.cpu.ecs_units(), node.memory.mib(), self.snapshot.node_use(id));
            writeln!(
                f,
                "{id}: cpu {cpu} memory {memory} used {}/{} connected {} {:?} ports {:?}",
                used.cpu.ecs_units(),
                used.memory.mib(),
                node.connected,
                node.attributes,
                node.reserved_ports
            )?;
        }
        for membership in self.snapshot.memberships.values() {
            writeln!(f, "{membership:?}")?;
        }
        for unit in self.snapshot.units.values() {
            let spec = &self.snapshot.specs[&unit.spec];
            writeln!(
                f,
                "{}/{}: {:?} {}/{} ports {:?} {:?} {:?} {:?}",
                unit.name.cluster().name,
                unit.name.short(),
                spec.network,
                spec.reserve.cpu.ecs_units(),
                spec.reserve.memory.mib(),
                spec.fixed_host_ports().collect::<Vec<_>>(),
                unit.scheduling,
                unit.placement,
                unit.observed.lifecycle
            )?;
        }
        Ok(())
    }
}
