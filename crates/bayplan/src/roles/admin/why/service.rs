//! Why a service is as it is; what is said is a function of a snapshot and the time.

use super::super::rollout::view::{self, HookView};
use super::super::services::{self, SetView};
use super::{Explanation, task};
use model::ecs::deployment::{DeploymentStatus, HookAction};
use model::ecs::service::{Controller, Service, ServiceEvent, ServiceState, SetRole};
use model::ecs::{Deployment, DeploymentState};
use model::unit::{Lifecycle, Placement, Refusal, StopCause, Unit};
use model::{Snapshot, Timestamp};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// Events and failed tasks that are shown.
const LAST_EVENTS: usize = 5;
const LAST_FAILED: usize = 3;

/// What bears on a service, looked up once.
pub(super) struct Seen<'a> {
    service: &'a Service,
    now: Timestamp,
    state: Option<&'a ServiceState>,
    deployment: Option<&'a Deployment>,
    progress: Option<&'a DeploymentState>,
    /// What the newest deployment is to run.
    target: Option<String>,
    sets: Vec<SetView>,
    hooks: Vec<HookView>,
    /// Tasks that no node has taken.
    waiting: Vec<&'a Unit>,
    /// Tasks that ended without being asked to, or for their health; the newest first.
    failed: Vec<&'a Unit>,
    /// The oldest first.
    events: Vec<&'a ServiceEvent>,
}

impl<'a> Seen<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, service: &'a Service, now: Timestamp) -> Self {
        let key = service.deployment.clone().map(|deployment| (service.id.clone(), deployment));
        let deployment = key.as_ref().and_then(|key| snapshot.deployments.get(key)).map(|asked| &*asked.value);
        let progress = key.as_ref().and_then(|key| snapshot.deployment_states.get(key)).map(|state| &*state.value);
        let is_waiting = |unit: &&Unit| {
            matches!(unit.placement, Placement::Pending) && unit.intent.stop.is_none() && !unit.is_over()
        };
        Self {
            service,
            now,
            state: services::state(snapshot, service),
            deployment,
            progress,
            target: deployment.map(|asked| services::definition(snapshot, &service.id, &asked.target)),
            sets: services::sets(snapshot, service),
            hooks: deployment.map(|asked| view::hooks(asked, progress)).unwrap_or_default(),
            waiting: services::units(snapshot, service).filter(is_waiting).collect(),
            failed: failed(snapshot, service, deployment),
            events: events(snapshot, service),
        }
    }

    /// What it runs, or is to run, as family:revision.
    pub(super) fn definition(&self) -> Option<&str> {
        let primary = self.sets.iter().find(|set| set.role == Some(SetRole::Primary));
        primary.map(|set| set.task_definition.as_str()).or(self.target.as_deref())
    }

    /// The task whose last words say most.
    pub(super) fn last_failed(&self) -> Option<&'a Unit> {
        self.failed.first().copied()
    }

    fn shortage(&self) -> Option<&'a Refusal> {
        self.waiting.iter().find_map(|unit| task::shortage(unit))
    }

    fn total(&self, of: fn(&SetView) -> usize) -> usize {
        self.sets.iter().map(of).sum()
    }
}

/// Failures since the newest deployment was asked for.
fn failed<'a>(snapshot: &'a Snapshot, service: &'a Service, deployment: Option<&Deployment>) -> Vec<&'a Unit> {
    let since = deployment.map_or(service.created_at, |asked| asked.created_at);
    let has_failed = |unit: &&Unit| {
        let is_of_it = unit.owner.as_ref().is_some_and(|owner| *owner.uid() == service.uid);
        let cause = unit.observed.stop.as_ref().map(|stop| stop.cause);
        let by_itself = matches!(cause, Some(StopCause::EssentialContainerExited | StopCause::FailedToStart));
        let is_sick = unit.intent.stop.as_ref().is_some_and(|stop| stop.reason.contains("health checks"));
        let is_new = ended(unit) >= since;
        is_of_it && is_new && (is_sick || by_itself && unit.intent.stop.is_none())
    };
    let units = snapshot.units_of_cluster(&service.id.cluster).map(|(_, unit)| &*unit.value);
    let mut failed: Vec<&Unit> = units.filter(has_failed).collect();
    failed.sort_by_key(|unit| Reverse(ended(unit)));
    failed.truncate(LAST_FAILED);
    failed
}

fn ended(unit: &Unit) -> Timestamp {
    unit.observed.stopped_at.or(unit.observed.stopping_at).unwrap_or(unit.created_at)
}

