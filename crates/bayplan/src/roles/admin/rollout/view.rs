//! What is told of a deployment: a pure function of a snapshot, and the form in which it reaches the command line.

use super::super::services::{self, SetView};
use model::ecs::deployment::{DeploymentStatus, DeploymentStrategy, HookAction, HookStatus, Stage, StopKind};
use model::ecs::service::{Service, ServiceEvent};
use model::ecs::{Deployment, DeploymentState};
use model::{ServiceId, Snapshot, Timestamp};
use planner::rollout::Bounds;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One line of the stream; the JSON keys are stable.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Told {
    /// How the deployment stands, whole: the first line, then each time that it stands otherwise.
    State(Box<State>),
    /// What the service's scheduler said since the deployment was asked for.
    Event(EventView),
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// When the server said so.
    pub(crate) at_ms: u64,
    #[serde(flatten)]
    pub(crate) view: View,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) service: String,
    pub(crate) cluster: String,
    pub(crate) deployment: String,
    pub(crate) deployment_arn: String,
    /// None of the service's deployments is newer.
    pub(crate) newest: bool,
    pub(crate) status: DeploymentStatus,
    pub(crate) reason: Option<String>,
    /// What the service ran when the deployment was asked for; nothing where it was new.
    pub(crate) from: Vec<Revision>,
    pub(crate) to: Revision,
    pub(crate) strategy: String,
    pub(crate) desired: u32,
    pub(crate) min_healthy: u32,
    /// None while both revisions stay whole.
    pub(crate) max_tasks: Option<u32>,
    pub(crate) stage: Option<Stage>,
    pub(crate) sets: Vec<SetView>,
    pub(crate) failures: u32,
    /// None where it is off.
    pub(crate) breaker: Option<BreakerView>,
    pub(crate) alarms_triggered: Vec<String>,
    /// Until when no task is started, because those before did not stay up.
    pub(crate) throttled_until_ms: Option<u64>,
    /// Why a task that waits gets no node, or why none can be made.
    pub(crate) shortage: Option<String>,
    /// Those that are waited for.
    pub(crate) hooks: Vec<HookView>,
    /// The target's share of the traffic, in thousandths; None where a deployment moves none.
    pub(crate) traffic_permille: Option<u32>,
    pub(crate) rollback: Option<RollbackView>,
    /// What a user asked for.
    pub(crate) stop: Option<StopKind>,
    pub(crate) created_at_ms: u64,
    pub(crate) finished_at_ms: Option<u64>,
}

