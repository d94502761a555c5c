//! Services as the command line shows them: counted from their Units, with what their scheduler has stored beside it.

use super::Admin;
use model::ecs::deployment::DeploymentStatus;
use model::ecs::service::{Controller, SchedulingStrategy, Service, ServiceState, SetRole, SlotSet};
use model::unit::{Face, Lifecycle, Placement, Unit};
use model::{ServiceId, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many tasks of a set have come how far. Those that are over are not counted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Tasks {
    /// No node has taken them yet.
    pub(crate) waiting: usize,
    /// They have a node and do not run yet.
    pub(crate) pending: usize,
    pub(crate) running: usize,
    /// Of the running ones.
    pub(crate) healthy: usize,
    /// Asked to stop, or stopping.
    pub(crate) stopping: usize,
}

/// The tasks of one revision of a service; the JSON keys are stable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetView {
    /// `ecs-svc/…`, what ECS shows as the id of one of the service's `deployments`.
    pub(crate) set: String,
    /// None when the scheduler has let go of it and its last tasks are stopping.
    pub(crate) role: Option<SetRole>,
    /// As family:revision.
    pub(crate) task_definition: String,
    pub(crate) desired: u32,
    #[serde(flatten)]
    pub(crate) tasks: Tasks,
}

impl Admin {
    pub(super) fn services(&self) -> Value {
        let snapshot = self.records.current();
        let live = snapshot.services.values().filter(|service| !is_over(&snapshot, service));
        Value::Array(live.map(|service| row(&snapshot, service)).collect())
    }
}

/// A service as `ps --services` shows it; the JSON keys are stable.
fn row(snapshot: &Snapshot, service: &Service) -> Value {
    let sets = sets(snapshot, service);
    let total = |of: fn(&Tasks) -> usize| -> usize { sets.iter().map(|set| of(&set.tasks)).sum() };
    let primary = sets.iter().find(|set| set.role == Some(SetRole::Primary));
    let is_replica = service.scheduling == SchedulingStrategy::Replica;
    json!({
        "name": service.id.name,
        "cluster": service.id.cluster.name,
        "status": if service.deleted_at.is_some() { "DRAINING" } else { "ACTIVE" },
        "taskDefinition": primary.map(|set| &set.task_definition),
        "desired": if is_replica { service.desired_count } else { primary.map_or(0, |set| set.desired) },
        "waiting": total(|tasks| tasks.waiting),
        "pending": total(|tasks| tasks.pending),
        "running": total(|tasks| tasks.running),
        "healthy": total(|tasks| tasks.healthy),
        "stopping": total(|tasks| tasks.stopping),
        "deployment": newest_deployment(snapshot, service),
        "createdAtMs": service.created_at.unix_ms(),
    })
}

/// Deleted, and its last task has stopped.
pub(super) fn is_over(snapshot: &Snapshot, service: &Service) -> bool {
    service.deleted_at.is_some() && state(snapshot, service).is_none_or(|state| state.inactive_since.is_some())
}

/// How far the newest deployment is; None where deployments are the user's own affair.
fn newest_deployment(snapshot: &Snapshot, service: &Service) -> Option<DeploymentStatus> {
    let id = service.deployment.clone().filter(|_| service.controller != Controller::External)?;
    let state = snapshot.deployment_states.get(&(service.id.clone(), id));
    Some(state.map_or(DeploymentStatus::Pending, |state| state.status))
}

/// What the scheduler has stored of this service, and not of a former one of the name; None before it has looked.
pub(super) fn state<'s>(snapshot: &'s Snapshot, service: &Service) -> Option<&'s ServiceState> {
    let state = snapshot.service_states.get(&service.id)?;
    (state.service_uid == service.uid).then_some(&*state.value)
}

/// The Units of this service that its scheduler still has to do with.
pub(super) fn units<'s>(snapshot: &'s Snapshot, service: &'s Service) -> impl Iterator<Item = &'s Unit> + 's {
    let of_it = |unit: &&Unit| unit.owner.as_ref().is_some_and(|owner| *owner.uid() == service.uid);
    snapshot.units_of_service(&service.id).map(|unit| &*unit.value).filter(of_it)
}

/// The sets of a service, the primary one first, then those of which tasks are left.
pub(super) fn sets(snapshot: &Snapshot, service: &Service) -> Vec<SetView> {
    let mut counted: BTreeMap<Arc<str>, (Tasks, String)> = BTreeMap::new();
    for unit in units(snapshot, service).filter(|unit| !unit.is_over()) {
        let Some(owner) = &unit.owner else { continue };
        let (tasks, _) = counted.entry(owner.set().clone()).or_insert_with(|| (Tasks::default(), definition_of(unit)));
        count(unit, tasks);
    }
    let known = state(snapshot, service).map(|state| state.sets.as_slice()).unwrap_or_default();
    let mut shown: Vec<SetView> =
        known.iter().map(|set| known_set(snapshot, service, set, counted.remove(&set.id))).collect();
    shown.extend(counted.into_iter().map(|(set, (tasks, task_definition))| SetView {
        set: set.to_string(),
        role: None,
        task_definition,
        desired: 0,
        tasks,
    }));
    shown
}

fn known_set(snapshot: &Snapshot, service: &Service, set: &SlotSet, counted: Option<(Tasks, String)>) -> SetView {
    let mut tasks = counted.map(|(tasks, _)| tasks).unwrap_or_default();
    // The scheduler decides what counts as healthy; what has ended since is not.
    tasks.healthy = (set.healthy as usize).min(tasks.running);
    SetView {
        set: set.id.to_string(),
        role: Some(set.role),
        task_definition: definition(snapshot, &service.id, &set.revision),
        desired: set.desired,
        tasks,
    }
}

fn count(unit: &Unit, tasks: &mut Tasks) {
    let is_bound = matches!(unit.placement, Placement::Bound { .. });
    let field = match unit.observed.lifecycle {
        _ if unit.intent.stop.is_some() => &mut tasks.stopping,
        Lifecycle::Stopping | Lifecycle::Stopped => &mut tasks.stopping,
        _ if !is_bound => &mut tasks.waiting,
        Lifecycle::Accepted | Lifecycle::Preparing => &mut tasks.pending,
        Lifecycle::Running => &mut tasks.running,
    };
    *field += 1;
}

/// What a revision runs, as family:revision.
pub(super) fn definition(snapshot: &Snapshot, service: &ServiceId, number: &Arc<str>) -> String {
    match snapshot.service_revisions.get(&(service.clone(), number.clone())) {
        Some(revision) => format!("{}:{}", revision.task_definition.family, revision.task_definition.revision),
        None => format!("revision {number}"),
    }
}

/// What a task runs, as family:revision.
pub(crate) fn definition_of(unit: &Unit) -> String {
    let Face::Ecs(face) = &unit.face;
    format!("{}:{}", face.task_definition.family, face.task_definition.revision)
}

/// The name of the service that a task is of.
pub(crate) fn service_of(unit: &Unit) -> Option<&str> {
    unit.owner.as_ref().map(|owner| &*owner.service().name)
}
