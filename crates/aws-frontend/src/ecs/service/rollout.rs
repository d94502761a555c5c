//! Service deployments as ECS shows them: what was asked, and how far the scheduler has come with it.

use super::deployments::{self, Set};
use super::{configuration, counts, show, word};
use crate::ecs::arn;
use crate::ecs::task::time;
use aws_api::ecs;
use aws_api::ecs::values::{
    deployment_lifecycle_hook_status, deployment_lifecycle_hook_target_type,
    service_deployment_rollback_monitors_status,
};
use model::ecs::deployment::{DeploymentStatus, DeploymentStrategy, HookState, HookStatus, StopKind};
use model::ecs::service::Controller;
use model::ecs::{Deployment, DeploymentState, Service};
use model::snapshot::Versioned;
use model::{ClusterId, Scope, ServiceId, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All traffic, in thousandths.
const ALL_PERMILLE: u32 = 1000;

/// The deployment of an ARN.
pub(in crate::ecs) fn find<'s>(snapshot: &'s Snapshot, scope: &Scope, arn: &str) -> Option<&'s Versioned<Deployment>> {
    snapshot.deployments.get(&key(scope, "service-deployment", arn)?)
}

/// The service and the last part of an ARN of something that a service has.
pub(in crate::ecs) fn key(scope: &Scope, kind: &str, arn: &str) -> Option<(ServiceId, Arc<str>)> {
    let name = arn::resource(scope, kind, arn).ok().filter(|name| *name != arn)?;
    let [cluster, service, id] = name.split('/').collect::<Vec<_>>().try_into().ok()?;
    let cluster = ClusterId { scope: scope.clone(), name: cluster.into() };
    Some((ServiceId { cluster, name: service.into() }, id.into()))
}

pub(in crate::ecs) fn progress<'s>(
    snapshot: &'s Snapshot,
    deployment: &Deployment,
) -> Option<&'s Versioned<DeploymentState>> {
    snapshot.deployment_states.get(&(deployment.service.clone(), deployment.id.clone()))
}

/// The status, with a wish to stop that its scheduler has not heard of. What was never begun and never will be has stopped.
pub(in crate::ecs) fn status(snapshot: &Snapshot, deployment: &Deployment) -> DeploymentStatus {
    let known = progress(snapshot, deployment).map(|progress| progress.status);
    let asked = deployment.stop.as_ref().map(|ask| match ask.kind {
        StopKind::Abort => DeploymentStatus::StopRequested,
        StopKind::Rollback => DeploymentStatus::RollbackRequested,
    });
    match known {
        Some(DeploymentStatus::Pending | DeploymentStatus::InProgress) | None if !is_current(snapshot, deployment) => {
            DeploymentStatus::Stopped
        }
        Some(known @ (DeploymentStatus::Pending | DeploymentStatus::InProgress)) => asked.unwrap_or(known),
        Some(known) => known,
        None => asked.unwrap_or(DeploymentStatus::Pending),
    }
}

/// What its scheduler says of it, or why none ever will.
fn reason(snapshot: &Snapshot, deployment: &Deployment) -> Option<String> {
    let why = match progress(snapshot, deployment) {
        Some(progress) => return progress.reason.clone(),
        None if is_current(snapshot, deployment) => return None,
        None if service(snapshot, deployment).is_some_and(|service| service.deleted_at.is_none()) => {
            "a newer one was started"
        }
        None => "the service was deleted",
    };
    Some(format!("Service deployment stopped because {why}."))
}

/// Whether its service is to reach it.
fn is_current(snapshot: &Snapshot, deployment: &Deployment) -> bool {
    service(snapshot, deployment)
        .is_some_and(|service| service.deleted_at.is_none() && service.deployment.as_ref() == Some(&deployment.id))
}

/// The service that it was asked for.
fn service<'s>(snapshot: &'s Snapshot, deployment: &Deployment) -> Option<&'s Service> {
    let service = snapshot.services.get(&deployment.service)?;
    (service.uid == deployment.service_uid).then_some(&*service.value)
}

/// As ListServiceDeployments shows it.
pub(in crate::ecs) fn brief(snapshot: &Snapshot, deployment: &Deployment) -> ecs::ServiceDeploymentBrief {
    let progress = progress(snapshot, deployment);
    ecs::ServiceDeploymentBrief {
        service_deployment_arn: Some(arn::service_deployment(&deployment.service, &deployment.id)),
        service_arn: Some(arn::service(&deployment.service)),
        cluster_arn: Some(arn::cluster(&deployment.service.cluster)),
        started_at: time(progress.and_then(|progress| progress.started_at)),
        created_at: time(Some(deployment.created_at)),
        finished_at: time(progress.and_then(|progress| progress.finished_at)),
        target_service_revision_arn: Some(arn::service_revision(&deployment.service, &deployment.target)),
        status: word(status(snapshot, deployment)),
        status_reason: reason(snapshot, deployment),
    }
}