fn events<'a>(snapshot: &'a Snapshot, service: &'a Service) -> Vec<&'a ServiceEvent> {
    let from = (service.id.clone(), 0);
    let all = snapshot.service_events.range(from..).take_while(|((of, _), _)| *of == service.id);
    let of_it = all.map(|(_, event)| &*event.value).filter(|event| event.service_uid == service.uid);
    let all: Vec<&ServiceEvent> = of_it.collect();
    all[all.len().saturating_sub(LAST_EVENTS)..].to_vec()
}

pub(super) fn explain(seen: &Seen<'_>) -> Explanation {
    let (what, next) = cause(seen);
    Explanation { what, evidence: evidence(seen), next }
}

/// The cause in a sentence, and the next step: what stands in the way first.
fn cause(seen: &Seen<'_>) -> (String, String) {
    deleted(seen)
        .or_else(|| held_by_a_hook(seen))
        .or_else(|| without_room(seen))
        .or_else(|| not_admitted(seen))
        .or_else(|| slowed_down(seen))
        .or_else(|| deploying(seen))
        .unwrap_or_else(|| settled(seen))
}

fn deleted(seen: &Seen<'_>) -> Option<(String, String)> {
    seen.service.deleted_at?;
    let left = seen.total(|set| set.tasks.waiting + set.tasks.pending + set.tasks.running + set.tasks.stopping);
    Some(match left {
        0 => (
            "It was deleted, and its last task has stopped.".to_owned(),
            "aws ecs create-service may use its name again".to_owned(),
        ),
        _ => (format!("It was deleted; {left} of its tasks have not stopped yet."), "bayplan ps".to_owned()),
    })
}

fn held_by_a_hook(seen: &Seen<'_>) -> Option<(String, String)> {
    let hook = seen.hooks.first()?;
    let otherwise = match hook.on_timeout {
        HookAction::Continue => "goes on",
        HookAction::Rollback => "rolls back",
    };
    let stage = word(&hook.stage);
    let minutes = Timestamp::from_unix_ms(hook.expires_at_ms).since_ms(seen.now).div_ceil(60_000);
    let what = format!(
        "Its deployment{} waits at {stage} for an answer to a hook; without one it {otherwise} in {minutes} min.",
        of_target(seen)
    );
    Some((what, hook.command.clone()))
}

fn without_room(seen: &Seen<'_>) -> Option<(String, String)> {
    let refusal = seen.shortage()?;
    let count = seen.waiting.len();
    let tasks = if count == 1 { "one of its tasks".to_owned() } else { format!("{count} of its tasks") };
    Some((format!("No node takes {tasks}: {}.", refusal.main), task::make_room(&refusal.main)))
}

/// What admission said stays said while starts wait for it; with a task that waits it is that task's shortage.
fn not_admitted(seen: &Seen<'_>) -> Option<(String, String)> {
    let state = seen.state?;
    let said = state.told_shortage.as_ref().filter(|_| state.throttle.until.is_some() && seen.waiting.is_empty())?;
    let reason = said.split_once("Reason: ").map_or(said.as_str(), |(_, reason)| reason);
    let next = format!(
        "mend what the reason names, then: aws ecs update-service{} --service {} --force-new-deployment",
        cluster_flag(seen.service),
        seen.service.id.name
    );
    Some((format!("No task of it can be made: {reason}"), next))
}

fn slowed_down(seen: &Seen<'_>) -> Option<(String, String)> {
    let throttle = &seen.state?.throttle;
    let until = throttle.until.filter(|until| *until > seen.now)?;
    let wait_s = until.since_ms(seen.now).div_ceil(1000);
    let what = format!(
        "Its tasks do not come up, or do not stay: {} in a row have failed; the next one starts in {wait_s} s.",
        throttle.failures
    );
    Some((what, after_failure(seen)))
}

fn deploying(seen: &Seen<'_>) -> Option<(String, String)> {
    seen.deployment?;
    let name = &seen.service.id.name;
    let follow = format!("bayplan rollout {name}{}", cluster_flag(seen.service));
    let Some(progress) = seen.progress else {
        return Some((format!("Its deployment{} has not begun.", of_target(seen)), follow));
    };
    let reason = progress.reason.as_deref().unwrap_or("no reason was given");
    let now_runs = seen.definition().unwrap_or("what it ran before");
    use DeploymentStatus::*;
    Some(match progress.status {
        Successful => return None,
        Pending | InProgress | StopRequested => (under_way(seen, progress), follow),
        RollbackRequested | RollbackInProgress => (format!("It is going back to {now_runs}: {reason}"), follow),
        RollbackSuccessful => {
            let what =
                format!("Its deployment{} was rolled back, and it runs {now_runs} again: {reason}", of_target(seen));
            (what, after_failure(seen))
        }
        RollbackFailed => {
            (format!("Its deployment{} failed, and so did going back: {reason}", of_target(seen)), after_failure(seen))
        }
        Stopped => {
            (format!("Its deployment{} was ended where it stood: {reason}", of_target(seen)), after_failure(seen))
        }
    })
}

