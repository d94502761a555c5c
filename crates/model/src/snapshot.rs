//! One consistent, decoded view of everything stored, with its declared indexes; copying it is O(1).
//!
//! `records` keeps it from a watch over the store's root. Nothing else changes one, and a reader's copy never moves.

use crate::ecs::{
    AccountSetting, CapacityProvider, ClientToken, Cluster, Deployment, DeploymentState, Family, Membership,
    MembershipStatus, Service, ServiceEvent, ServiceRevision, ServiceState, TaskDefinition, TaskSet,
};
use crate::ids::{ClusterId, NodeId, Scope, ServiceId, SpecHash, TaskDefinitionId, UnitName, UnitUid};
use crate::logs::LogGroup;
use crate::network::Network;
use crate::node::{Ledger, Node};
use crate::quantity::{Cpu, Memory, Timestamp};
use crate::unit::spec::Protocol;
use crate::unit::{Lifecycle, Placement, Unit, UnitSpec};
use imbl::{OrdMap, OrdSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A record as of its last change.
#[derive(Clone, PartialEq, Debug)]
pub struct Versioned<T> {
    pub value: Arc<T>,
    /// The store revision of the last change: what a compare names.
    pub revision: u64,
    /// How often the record was written, from 1.
    pub version: u64,
}

impl<T> std::ops::Deref for Versioned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

pub type Table<K, T> = OrdMap<K, Versioned<T>>;

/// What of a node is handed out.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct NodeUse {
    pub cpu: Cpu,
    pub memory: Memory,
    pub units: u32,
}

#[derive(Clone, Default, Debug)]
pub struct Snapshot {
    /// The store revision that this view is of.
    pub revision: u64,
    pub units: Table<UnitName, Unit>,
    pub specs: Table<SpecHash, UnitSpec>,
    pub nodes: Table<NodeId, Node>,
    pub ledgers: Table<NodeId, Ledger>,
    pub networks: Table<Scope, Network>,
    pub clusters: Table<ClusterId, Cluster>,
    pub families: Table<(Scope, Arc<str>), Family>,
    pub task_definitions: Table<TaskDefinitionId, TaskDefinition>,
    pub memberships: Table<(ClusterId, NodeId), Membership>,
    /// By scope, principal ("" is the default of all) and name.
    pub settings: Table<(Scope, Arc<str>, Arc<str>), AccountSetting>,
    pub client_tokens: Table<(ClusterId, Arc<str>), ClientToken>,
    pub capacity_providers: Table<(Scope, Arc<str>), CapacityProvider>,
    pub services: Table<ServiceId, Service>,
    pub service_states: Table<ServiceId, ServiceState>,
    /// By service and number.
    pub service_revisions: Table<(ServiceId, Arc<str>), ServiceRevision>,
    /// By service and id.
    pub deployments: Table<(ServiceId, Arc<str>), Deployment>,
    pub deployment_states: Table<(ServiceId, Arc<str>), DeploymentState>,
    pub task_sets: Table<(ServiceId, Arc<str>), TaskSet>,
    /// By service and their order.
    pub service_events: Table<(ServiceId, u64), ServiceEvent>,
    pub log_groups: Table<(Scope, Arc<str>), LogGroup>,

    // Indexes, kept by `index` alone.
    by_uid: OrdMap<UnitUid, UnitName>,
    by_node: OrdSet<(NodeId, UnitName)>,
    by_group: OrdSet<(ClusterId, Arc<str>, UnitName)>,
    /// Units whose owner has still something to do or to learn of them.
    by_owner: OrdSet<(ServiceId, UnitName)>,
    by_spec: OrdMap<SpecHash, u32>,
    awaiting_placement: OrdSet<UnitName>,
    addresses: OrdMap<Ipv4Addr, UnitUid>,
    node_use: OrdMap<NodeId, NodeUse>,
    host_ports: OrdSet<(NodeId, u16, Protocol)>,
    /// Units that are over but not refused, by the moment they ended.
    ended: OrdSet<(Timestamp, UnitName)>,
    refused: OrdSet<UnitName>,
}

impl Snapshot {
    pub fn unit_by_uid(&self, uid: &UnitUid) -> Option<&Versioned<Unit>> {
        self.units.get(self.by_uid.get(uid)?)
    }