/// As DescribeServiceDeployments shows it.
pub(in crate::ecs) fn whole(snapshot: &Snapshot, deployment: &Deployment) -> ecs::ServiceDeployment {
    let progress = progress(snapshot, deployment).map(|progress| &*progress.value);
    let status = status(snapshot, deployment);
    let tasks = Tasks::of(snapshot, deployment);
    let weight = progress.map_or(0, |progress| progress.weight_permille);
    let rollback = progress.and_then(|progress| progress.rollback.as_ref());
    ecs::ServiceDeployment {
        service_deployment_arn: Some(arn::service_deployment(&deployment.service, &deployment.id)),
        service_arn: Some(arn::service(&deployment.service)),
        cluster_arn: Some(arn::cluster(&deployment.service.cluster)),
        created_at: time(Some(deployment.created_at)),
        started_at: time(progress.and_then(|progress| progress.started_at)),
        finished_at: time(progress.and_then(|progress| progress.finished_at)),
        stopped_at: time(progress.and_then(|progress| progress.stopped_at)),
        updated_at: time(Some(progress.map_or(deployment.created_at, |progress| progress.updated_at))),
        source_service_revisions: Some(
            deployment
                .source
                .iter()
                .map(|number| tasks.summary(deployment, number, ALL_PERMILLE.saturating_sub(weight)))
                .collect(),
        ),
        target_service_revision: Some(tasks.summary(deployment, &deployment.target, weight)),
        status: word(status),
        status_reason: reason(snapshot, deployment),
        lifecycle_stage: progress.and_then(|progress| word(progress.stage)),
        lifecycle_hook_details: progress
            .filter(|progress| !progress.hooks.is_empty())
            .map(|progress| progress.hooks.iter().map(|state| hook(deployment, state)).collect()),
        deployment_configuration: Some(configuration::show(&deployment.configuration, Controller::Ecs)),
        rollback: rollback.map(|rollback| ecs::Rollback {
            reason: Some(rollback.reason.clone()),
            started_at: time(Some(rollback.started_at)),
            service_revision_arn: Some(arn::service_revision(&deployment.service, &rollback.revision)),
        }),
        deployment_circuit_breaker: Some(breaker(deployment, progress, status)),
        alarms: deployment.configuration.alarms.as_ref().map(|alarms| {
            let triggered = progress.map(|progress| progress.alarms_triggered.clone()).unwrap_or_default();
            ecs::ServiceDeploymentAlarms {
                status: Some(monitor(alarms.enable, !triggered.is_empty(), status)),
                alarm_names: Some(alarms.names.clone()),
                triggered_alarm_names: Some(triggered),
            }
        }),
    }
}

/// What there is now of a deployment's revisions.
struct Tasks {
    sets: Vec<Set>,
    counts: BTreeMap<Arc<str>, counts::Counts>,
}

impl Tasks {
    fn of(snapshot: &Snapshot, deployment: &Deployment) -> Self {
        match service(snapshot, deployment) {
            Some(service) => {
                Self { sets: deployments::sets(snapshot, service), counts: counts::by_set(snapshot, service) }
            }
            None => Self { sets: Vec::new(), counts: BTreeMap::new() },
        }
    }

    /// The share of traffic is shown where it moves apart from the tasks.
    fn summary(&self, deployment: &Deployment, number: &str, permille: u32) -> ecs::ServiceRevisionSummary {
        let (desired, counts) = deployments::of_revision(&self.sets, &self.counts, number);
        let shifts = deployment.configuration.strategy != DeploymentStrategy::Rolling;
        ecs::ServiceRevisionSummary {
            arn: Some(arn::service_revision(&deployment.service, number)),
            requested_task_count: i32::try_from(desired).ok(),
            running_task_count: Some(show::saturated(counts.running)),
            pending_task_count: Some(show::saturated(counts.pending)),
            requested_test_traffic_weight: None,
            requested_production_traffic_weight: shifts.then(|| f64::from(permille) / 10.0),
        }
    }
}

fn breaker(
    deployment: &Deployment,
    progress: Option<&DeploymentState>,
    status: DeploymentStatus,
) -> ecs::ServiceDeploymentCircuitBreaker {
    let is_enabled = deployment.configuration.breaker.as_ref().is_some_and(|breaker| breaker.enable);
    let is_triggered = progress.is_some_and(|progress| progress.breaker_triggered);
    let number = |value: u32| i32::try_from(value).ok();
    ecs::ServiceDeploymentCircuitBreaker {
        status: Some(monitor(is_enabled, is_triggered, status)),
        failure_count: number(progress.map_or(0, |progress| progress.failures)),
        threshold: progress.and_then(|progress| number(progress.failure_threshold)),
    }
}

fn monitor(is_enabled: bool, is_triggered: bool, status: DeploymentStatus) -> String {
    use service_deployment_rollback_monitors_status as monitor;
    let name = match (is_enabled, is_triggered) {
        (false, _) => monitor::DISABLED,
        (true, true) => monitor::TRIGGERED,
        (true, false) if status.is_final() => monitor::MONITORING_COMPLETE,
        (true, false) => monitor::MONITORING,
    };
    name.to_owned()
}

/// One that was answered is in progress until its scheduler has heard of it.
fn hook(deployment: &Deployment, state: &HookState) -> ecs::DeploymentLifecycleHookDetail {
    let is_answered = deployment.answers.iter().any(|answer| answer.hook == state.id);
    let configured = deployment.configuration.hooks.get(state.hook as usize);
    ecs::DeploymentLifecycleHookDetail {
        hook_id: Some(state.id.to_string()),
        target_type: Some(deployment_lifecycle_hook_target_type::PAUSE.to_owned()),
        target_arn: None,
        status: match state.status {
            HookStatus::AwaitingAction if is_answered => Some(deployment_lifecycle_hook_status::IN_PROGRESS.to_owned()),
            status => word(status),
        },
        expires_at: time(Some(state.expires_at)),
        timeout_action: configured.and_then(|hook| word(hook.on_timeout)),
    }
}
