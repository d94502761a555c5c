//! One consistent, decoded view of everything stored, with its declared indexes; copying it is O(1).
//!
//! `records` keeps it from a watch over the store's root. Nothing else changes one, and a reader's copy never moves.

pub mod fleet;
mod ranked;

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
use crate::unit::{Face, Lifecycle, Owner, Placement, Unit, UnitSpec};
use fleet::{Berth, Fleet};
use imbl::{OrdMap, OrdSet};
use std::collections::BTreeSet;
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
    /// Written by `set_unit` alone, as `nodes` is by `set_node` and `memberships` by `set_membership`.
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

    // Indexes, kept by `set_unit`, `set_node` and `set_membership` alone.
    by_uid: OrdMap<UnitUid, UnitName>,
    by_node: OrdSet<(Berth, UnitName)>,
    by_group: OrdSet<(ClusterId, Arc<str>, UnitName)>,
    /// Units whose owner has still something to do or to learn of them.
    by_owner: OrdSet<(ServiceId, UnitName)>,
    by_spec: OrdMap<SpecHash, u32>,
    /// How many Units that are not over name each.
    by_definition: OrdMap<TaskDefinitionId, u32>,
    awaiting_placement: OrdSet<UnitName>,
    addresses: OrdMap<Ipv4Addr, UnitUid>,
    fleet: Fleet,
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
        let berth = self.fleet.berth(node);
        let units = berth
            .into_iter()
            .flat_map(move |berth| self.by_node.range((berth, first_name())..).take_while(move |(of, _)| *of == berth));
        units.filter_map(|(_, name)| self.units.get(name))
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
        self.fleet.berth(node).is_some_and(|berth| self.fleet.port_taken(berth, port, protocol))
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

    /// How many tasks of a definition are not over.
    pub fn definition_uses(&self, definition: &TaskDefinitionId) -> u32 {
        self.by_definition.get(definition).copied().unwrap_or(0)
    }

    pub fn node_use(&self, node: &NodeId) -> NodeUse {
        self.fleet.berth(node).map(|berth| self.fleet.used(berth)).unwrap_or_default()
    }

    /// The nodes as placement looks for them.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
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

    /// Writes, replaces or deletes one Unit and keeps every index over Units right. Its spec is there already, and stays as
    /// long as it does.
    pub fn set_unit(&mut self, name: &UnitName, next: Option<Versioned<Unit>>) {
        let name = &self.with_shared_cluster(name);
        let next_unit = next.as_ref().map(|unit| unit.value.clone());
        let old = match next {
            Some(unit) => self.units.insert(name.clone(), unit),
            None => self.units.remove(name),
        };
        let (old, next) = (old.as_ref().map(|unit| &*unit.value), next_unit.as_deref());
        self.index_record(name, old, next);
        self.index_state(name, old, next);
        let had = old.filter(|unit| unit.holds_resources());
        let has = next.filter(|unit| unit.holds_resources());
        if had.map(holding_of) != has.map(holding_of) {
            if let Some(unit) = had {
                self.release(name, unit);
            }
            if let Some(unit) = has {
                self.take(name, unit);
            }
        }
    }

    /// The same name, made of the very strings that its cluster's record lies under, which makes comparing names quick.
    fn with_shared_cluster(&self, name: &UnitName) -> UnitName {
        let UnitName::EcsTask { cluster, id } = name;
        let shared = self.clusters.get_key_value(cluster).map_or(cluster, |(shared, _)| shared);
        UnitName::EcsTask { cluster: shared.clone(), id: id.clone() }
    }

    fn index_record(&mut self, name: &UnitName, old: Option<&Unit>, next: Option<&Unit>) {
        let (gone, come) = changed(old.map(|unit| &unit.uid), next.map(|unit| &unit.uid));
        if let Some(uid) = gone {
            self.by_uid.remove(uid);
        }
        if let Some(uid) = come {
            self.by_uid.insert(uid.clone(), name.clone());
        }
        count(&mut self.by_spec, changed(old.map(|unit| &unit.spec), next.map(|unit| &unit.spec)));
        count(&mut self.by_definition, changed(old.and_then(definition_in_use), next.and_then(definition_in_use)));
    }

    fn index_state<'a>(&mut self, name: &UnitName, old: Option<&'a Unit>, next: Option<&'a Unit>) {
        let group = |unit: &'a Unit| (unit.observed.lifecycle != Lifecycle::Stopped).then_some(&unit.scheduling.group);
        let of_group = |group: &Arc<str>| (name.cluster().clone(), group.clone(), name.clone());
        update(&mut self.by_group, (old, next), group, of_group);
        let owner = |unit: &'a Unit| unit.owner.as_ref().filter(|_| !(unit.settled && unit.is_over()));
        let of_owner = |owner: &Owner| (owner.service().clone(), name.clone());
        update(&mut self.by_owner, (old, next), owner, of_owner);
        let awaits = |unit: &Unit| unit.awaits_placement().then_some(());
        update(&mut self.awaiting_placement, (old, next), awaits, |()| name.clone());
        let refused = |unit: &Unit| matches!(unit.placement, Placement::Refused(_)).then_some(());
        update(&mut self.refused, (old, next), refused, |()| name.clone());
        let ended = |unit: &Unit| ended_at(unit).filter(|_| refused(unit).is_none());
        update(&mut self.ended, (old, next), ended, |at| (at, name.clone()));
    }

    fn take(&mut self, name: &UnitName, unit: &Unit) {
        let Some(node) = unit.placement.node() else { return };
        let berth = self.fleet.berth_for(node);
        self.by_node.insert((berth, name.clone()));
        for address in held_addresses(unit) {
            self.addresses.insert(address, unit.uid.clone());
        }
        self.fleet.take(berth, self.specs.get(&unit.spec).map(|spec| &*spec.value));
        self.fleet.join(berth, group_of(name, unit));
    }

    fn release(&mut self, name: &UnitName, unit: &Unit) {
        let Some(berth) = unit.placement.node().and_then(|node| self.fleet.berth(node)) else { return };
        self.by_node.remove(&(berth, name.clone()));
        for address in held_addresses(unit) {
            self.addresses.remove(&address);
        }
        self.fleet.leave(berth, &group_of(name, unit));
        self.fleet.release(berth, self.specs.get(&unit.spec).map(|spec| &*spec.value));
    }

    /// Writes, replaces or deletes one node and keeps every index over nodes right.
    pub fn set_node(&mut self, id: &NodeId, next: Option<Versioned<Node>>) {
        let groups: BTreeSet<_> = self.units_of_node(id).map(|unit| group_of(&unit.name, unit)).collect();
        let berth = self.fleet.berth_for(id);
        self.fleet.set_node(berth, next.as_ref().map(|node| node.value.clone()), groups);
        match next {
            Some(node) => self.nodes.insert(id.clone(), node),
            None => self.nodes.remove(id),
        };
    }

    /// Writes, replaces or deletes what a cluster keeps of a node, with the indexes over it.
    pub fn set_membership(&mut self, id: &(ClusterId, NodeId), next: Option<Versioned<Membership>>) {
        let berth = self.fleet.berth_for(&id.1);
        self.fleet.set_membership(&id.0, berth, next.as_ref().map(|membership| membership.value.clone()));
        match next {
            Some(membership) => self.memberships.insert(id.clone(), membership),
            None => self.memberships.remove(id),
        };
    }
}