    /// Units of a cluster in the order of their names.
    pub fn units_of_cluster<'a>(
        &'a self,
        cluster: &'a ClusterId,
    ) -> impl Iterator<Item = (&'a UnitName, &'a Versioned<Unit>)> + 'a {
        let from = UnitName::EcsTask { cluster: cluster.clone(), id: "".into() };
        self.units.range(from..).take_while(move |(name, _)| name.cluster() == cluster)
    }

    /// Units bound to a node that have not stopped.
    pub fn units_of_node<'a>(&'a self, node: &'a NodeId) -> impl Iterator<Item = &'a Versioned<Unit>> + 'a {
        let from = (node.clone(), first_name());
        self.by_node.range(from..).take_while(move |(n, _)| n == node).filter_map(move |(_, name)| self.units.get(name))
    }

    /// Units of a group in a cluster that have not stopped.
    pub fn units_of_group<'a>(
        &'a self,
        cluster: &'a ClusterId,
        group: &'a str,
    ) -> impl Iterator<Item = &'a Versioned<Unit>> + 'a {
        let from = (cluster.clone(), Arc::<str>::from(group), first_name());
        self.by_group
            .range(from..)
            .take_while(move |(c, g, _)| c == cluster && &**g == group)
            .filter_map(move |(_, _, name)| self.units.get(name))
    }

    /// Units that a service owns, without those whose end it has drawn its conclusions from.
    pub fn units_of_service<'a>(&'a self, service: &'a ServiceId) -> impl Iterator<Item = &'a Versioned<Unit>> + 'a {
        let from = (service.clone(), first_name());
        self.by_owner
            .range(from..)
            .take_while(move |(owner, _)| owner == service)
            .filter_map(move |(_, name)| self.units.get(name))
    }

    /// Units that placement owes an answer.
    pub fn awaiting_placement(&self) -> impl Iterator<Item = &Versioned<Unit>> + '_ {
        self.awaiting_placement.iter().filter_map(|name| self.units.get(name))
    }

    pub fn address_taken(&self, address: &Ipv4Addr) -> bool {
        self.addresses.contains_key(address)
    }

    /// Whether a Unit that has not stopped holds a fixed port of a node.
    pub fn host_port_taken(&self, node: &NodeId, port: u16, protocol: Protocol) -> bool {
        self.host_ports.contains(&(node.clone(), port, protocol))
    }

    /// Units that have stopped, or were to stop before they had a node, the earliest end first, with the moment they ended.
    pub fn ended_units(&self) -> impl Iterator<Item = (Timestamp, &Versioned<Unit>)> + '_ {
        self.ended.iter().filter_map(|(at, name)| Some((*at, self.units.get(name)?)))
    }

    /// Units that no node took.
    pub fn refused_units(&self) -> impl Iterator<Item = &Versioned<Unit>> + '_ {
        self.refused.iter().filter_map(|name| self.units.get(name))
    }

    /// How many Units name a spec; an unnamed one may be deleted.
    pub fn spec_uses(&self, spec: &SpecHash) -> u32 {
        self.by_spec.get(spec).copied().unwrap_or(0)
    }

    pub fn node_use(&self, node: &NodeId) -> NodeUse {
        self.node_use.get(node).copied().unwrap_or_default()
    }

    /// What a cluster sees of a node: its membership record, or the default where none was written yet.
    pub fn membership(&self, cluster: &ClusterId, node: &NodeId) -> Arc<Membership> {
        match self.memberships.get(&(cluster.clone(), node.clone())) {
            Some(stored) => stored.value.clone(),
            None => Arc::new(Membership {
                cluster: cluster.clone(),
                node: node.clone(),
                status: MembershipStatus::Active,
                attributes: Default::default(),
                tags: Default::default(),
            }),
        }
    }

    /// When a node became a member of a cluster: when both existed.
    pub fn member_since(&self, cluster: &Cluster, node: &Node) -> Timestamp {
        cluster.created_at.max(node.registered_at)
    }

    /// Writes, replaces or deletes one Unit and keeps every index over Units right.
    pub fn set_unit(&mut self, name: &UnitName, next: Option<Versioned<Unit>>) {
        if let Some(old) = self.units.get(name).map(|v| v.value.clone()) {
            self.unindex(&old);
        }
        match next {
            Some(unit) => {
                self.index(&unit.value);
                self.units.insert(name.clone(), unit);
            }
            None => {
                self.units.remove(name);
            }
        }
    }

    fn index(&mut self, unit: &Unit) {
        self.by_uid.insert(unit.uid.clone(), unit.name.clone());
        *self.by_spec.entry(unit.spec.clone()).or_default() += 1;
        if let Some(owner) = unit.owner.as_ref().filter(|_| !(unit.settled && unit.is_over())) {
            self.by_owner.insert((owner.service().clone(), unit.name.clone()));
        }
        if unit.awaits_placement() {
            self.awaiting_placement.insert(unit.name.clone());
        }
        if let Placement::Refused(_) = unit.placement {
            self.refused.insert(unit.name.clone());
        } else if let Some(at) = ended_at(unit) {
            self.ended.insert((at, unit.name.clone()));
        }
        if unit.observed.lifecycle != Lifecycle::Stopped {
            let group = unit.scheduling.group.clone();
            self.by_group.insert((unit.name.cluster().clone(), group, unit.name.clone()));
        }
        if unit.holds_resources() {
            self.take(unit);
        }
    }

    fn take(&mut self, unit: &Unit) {
        let Some(node) = unit.placement.node().cloned() else { return };
        let reserve = self.reserve_of(unit);
        self.by_node.insert((node.clone(), unit.name.clone()));
        for address in held_addresses(unit) {
            self.addresses.insert(address, unit.uid.clone());
        }
        for (port, protocol) in self.host_ports_of(unit) {
            self.host_ports.insert((node.clone(), port, protocol));
        }
        let used = self.node_use.entry(node).or_default();
        used.cpu = used.cpu.saturating_add(reserve.cpu);
        used.memory = used.memory.saturating_add(reserve.memory);
        used.units += 1;
    }

    fn unindex(&mut self, unit: &Unit) {
        self.by_uid.remove(&unit.uid);
        if let Some(owner) = &unit.owner {
            self.by_owner.remove(&(owner.service().clone(), unit.name.clone()));
        }
        self.awaiting_placement.remove(&unit.name);
        self.refused.remove(&unit.name);
        if let Some(at) = ended_at(unit) {
            self.ended.remove(&(at, unit.name.clone()));
        }
        self.by_group.remove(&(unit.name.cluster().clone(), unit.scheduling.group.clone(), unit.name.clone()));
        match self.by_spec.get_mut(&unit.spec) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.by_spec.remove(&unit.spec);
            }
        }
        let Some(node) = unit.placement.node().cloned().filter(|_| unit.holds_resources()) else { return };
        let reserve = self.reserve_of(unit);
        self.by_node.remove(&(node.clone(), unit.name.clone()));
        for address in held_addresses(unit) {
            self.addresses.remove(&address);
        }
        for (port, protocol) in self.host_ports_of(unit) {
            self.host_ports.remove(&(node.clone(), port, protocol));
        }
        if let Some(used) = self.node_use.get_mut(&node) {
            used.cpu = used.cpu.saturating_sub(reserve.cpu);
            used.memory = used.memory.saturating_sub(reserve.memory);
            used.units = used.units.saturating_sub(1);
        }
    }

    /// A Unit's spec is written in or before the commit that makes the Unit, and never changes or leaves before it.
    fn reserve_of(&self, unit: &Unit) -> crate::unit::spec::Reserve {
        self.specs.get(&unit.spec).map(|s| s.reserve).unwrap_or_default()
    }

    fn host_ports_of(&self, unit: &Unit) -> Vec<(u16, Protocol)> {
        self.specs.get(&unit.spec).map(|s| s.fixed_host_ports().collect()).unwrap_or_default()
    }
}

/// When a Unit came to its end; None while it may still run. One that was to stop before it had a node ended then.
fn ended_at(unit: &Unit) -> Option<Timestamp> {
    let observed = &unit.observed;
    let asked = unit.intent.stop.as_ref().map(|stop| stop.requested_at);
    match observed.lifecycle {
        Lifecycle::Stopped => {
            Some(observed.stopped_at.or(observed.execution_stopped_at).or(asked).unwrap_or(unit.created_at))
        }
        _ if unit.placement == Placement::Pending => asked,
        _ => None,
    }
}

fn held_addresses(unit: &Unit) -> Vec<Ipv4Addr> {
    match &unit.placement {
        crate::unit::Placement::Bound { address, container_addresses, .. } => {
            address.iter().map(|a| a.address).chain(container_addresses.iter().map(|(_, a)| *a)).collect()
        }
        _ => Vec::new(),
    }
}

/// Sorts before every Unit's name.
fn first_name() -> UnitName {
    let scope = Scope::new("", "");
    UnitName::EcsTask { cluster: ClusterId { scope, name: "".into() }, id: "".into() }
}
