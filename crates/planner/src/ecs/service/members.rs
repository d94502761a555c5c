//! A service's Units as its scheduler sees them: how each is, and whether it may stay where it is.

use super::Around;
use crate::rollout::moves::Tally;
use model::ecs::service::Service;
use model::ecs::{MembershipStatus, TaskFace};
use model::unit::{Capacity, Face, Health, Lifecycle, Placement, Unit};
use model::{NodeId, Snapshot, Timestamp, Versioned};
use std::sync::Arc;

pub(super) struct Member<'a> {
    pub(super) unit: &'a Versioned<Unit>,
    /// The slot set that it is of.
    pub(super) set: &'a Arc<str>,
    pub(super) phase: Phase,
    /// Its node is leaving the cluster, or lost.
    pub(super) displaced: bool,
    /// Until when it may not be stopped, if that is still to come.
    pub(super) protected_until: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    /// No node has room for it yet.
    Waiting,
    /// It has a node and does not run yet.
    Pending,
    /// It runs, and counts as healthy from a moment on, where that is known.
    Warming(Option<Timestamp>),
    Unhealthy,
    Healthy,
    /// Asked to stop, and takes part still.
    Leaving,
    /// It is being stopped, and takes part no more.
    Stopping,
    Over,
}

impl<'a> Member<'a> {
    pub(super) fn new(
        snapshot: &Snapshot,
        service: &Service,
        unit: &'a Versioned<Unit>,
        around: &Around<'_>,
    ) -> Option<Self> {
        let owner = unit.value.owner.as_ref()?;
        let protected_until = face(unit).protected_until.filter(|until| *until > around.now);
        let displaced = unit.placement.node().is_some_and(|node| is_leaving(snapshot, unit, node, around));
        Some(Self { unit, set: owner.set(), phase: phase(service, unit, around), displaced, protected_until })
    }

    pub(super) fn node(&self) -> Option<&'a NodeId> {
        self.unit.value.placement.node()
    }

    /// Its node is away for too long; a draining one is there.
    pub(super) fn is_lost(&self, snapshot: &Snapshot, around: &Around<'_>) -> bool {
        self.node().is_some_and(|node| is_lost(snapshot, node, around))
    }

    /// It runs or is to run, and was not asked to stop.
    pub(super) fn is_alive(&self) -> bool {
        self.phase < Phase::Leaving
    }

    pub(super) fn takes_part(&self) -> bool {
        self.phase <= Phase::Leaving
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Pending)
    }

    pub(super) fn count(&self, tally: &mut Tally) {
        let field = match (self.phase, self.displaced) {
            (Phase::Waiting, _) => &mut tally.waiting,
            (Phase::Pending, false) => &mut tally.pending,
            (Phase::Pending, true) => &mut tally.displaced_idle,
            (Phase::Warming(_), false) => &mut tally.warming,
            (Phase::Warming(_), true) => &mut tally.displaced_warming,
            (Phase::Healthy, false) => &mut tally.healthy,
            (Phase::Healthy, true) => &mut tally.displaced_healthy,
            (Phase::Unhealthy, _) => &mut tally.unhealthy,
            (Phase::Leaving, _) => &mut tally.leaving,
            (Phase::Stopping | Phase::Over, _) => return,
        };
        *field += 1;
    }
}

pub(super) fn face(unit: &Unit) -> &TaskFace {
    match &unit.face {
        Face::Ecs(face) => face,
    }
}

/// Draining or deregistered in the Unit's cluster, or away for so long that it counts as lost.
fn is_leaving(snapshot: &Snapshot, unit: &Unit, node: &NodeId, around: &Around<'_>) -> bool {
    let cluster = unit.name.cluster();
    let drains = unit.scheduling.capacity == Capacity::Instances
        && snapshot
            .memberships
            .get(&(cluster.clone(), node.clone()))
            .is_some_and(|membership| membership.status != MembershipStatus::Active);
    drains || is_lost(snapshot, node, around)
}

/// Away for longer than a network or an agent usually is, while most nodes are there: if most are away, it is more likely
/// that this server is, and nothing is replaced.
fn is_lost(snapshot: &Snapshot, node: &NodeId, around: &Around<'_>) -> bool {
    let Some(away) = lost_at(snapshot, node, around) else { return false };
    let connected = snapshot.nodes.values().filter(|node| node.connected).count();
    away <= around.now && 2 * connected > snapshot.nodes.len()
}

/// When a node that is away will count as lost.
pub(super) fn lost_at(snapshot: &Snapshot, node: &NodeId, around: &Around<'_>) -> Option<Timestamp> {
    let node = snapshot.nodes.get(node)?;
    let since = node.disconnected_at.filter(|_| !node.connected)?;
    Some(since.saturating_add_ms(around.settings.node_lost_after_ms))
}

fn phase(service: &Service, unit: &Unit, around: &Around<'_>) -> Phase {
    let lifecycle = unit.observed.lifecycle;
    if unit.is_over() {
        return Phase::Over;
    }
    if lifecycle >= Lifecycle::Stopping {
        return Phase::Stopping;
    }
    if unit.intent.stop.is_some() {
        return Phase::Leaving;
    }
    if !matches!(unit.placement, Placement::Bound { .. }) {
        return Phase::Waiting;
    }
    if lifecycle < Lifecycle::Running { Phase::Pending } else { health(service, unit, around) }
}

/// ECS API, `minimumHealthyPercent`: health checks decide where an essential container has one, else how long the task has run.
/// Within the grace period a failing check does not count.
fn health(service: &Service, unit: &Unit, around: &Around<'_>) -> Phase {
    let started = unit.observed.started_at.unwrap_or(unit.created_at);
    let is_checked = unit.observed.containers.iter().any(|container| container.essential && container.health.is_some());
    if !is_checked {
        let healthy_at = started.saturating_add_ms(around.settings.healthy_after_ms);
        return if healthy_at <= around.now { Phase::Healthy } else { Phase::Warming(Some(healthy_at)) };
    }
    match unit.observed.health() {
        Health::Healthy => Phase::Healthy,
        Health::Unknown => Phase::Warming(None),
        Health::Unhealthy => {
            let grace_ms = 1000 * u64::from(service.health_check_grace_s.unwrap_or(0));
            let counts_from = started.saturating_add_ms(grace_ms);
            if counts_from <= around.now { Phase::Unhealthy } else { Phase::Warming(Some(counts_from)) }
        }
    }
}

/// Whether a Unit that has ended had come up: it was, or would have been, counted as healthy.
pub(super) fn had_come_up(unit: &Unit, around: &Around<'_>) -> bool {
    let Some(started) = unit.observed.started_at else { return false };
    let is_checked = unit.observed.containers.iter().any(|container| container.essential && container.health.is_some());
    if is_checked {
        return unit.observed.health() == Health::Healthy;
    }
    let ended = unit.observed.stopping_at.or(unit.observed.stopped_at).unwrap_or(around.now);
    ended.since_ms(started) >= around.settings.healthy_after_ms
}
