//! Why a task is as it is; what is said is a function of its record alone.

use super::Explanation;
use model::unit::placement::Shortage;
use model::unit::{ContainerObserved, ContainerState, Health, Lifecycle, Placement, Refusal, Unit};
use serde_json::{Value, json};

pub(super) fn explain(unit: &Unit) -> Explanation {
    let mut evidence: Vec<Value> = unit.observed.containers.iter().map(container).collect();
    evidence.extend(shortage(unit).into_iter().flat_map(nodes));
    let (what, next) = cause(unit);
    Explanation { what, evidence, next }
}

pub(super) fn container(c: &ContainerObserved) -> Value {
    json!({
        "container": c.name,
        "state": match c.state {
            ContainerState::Pending | ContainerState::Created => "pending",
            ContainerState::Running => "running",
            ContainerState::Stopped => "stopped",
        },
        "exitCode": c.exit_code,
        "outOfMemory": c.oom_killed,
        "reason": c.reason,
        "restarts": c.restarts,
        "health": c.health.map(|h| match h {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }),
    })
}

/// Why no node takes a task: of one that was refused, or that still waits.
pub(super) fn shortage(unit: &Unit) -> Option<&Refusal> {
    match &unit.placement {
        Placement::Refused(refusal) => Some(refusal),
        Placement::Pending if unit.intent.stop.is_none() => unit.waits_for.as_deref(),
        _ => None,
    }
}

pub(super) fn nodes(refusal: &Refusal) -> impl Iterator<Item = Value> {
    refusal.nodes.iter().map(|(node, lacks)| json!({ "node": node.as_str(), "lacks": lacks.to_string() }))
}

/// What ends a shortage.
pub(super) fn make_room(shortage: &Shortage) -> String {
    match shortage {
        Shortage::NoNode => "bayplan doctor shows whether this machine's agent is connected".to_owned(),
        Shortage::Agent => "bayplan doctor shows why the agent is away".to_owned(),
        Shortage::NotActive => {
            "aws ecs update-container-instances-state --status ACTIVE takes an instance back".to_owned()
        }
        Shortage::Cpu | Shortage::Memory => {
            "stop something (bayplan ps), or let the task definition ask for less".to_owned()
        }
        Shortage::Ports { .. } => "stop what holds the port (bayplan ps), or use hostPort 0 for a free one".to_owned(),
        Shortage::Addresses { subnet } => format!("name another subnet than {subnet}, or stop tasks that are in it"),
        Shortage::Attribute { .. } | Shortage::Constraint { .. } => {
            "aws ecs list-attributes shows what the instances have; change the constraint, or put the attribute"
                .to_owned()
        }
        Shortage::Distinct => {
            "distinctInstance takes one task a node: ask for fewer, or drop the constraint".to_owned()
        }
    }
}

/// The cause in a sentence, and the next step.
fn cause(unit: &Unit) -> (String, String) {
    let logs = format!("bayplan logs {}", short(unit));
    if let Placement::Refused(refusal) = &unit.placement {
        return (format!("No node takes it: {}.", refusal.main), make_room(&refusal.main));
    }
    if let Some(stop) = &unit.observed.stop {
        let verb = if unit.observed.lifecycle == Lifecycle::Stopped { "It has stopped" } else { "It is stopping" };
        return (format!("{verb}: {}", stop.reason), after_the_end(unit, &stop.reason));
    }
    match (&unit.placement, unit.observed.lifecycle) {
        (Placement::Pending, _) => waiting(unit),
        (_, Lifecycle::Running) if unit.observed.health() == Health::Unhealthy => {
            ("It runs, but its health check fails.".to_owned(), logs)
        }
        (_, Lifecycle::Running) => ("It runs.".to_owned(), logs),
        _ => {
            let is_coming =
                |c: &&ContainerObserved| matches!(c.state, ContainerState::Pending | ContainerState::Created);
            let coming: Vec<&str> = unit.observed.containers.iter().filter(is_coming).map(|c| &*c.name).collect();
            (format!("It is being started; not running yet: {}.", coming.join(", ")), logs)
        }
    }
}

