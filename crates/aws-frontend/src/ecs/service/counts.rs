//! How many tasks of a service run and are to run, counted from its Units.

use crate::ecs::task::{self, reference};
use model::ecs::{MembershipStatus, Service};
use model::unit::{Capacity, Health, Lifecycle, Unit};
use model::{NodeId, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    pub(super) running: usize,
    /// On their way to running: with a node, or waiting for one that a capacity provider is to give.
    pub(super) pending: usize,
    /// Of the running ones those that fail a health check, or wait for its first verdict, or whose instance is draining.
    pub(super) unsteady: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.running += other.running;
        self.pending += other.pending;
        self.unsteady += other.unsteady;
    }
}

/// By the set that they are of.
pub(super) fn by_set(snapshot: &Snapshot, service: &Service) -> BTreeMap<Arc<str>, Counts> {
    let mut counts: BTreeMap<Arc<str>, Counts> = BTreeMap::new();
    for unit in snapshot.units_of_service(&service.id) {
        if let Some(owner) = unit.owner.as_ref().filter(|owner| *owner.uid() == service.uid) {
            *counts.entry(owner.set().clone()).or_default() += of(snapshot, unit);
        }
    }
    counts
}

pub(super) fn total(counts: &BTreeMap<Arc<str>, Counts>) -> Counts {
    let mut total = Counts::default();
    counts.values().for_each(|counts| total += *counts);
    total
}

fn of(snapshot: &Snapshot, unit: &Unit) -> Counts {
    let lifecycle = unit.observed.lifecycle;
    let comes = lifecycle < Lifecycle::Running && unit.intent.stop.is_none();
    let running = lifecycle == Lifecycle::Running;
    Counts {
        running: usize::from(running),
        pending: usize::from(comes && reference::is_task(unit) && !task::is_over(unit)),
        unsteady: usize::from(running && (is_unproven(unit) || is_leaving(snapshot, unit))),
    }
}

fn is_unproven(unit: &Unit) -> bool {
    let mut containers = unit.observed.containers.iter().filter(|container| container.essential);
    containers.any(|container| container.health.is_some_and(|health| health != Health::Healthy))
}

fn is_leaving(snapshot: &Snapshot, unit: &Unit) -> bool {
    let drains = |node: &NodeId| snapshot.membership(unit.name.cluster(), node).status != MembershipStatus::Active;
    unit.scheduling.capacity == Capacity::Instances && unit.placement.node().is_some_and(drains)
}
