//! The rules of placement said again without any index, slowly, to hold the planner against.

use model::ecs::MembershipStatus;
use model::query::{Member, Query};
use model::unit::spec::NetworkMode;
use model::unit::{Capacity, Constraint, Lifecycle, Placement, Strategy, Unit, UnitSpec};
use model::{NodeId, Snapshot};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

fn holders<'a>(snapshot: &'a Snapshot, node: &'a NodeId) -> impl Iterator<Item = (&'a Unit, &'a UnitSpec)> {
    let bound =
        move |unit: &&Unit| unit.placement.node() == Some(node) && unit.observed.lifecycle != Lifecycle::Stopped;
    let units = snapshot.units.values().map(|unit| &*unit.value).filter(bound);
    units.map(|unit| (unit, &*snapshot.specs[&unit.spec].value))
}

/// Whether a node takes a Unit, addresses aside.
pub(crate) fn takes(snapshot: &Snapshot, unit: &Unit, id: &NodeId) -> bool {
    let node = &snapshot.nodes[id];
    let spec = &snapshot.specs[&unit.spec];
    let wants = &unit.scheduling;
    let membership = snapshot.membership(unit.name.cluster(), id);
    let member = wants.capacity == Capacity::Instances;
    let cpu: u64 = holders(snapshot, id).map(|(_, spec)| spec.reserve.cpu.ecs_units()).sum();
    let memory: u64 = holders(snapshot, id).map(|(_, spec)| spec.reserve.memory.mib()).sum();
    let held: BTreeSet<_> = holders(snapshot, id).flat_map(|(_, spec)| spec.fixed_host_ports()).collect();
    let ports_free =
        spec.fixed_host_ports().all(|port| !held.contains(&port) && !node.reserved_ports.contains(&port.0));
    let has = |wanted: &String| {
        let (name, value) = wanted.split_once('=').map_or((&wanted[..], None), |(name, value)| (name, Some(value)));
        if !member {
            return !name.starts_with("ecs.os-") && name != "ecs.cpu-architecture"
                || node.attributes.get(name).is_some_and(|has| value.is_none() || has.as_deref() == value);
        }
        let found = membership.attributes.get(name).or_else(|| node.attributes.get(name));
        found.is_some_and(|has| value.is_none() || has.as_deref() == value)
    };
    wants.node.as_ref().is_none_or(|only| only == id)
        && node.connected
        && (!member || membership.status == MembershipStatus::Active)
        && cpu + spec.reserve.cpu.ecs_units() <= node.cpu.ecs_units()
        && memory + spec.reserve.memory.mib() <= node.memory.mib()
        && ports_free
        && wants.required_attributes.iter().all(has)
        && wants.constraints.iter().all(|constraint| match constraint {
            Constraint::DistinctInstance => group_on(snapshot, unit, id) == 0,
            Constraint::MemberOf { expression } => {
                let query = Query::parse(expression).unwrap();
                let seen = Member::of(snapshot, unit.name.cluster(), id).unwrap();
                query.matches(&Member { membership: seen.membership.filter(|_| member), ..seen })
            }
        })
}

/// How many of a Unit's group hold resources of a node.
pub(crate) fn group_on(snapshot: &Snapshot, unit: &Unit, node: &NodeId) -> usize {
    let same =
        |other: &Unit| other.name.cluster() == unit.name.cluster() && other.scheduling.group == unit.scheduling.group;
    holders(snapshot, node).filter(|(other, _)| same(other)).count()
}

/// Whether the network still has the addresses that a Unit asks for.
pub(crate) fn has_addresses(snapshot: &Snapshot, unit: &Unit) -> bool {
    let network = &snapshot.networks[&unit.name.cluster().scope];
    let held: BTreeSet<Ipv4Addr> = snapshot.nodes.keys().flat_map(|node| addresses_on(snapshot, node)).collect();
    let free = |range: model::network::Range| range.usable().filter(|&n| !held.contains(&range.nth(n))).count();
    let spec = &snapshot.specs[&unit.spec];
    match spec.network {
        NetworkMode::Unit => unit.scheduling.subnets.iter().any(|id| free(network.subnet(id).unwrap().range) > 0),
        NetworkMode::PerContainer => free(network.container_range) >= spec.containers.len(),
        NetworkMode::Host | NetworkMode::None => true,
    }
}

pub(crate) fn addresses_on(snapshot: &Snapshot, node: &NodeId) -> Vec<Ipv4Addr> {
    let mut all = Vec::new();
    for (unit, _) in holders(snapshot, node) {
        let Placement::Bound { address, container_addresses, .. } = &unit.placement else { continue };
        all.extend(address.iter().map(|own| own.address));
        all.extend(container_addresses.iter().map(|(_, address)| *address));
    }
    all
}

/// Whether no other node that takes the Unit suits its strategies better, told one after the other.
pub(crate) fn is_best(snapshot: &Snapshot, unit: &Unit, chosen: &NodeId) -> bool {
    let mut left: Vec<&NodeId> = snapshot.nodes.keys().filter(|node| takes(snapshot, unit, node)).collect();
    for strategy in &unit.scheduling.strategy {
        let cost = |node: &NodeId| cost(snapshot, unit, strategy, node);
        if matches!(strategy, Strategy::Random) {
            return left.contains(&chosen);
        }
        let Some(least) = left.iter().map(|node| cost(node)).min() else { return false };
        left.retain(|node| cost(node) == least);
    }
    left.contains(&chosen)
}

fn cost(snapshot: &Snapshot, unit: &Unit, strategy: &Strategy, id: &NodeId) -> u64 {
    let used = |of: fn(&UnitSpec) -> u64| holders(snapshot, id).map(|(_, spec)| of(spec)).sum::<u64>();
    let node = &snapshot.nodes[id];
    match strategy {
        Strategy::Random => 0,
        Strategy::Binpack { by: model::unit::placement::BinpackBy::Cpu } => {
            node.cpu.ecs_units() - used(|spec| spec.reserve.cpu.ecs_units())
        }
        Strategy::Binpack { by: model::unit::placement::BinpackBy::Memory } => {
            node.memory.mib() - used(|spec| spec.reserve.memory.mib())
        }
        Strategy::Spread { field } if field == "instanceId" => group_on(snapshot, unit, id) as u64,
        Strategy::Spread { field } => {
            let name = field.strip_prefix("attribute:").unwrap();
            let value = |node: &NodeId| {
                let membership = snapshot.membership(unit.name.cluster(), node);
                let own = membership.attributes.get(name).cloned();
                let own = own.filter(|_| unit.scheduling.capacity == Capacity::Instances);
                own.or_else(|| snapshot.nodes[node].attributes.get(name).cloned()).flatten()
            };
            let alike = snapshot.nodes.keys().filter(|other| value(other) == value(id));
            alike.map(|other| group_on(snapshot, unit, other) as u64).sum()
        }
    }
}