fn waiting(unit: &Unit) -> (String, String) {
    if let Some(stop) = &unit.intent.stop {
        let next = "nothing of it ever ran; run it again if it was wanted".to_owned();
        return (format!("It was stopped before a node took it: {}", stop.reason), next);
    }
    match &unit.waits_for {
        Some(refusal) => (format!("It waits for a node with room: {}.", refusal.main), make_room(&refusal.main)),
        None => ("It waits for a node with room.".to_owned(), "bayplan doctor shows what the nodes have".to_owned()),
    }
}

/// The step after a task has ended, or while it ends.
pub(super) fn after_the_end(unit: &Unit, reason: &str) -> String {
    let logs = format!("bayplan logs {}", short(unit));
    let killed = unit.observed.containers.iter().find(|c| c.oom_killed);
    let failed = unit.observed.containers.iter().find(|c| c.essential && c.exit_code.is_some_and(|code| code != 0));
    match (killed, failed) {
        (Some(c), _) => format!("give container {} more memory, or find its leak: {logs}", c.name),
        _ if reason.contains("CannotPullContainerError") => {
            "import the image that the reason names, then run the task again".to_owned()
        }
        (None, Some(c)) => {
            format!("container {} ended with exit code {}: {logs}", c.name, c.exit_code.unwrap_or_default())
        }
        (None, None) => logs,
    }
}

/// What a user who wants to look into a task is told when it has ended: why, with which codes, and what to do instead.
pub(in super::super) fn not_running(unit: &Unit) -> Option<String> {
    if unit.observed.lifecycle != Lifecycle::Stopped {
        return None;
    }
    let reason = unit.observed.stop.as_ref().map_or("for no reason that is known", |stop| stop.reason.as_str());
    let ends: Vec<String> = unit.observed.containers.iter().filter_map(end).collect();
    let ends = if ends.is_empty() { String::new() } else { format!(" ({})", ends.join("; ")) };
    let id = short(unit);
    Some(format!(
        "task {id} is not running. It has stopped: {}{ends}\nnext: bayplan logs {id} shows what it wrote, bayplan why {id} explains its end; run it again to look inside",
        reason.trim_end_matches('.'),
    ))
}

/// How a container ended, where that is known.
fn end(container: &ContainerObserved) -> Option<String> {
    let name = &container.name;
    match (container.exit_code, &container.reason) {
        (Some(code), _) if container.oom_killed => Some(format!("container {name}: exit code {code}, out of memory")),
        (Some(code), _) => Some(format!("container {name}: exit code {code}")),
        (None, Some(reason)) => Some(format!("container {name}: {reason}")),
        (None, None) => None,
    }
}

/// As much of a task's id as people read.
pub(super) fn short(unit: &Unit) -> &str {
    let id = unit.uid.as_str();
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, exited, running};
    use super::*;
    use test_support::Wish;

    #[test]
    fn who_wants_to_look_into_a_stopped_task_is_told_its_reason_its_codes_and_the_next_step() {
        let mut unit = Wish::default().unit("1", at(0));
        exited(3)(&mut unit);
        let words = not_running(&unit).unwrap();
        for part in [
            "not running",
            "Essential container in task exited",
            "container main: exit code 3",
            "bayplan logs",
            "bayplan why",
        ] {
            assert!(words.contains(part), "{part} is missing: {words}");
        }
    }

    #[test]
    fn a_container_that_never_ran_is_told_by_its_reason_and_with_no_code() {
        let mut unit = Wish::default().unit("1", at(0));
        exited(0)(&mut unit);
        unit.observed.containers[0].exit_code = None;
        unit.observed.containers[0].reason = Some("CannotPullContainerError: no such image".to_owned());
        let words = not_running(&unit).unwrap();
        assert!(words.contains("container main: CannotPullContainerError") && !words.contains("exit code"), "{words}");
    }

    #[test]
    fn a_task_that_runs_may_be_looked_into() {
        let mut unit = Wish::default().unit("1", at(0));
        running(&mut unit);
        assert_eq!(not_running(&unit), None);
        unit.observed.lifecycle = Lifecycle::Stopping;
        assert_eq!(not_running(&unit), None);
    }
}
