//! What must hold in every snapshot, in plain words; tests, the simulator and `bayplan doctor` ask the same question.

use crate::ecs::service::SetRole;
use crate::snapshot::Snapshot;
use crate::unit::{Placement, Unit};
use std::collections::BTreeMap;

/// Every broken rule of a snapshot, one sentence each; empty when all hold.
pub fn check(snapshot: &Snapshot) -> Vec<String> {
    let mut broken = Vec::new();
    no_node_is_overfull(snapshot, &mut broken);
    no_address_is_held_twice(snapshot, &mut broken);
    every_unit_has_its_spec(snapshot, &mut broken);
    no_host_port_is_held_twice(snapshot, &mut broken);
    no_service_has_two_primary_sets(snapshot, &mut broken);
    no_ended_service_has_tasks(snapshot, &mut broken);
    no_event_is_to_be_written_again(snapshot, &mut broken);
    every_ended_deployment_says_when(snapshot, &mut broken);
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

fn no_service_has_two_primary_sets(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for (id, state) in &snapshot.service_states {
        let primary = state.sets.iter().filter(|set| set.role == SetRole::Primary).count();
        if primary > 1 {
            broken.push(format!("service {} has {primary} primary sets", id.name));
        }
    }
}

fn no_ended_service_has_tasks(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for (id, state) in snapshot.service_states.iter().filter(|(_, state)| state.inactive_since.is_some()) {
        let is_of_it = |unit: &Unit| unit.owner.as_ref().is_some_and(|owner| *owner.uid() == state.service_uid);
        for unit in snapshot.units_of_service(id).filter(|unit| is_of_it(unit) && !unit.is_over()) {
            broken.push(format!("service {} has ended, and its task {} has not", id.name, unit.name.short()));
        }
    }
}

fn no_event_is_to_be_written_again(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for (id, state) in &snapshot.service_states {
        let written = snapshot.service_events.range((id.clone(), state.next_event)..);
        for ((_, number), _) in written.take_while(|((service, _), _)| service == id) {
            broken.push(format!("event {number} of service {} is there, and is to be written next", id.name));
        }
    }
}

fn every_ended_deployment_says_when(snapshot: &Snapshot, broken: &mut Vec<String>) {
    for ((service, deployment), state) in &snapshot.deployment_states {
        if state.status.is_final() != state.finished_at.is_some() {
            let words = if state.status.is_final() { "has ended at no time" } else { "has ended, and goes on" };
            broken.push(format!("deployment {deployment} of service {} {words}", service.name));
        }
    }
}
