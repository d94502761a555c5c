//! What must hold in every snapshot, in plain words; tests, the simulator and `bayplan doctor` ask the same question.

use crate::snapshot::Snapshot;
use crate::unit::Placement;
use std::collections::BTreeMap;

/// Every broken rule of a snapshot, one sentence each; empty when all hold.
pub fn check(snapshot: &Snapshot) -> Vec<String> {
    let mut broken = Vec::new();
    no_node_is_overfull(snapshot, &mut broken);
    no_address_is_held_twice(snapshot, &mut broken);
    every_unit_has_its_spec(snapshot, &mut broken);
    no_host_port_is_held_twice(snapshot, &mut broken);
    broken
}

fn no_node_is_overfull(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for (id, node) in &snapshot.nodes {
        let used = snapshot.node_use(id);
        if used.cpu > node.cpu || used.memory > node.memory {
            broken.push(format!("node {id} has more reserved than it has: {used:?}"));
        }
    }
}

fn no_address_is_held_twice(snapshot: &Snapshot, broken: &mut Vec<String>) {
    let mut holders = BTreeMap::new();
    for (name, unit) in snapshot.units.iter().filter(|(_, u)| u.holds_resources()) {
        let Placement::Bound { address, container_addresses, .. } = &unit.placement else { continue };
        for held in address.iter().map(|a| a.address).chain(container_addresses.iter().map(|(_, a)| *a)) {
            if let Some(other) = holders.insert(held, name) {
                broken.push(format!("address {held} is held by {other:?} and {name:?}"));
            }
        }
    }
}

fn every_unit_has_its_spec(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for (name, unit) in &snapshot.units {
        if !snapshot.specs.contains_key(&unit.spec) {
            broken.push(format!("{name:?} names spec {} which is not stored", unit.spec));
        }
    }
}

fn no_host_port_is_held_twice(snapshot: &Snapshot, broken: &mut Vec<String>) {
    let mut holders = BTreeMap::new();
    for (name, unit) in snapshot.units.iter().filter(|(_, u)| u.holds_resources()) {
        let Some(node) = unit.placement.node() else { continue };
        let Some(spec) = snapshot.specs.get(&unit.spec) else { continue };
        for (port, protocol) in spec.fixed_host_ports() {
            if let Some(other) = holders.insert((node.clone(), port, protocol), name) {
                broken.push(format!("host port {port} of {node} is held by {other:?} and {name:?}"));
            }
        }
    }
}