/// The value that is no more and the one that is new; neither if both are one.
fn changed<T: PartialEq>(old: Option<T>, next: Option<T>) -> (Option<T>, Option<T>) {
    if old == next { (None, None) } else { (old, next) }
}

/// Moves a Unit's entry in an index from where it was to where it is, by what of it decides that; None is nowhere.
fn update<'a, K: PartialEq, T: Ord + Clone>(
    index: &mut OrdSet<T>,
    (old, next): (Option<&'a Unit>, Option<&'a Unit>),
    key: impl Fn(&'a Unit) -> Option<K>,
    entry: impl Fn(K) -> T,
) {
    let (gone, come) = changed(old.and_then(&key), next.and_then(&key));
    if let Some(key) = gone {
        index.remove(&entry(key));
    }
    if let Some(key) = come {
        index.insert(entry(key));
    }
}

/// One user less of what is no more, one more of what is new.
fn count<K: Ord + Clone>(uses: &mut OrdMap<K, u32>, (gone, come): (Option<&K>, Option<&K>)) {
    if let Some(key) = gone {
        match uses.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                uses.remove(key);
            }
        }
    }
    if let Some(key) = come {
        *uses.entry(key.clone()).or_default() += 1;
    }
}

/// The definition that a Unit keeps from being deleted.
fn definition_in_use(unit: &Unit) -> Option<&TaskDefinitionId> {
    let Face::Ecs(face) = &unit.face;
    (!unit.is_over()).then_some(&face.task_definition)
}

/// What decides which resources of which node a Unit holds.
fn holding_of(unit: &Unit) -> (&Placement, &SpecHash, &str) {
    (&unit.placement, &unit.spec, &unit.scheduling.group)
}

fn group_of(name: &UnitName, unit: &Unit) -> (ClusterId, Arc<str>) {
    (name.cluster().clone(), unit.scheduling.group.clone())
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
