//! The `deployments` of a service: its sets of tasks, as its scheduler has left them or, before it looked, as they will be.

use super::counts::Counts;
use super::{Status, show, state, status, upcoming, word};
use crate::ecs::arn;
use crate::ecs::task::time;
use aws_api::ecs;
use model::ecs::service::{Controller, Rollout, SchedulingStrategy, SetRole, SlotSet};
use model::ecs::{Deployment, Service};
use model::{Snapshot, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One set of tasks.
pub(super) struct Set {
    pub(super) id: Arc<str>,
    pub(super) revision: Arc<str>,
    pub(super) desired: u32,
    role: SetRole,
    rollout: Rollout,
    reason: Option<String>,
    failed_tasks: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The sets of a service, the primary one first; none once it is over, and none where they are task sets.
pub(super) fn sets(snapshot: &Snapshot, service: &Service) -> Vec<Set> {
    if service.controller == Controller::External || status(snapshot, service) == Status::Inactive {
        return Vec::new();
    }
    let upcoming = upcoming(snapshot, service);
    let known = state(snapshot, service).map(|state| state.sets.as_slice()).unwrap_or_default();
    let as_known = known.iter().map(|set| match upcoming {
        // What has been primary is not any more.
        Some(_) => Set { role: SetRole::Active, ..Set::known(service, set) },
        None => Set::known(service, set),
    });
    upcoming.map(|deployment| Set::upcoming(service, deployment)).into_iter().chain(as_known).collect()
}

/// What is wanted and what there is of a revision, in all sets of it.
pub(super) fn of_revision(sets: &[Set], counts: &BTreeMap<Arc<str>, Counts>, revision: &str) -> (u32, Counts) {
    let (mut desired, mut total) = (0u32, Counts::default());
    for set in sets.iter().filter(|set| &*set.revision == revision) {
        desired = desired.saturating_add(set.desired);
        total += counts.get(&set.id).copied().unwrap_or_default();
    }
    (desired, total)
}

impl Set {
    fn known(service: &Service, set: &SlotSet) -> Self {
        // ECS API, Deployment: what was specified, not what the scheduler has come to. Of a failed one it wants less.
        let is_whole = set.role == SetRole::Primary
            && set.rollout != Rollout::Failed
            && service.scheduling == SchedulingStrategy::Replica;
        Self {
            id: set.id.clone(),
            revision: set.revision.clone(),
            desired: if is_whole { service.desired_count } else { set.desired },
            role: set.role,
            rollout: set.rollout,
            reason: set.rollout_reason.clone(),
            failed_tasks: set.failed_tasks,
            created_at: set.created_at,
            updated_at: set.updated_at,
        }
    }

    fn upcoming(service: &Service, deployment: &Deployment) -> Self {
        let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
        Self {
            id: deployment.set.clone(),
            revision: deployment.target.clone(),
            desired: if is_daemon { 0 } else { service.desired_count },
            role: SetRole::Primary,
            rollout: Rollout::InProgress,
            reason: None,
            failed_tasks: 0,
            created_at: deployment.created_at,
            updated_at: deployment.created_at,
        }
    }

    fn reason(&self) -> Option<String> {
        let said = self.reason.clone();
        said.or_else(|| match self.rollout {
            Rollout::InProgress => Some(format!("ECS deployment {} in progress.", self.id)),
            Rollout::Completed => Some(format!("ECS deployment {} completed.", self.id)),
            Rollout::Failed => None,
        })
    }
}

pub(super) fn show(
    snapshot: &Snapshot,
    service: &Service,
    sets: &[Set],
    counts: &BTreeMap<Arc<str>, Counts>,
) -> Vec<ecs::Deployment> {
    let each = sets.iter().map(|set| {
        let revision = snapshot.service_revisions.get(&(service.id.clone(), set.revision.clone()));
        let revision = revision.map(|revision| &*revision.value);
        let counts = counts.get(&set.id).copied().unwrap_or_default();
        ecs::Deployment {
            id: Some(set.id.to_string()),
            status: Some(if set.role == SetRole::Primary { "PRIMARY" } else { "ACTIVE" }.to_owned()),
            task_definition: revision.map(|revision| arn::task_definition(&revision.task_definition)),
            desired_count: i32::try_from(set.desired).ok(),
            pending_count: Some(show::saturated(counts.pending)),
            running_count: Some(show::saturated(counts.running)),
            failed_tasks: i32::try_from(set.failed_tasks).ok(),
            created_at: time(Some(set.created_at)),
            updated_at: time(Some(set.updated_at)),
            capacity_provider_strategy: revision.and_then(show::providers),
            launch_type: revision.and_then(show::launch_type),
            platform_version: revision.and_then(show::platform_version),
            platform_family: revision.and_then(show::platform_family),
            network_configuration: revision.and_then(show::network),
            rollout_state: word(set.rollout),
            rollout_state_reason: set.reason(),
            ..Default::default()
        }
    });
    each.collect()
}