impl View {
    /// Healthy tasks, and all that are there, whichever revision they are of; those that are told to stop count as neither.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let tasks = self.sets.iter().map(|set| set.tasks);
        tasks.fold((0, 0), |(healthy, all), of| (healthy + of.healthy, all + of.waiting + of.pending + of.running))
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    pub(crate) revision: String,
    /// As family:revision.
    pub(crate) task_definition: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakerView {
    pub(crate) threshold: u32,
    pub(crate) rolls_back: bool,
    pub(crate) triggered: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HookView {
    pub(crate) hook: String,
    pub(crate) stage: Stage,
    pub(crate) expires_at_ms: u64,
    pub(crate) on_timeout: HookAction,
    /// What answers it.
    pub(crate) command: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct RollbackView {
    pub(crate) reason: String,
    pub(crate) to: Revision,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    pub(crate) number: u64,
    pub(crate) at_ms: u64,
    pub(crate) message: String,
}

/// How a deployment stands; None if it, or its service, is stored no more.
pub(super) fn view(snapshot: &Snapshot, id: &ServiceId, deployment: &Arc<str>, now: Timestamp) -> Option<View> {
    let service = &*snapshot.services.get(id)?.value;
    let key = (id.clone(), deployment.clone());
    let asked = &*snapshot.deployments.get(&key)?.value;
    let progress = snapshot.deployment_states.get(&key).map(|state| &*state.value);
    let sets = services::sets(snapshot, service);
    let desired = desired(service, &sets);
    let configuration = &asked.configuration;
    let bounds = Bounds::from_percent(desired, configuration.maximum_percent, configuration.minimum_healthy_percent);
    let is_two_sided = configuration.strategy != DeploymentStrategy::Rolling && !asked.source.is_empty();
    let revision = |number: &Arc<str>| Revision {
        revision: number.to_string(),
        task_definition: services::definition(snapshot, id, number),
    };
    let rolled_back = progress.and_then(|progress| progress.rollback.as_ref());
    let state = services::state(snapshot, service);
    let throttled_until = state.and_then(|state| state.throttle.until).filter(|until| *until > now);
    Some(View {
        service: id.name.to_string(),
        cluster: id.cluster.name.to_string(),
        deployment: deployment.to_string(),
        deployment_arn: aws_frontend::ecs::service_deployment_arn(id, deployment),
        newest: service.deployment.as_ref() == Some(deployment),
        status: progress.map_or(DeploymentStatus::Pending, |progress| progress.status),
        reason: progress.and_then(|progress| progress.reason.clone()),
        from: asked.source.iter().map(revision).collect(),
        to: revision(&asked.target),
        strategy: strategy(configuration.strategy).to_owned(),
        desired,
        min_healthy: if is_two_sided { desired } else { bounds.min_healthy },
        max_tasks: (!is_two_sided).then_some(bounds.max),
        stage: progress.map(|progress| progress.stage),
        sets,
        failures: progress.map_or(0, |progress| progress.failures),
        breaker: breaker(asked, progress),
        alarms_triggered: progress.map(|progress| progress.alarms_triggered.clone()).unwrap_or_default(),
        throttled_until_ms: throttled_until.map(|until| until.unix_ms()),
        shortage: state.and_then(|state| state.told_shortage.clone()),
        hooks: hooks(asked, progress),
        traffic_permille: progress.filter(|_| is_two_sided).map(|progress| progress.weight_permille),
        rollback: rolled_back
            .map(|rollback| RollbackView { reason: rollback.reason.clone(), to: revision(&rollback.revision) }),
        stop: asked.stop.as_ref().map(|stop| stop.kind),
        created_at_ms: asked.created_at.unix_ms(),
        finished_at_ms: progress.and_then(|progress| progress.finished_at).map(|at| at.unix_ms()),
    })
}

/// Of a daemon service the scheduler says how many tasks are wanted.
fn desired(service: &Service, sets: &[SetView]) -> u32 {
    use model::ecs::service::{SchedulingStrategy, SetRole};
    match service.scheduling {
        SchedulingStrategy::Replica => service.desired_count,
        SchedulingStrategy::Daemon => {
            sets.iter().find(|set| set.role == Some(SetRole::Primary)).map_or(0, |set| set.desired)
        }
    }
}

fn strategy(strategy: DeploymentStrategy) -> &'static str {
    match strategy {
        DeploymentStrategy::Rolling => "ROLLING",
        DeploymentStrategy::BlueGreen => "BLUE_GREEN",
        DeploymentStrategy::Linear { .. } => "LINEAR",
        DeploymentStrategy::Canary { .. } => "CANARY",
    }
}

fn breaker(asked: &Deployment, progress: Option<&DeploymentState>) -> Option<BreakerView> {
    let breaker = asked.configuration.breaker.as_ref().filter(|breaker| breaker.enable)?;
    let progress = progress?;
    Some(BreakerView {
        threshold: progress.failure_threshold,
        rolls_back: breaker.rollback,
        triggered: progress.breaker_triggered,
    })
}

/// The hooks that hold the deployment at its stage, each with what answers it.
pub(crate) fn hooks(asked: &Deployment, progress: Option<&DeploymentState>) -> Vec<HookView> {
    let Some(progress) = progress.filter(|progress| !progress.status.is_final()) else { return Vec::new() };
    let arn = aws_frontend::ecs::service_deployment_arn(&asked.service, &asked.id);
    let waits =
        progress.hooks.iter().filter(|hook| hook.stage == progress.stage && hook.status == HookStatus::AwaitingAction);
    let shown = waits.map(|hook| HookView {
        hook: hook.id.to_string(),
        stage: hook.stage,
        expires_at_ms: hook.expires_at.unix_ms(),
        on_timeout: asked
            .configuration
            .hooks
            .get(hook.hook as usize)
            .map_or(HookAction::Rollback, |configured| configured.on_timeout),
        command: format!(
            "aws ecs continue-service-deployment --service-deployment-arn {arn} --hook-id {} --action CONTINUE",
            hook.id
        ),
    });
    shown.collect()
}

/// What the scheduler has said of a deployment's time, from an event's number on.
pub(super) fn events(snapshot: &Snapshot, asked: &Deployment, from: u64) -> Vec<EventView> {
    let id = &asked.service;
    let finished = snapshot.deployment_states.get(&(id.clone(), asked.id.clone())).and_then(|state| state.finished_at);
    let is_of_it = |event: &ServiceEvent| {
        event.service_uid == asked.service_uid
            && event.at >= asked.created_at
            && finished.is_none_or(|finished| event.at <= finished)
    };
    let all = snapshot.service_events.range((id.clone(), from)..).take_while(|((of, _), _)| of == id);
    all.filter(|(_, event)| is_of_it(event))
        .map(|((_, number), event)| EventView {
            number: *number,
            at_ms: event.at.unix_ms(),
            message: event.message.clone(),
        })
        .collect()
}