fn under_way(seen: &Seen<'_>, progress: &DeploymentState) -> String {
    let primary = seen.sets.iter().find(|set| set.role == Some(SetRole::Primary));
    let (healthy, desired) = primary.map_or((0, 0), |set| (set.tasks.healthy, set.desired));
    let failures = match progress.failures {
        0 => String::new(),
        1 => "; one task has failed".to_owned(),
        count => format!("; {count} tasks have failed"),
    };
    format!(
        "Its deployment{} is at {}: {healthy} of {desired} tasks are healthy{failures}.",
        of_target(seen),
        word(&progress.stage)
    )
}

fn settled(seen: &Seen<'_>) -> (String, String) {
    let healthy = seen.total(|set| set.tasks.healthy);
    let wanted: u32 = seen.sets.iter().map(|set| set.desired).sum();
    let runs = seen.definition().map(|definition| format!(" of {definition}")).unwrap_or_default();
    let what = match (seen.service.controller, wanted) {
        (Controller::External, _) => {
            format!("Its deployments are an external controller's; {healthy} of {wanted} tasks are healthy.")
        }
        (_, 0) => "It is to have no task.".to_owned(),
        _ if healthy == wanted as usize => format!("It is steady: {healthy} of {wanted} tasks{runs} are healthy."),
        _ => format!("It is getting back to what it is to have: {healthy} of {wanted} tasks{runs} are healthy."),
    };
    let next = if healthy < wanted as usize { after_failure(seen) } else { "bayplan ps".to_owned() };
    (what, next)
}

/// What the last failed task asks for; without one, where to look.
fn after_failure(seen: &Seen<'_>) -> String {
    match seen.last_failed() {
        Some(unit) => task::after_the_end(unit, unit.observed.stop.as_ref().map_or("", |stop| stop.reason.as_str())),
        None => "bayplan ps --all shows its tasks, and bayplan why TASK what became of one".to_owned(),
    }
}

fn of_target(seen: &Seen<'_>) -> String {
    seen.target.as_ref().map(|target| format!(" of {target}")).unwrap_or_default()
}

fn cluster_flag(service: &Service) -> String {
    match &*service.id.cluster.name {
        "default" => String::new(),
        cluster => format!(" --cluster {cluster}"),
    }
}

/// ECS's word for a value that the records spell as ECS does.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn evidence(seen: &Seen<'_>) -> Vec<Value> {
    let mut evidence = Vec::new();
    if let Some((asked, progress)) = seen.deployment.zip(seen.progress) {
        evidence.push(deployment(seen, asked, progress));
    }
    evidence.extend(seen.sets.iter().map(|set| json!(set)));
    if let Some(until) = seen.state.and_then(|state| state.throttle.until).filter(|until| *until > seen.now) {
        let failures = seen.state.map_or(0, |state| state.throttle.failures);
        evidence.push(json!({ "throttledUntilMs": until.unix_ms(), "failures": failures }));
    }
    evidence.extend(seen.hooks.iter().map(|hook| json!(hook)));
    evidence.extend(seen.shortage().into_iter().flat_map(task::nodes));
    evidence.extend(seen.failed.iter().map(|unit| failure(unit)));
    evidence.extend(seen.events.iter().map(|event| json!({ "event": event.message, "atMs": event.at.unix_ms() })));
    evidence
}

fn deployment(seen: &Seen<'_>, asked: &Deployment, progress: &DeploymentState) -> Value {
    let breaker = asked.configuration.breaker.as_ref().filter(|breaker| breaker.enable);
    json!({
        "deployment": asked.id,
        "status": progress.status,
        "stage": progress.stage,
        "taskDefinition": seen.target,
        "reason": progress.reason,
        "failures": progress.failures,
        "threshold": breaker.map(|_| progress.failure_threshold),
        "breakerTriggered": progress.breaker_triggered,
    })
}

fn failure(unit: &Unit) -> Value {
    let is_over = unit.observed.lifecycle == Lifecycle::Stopped;
    let asked = unit.intent.stop.as_ref().map(|stop| &stop.reason);
    json!({
        "failedTask": unit.uid.as_str(),
        "taskDefinition": services::definition_of(unit),
        "reason": asked.or(unit.observed.stop.as_ref().map(|stop| &stop.reason)),
        "stoppedAtMs": is_over.then(|| ended(unit).unix_ms()),
        "containers": unit.observed.containers.iter().map(task::container).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
