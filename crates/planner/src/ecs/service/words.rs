//! What users are told, in ECS's words (Developer Guide, "Amazon ECS service event messages"): tools search for these texts.

use model::ecs::service::{Controller, Service};
use model::unit::placement::Shortage;
use model::unit::{Capacity, Refusal, Unit};
use model::{NodeId, UnitName};

const TROUBLESHOOTING: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

/// Who acts: the service, or a task set of it where those are the users' own.
pub(super) fn subject(service: &Service, set: &str) -> String {
    match service.controller {
        Controller::External => format!("(service {}, taskSet {set})", service.id.name),
        Controller::Ecs | Controller::CodeDeploy => format!("(service {})", service.id.name),
    }
}

pub(super) fn steady(service: &str) -> String {
    format!("(service {service}) has reached a steady state.")
}

pub(super) fn completed(service: &str, set: &str) -> String {
    format!("(service {service}) (deployment {set}) deployment completed.")
}

pub(super) fn failed(service: &str, set: &str, why: &str) -> String {
    format!("(service {service}) (deployment {set}) deployment failed: {why}.")
}

pub(super) fn rolling_back(service: &str, set: &str) -> String {
    format!("(service {service}) rolling back to deployment {set}.")
}

/// How many of a set's tasks were asked to stop, and which.
pub(super) fn stopped(prefix: &str, units: &[&UnitName]) -> String {
    let tasks: Vec<String> = units.iter().map(|unit| format!("(task {})", unit.short())).collect();
    format!("{prefix} has stopped {} running tasks: {}.", units.len(), tasks.join(" "))
}

/// How many tasks were started, and which: the sentence after the subject.
pub fn started(units: &[&str]) -> String {
    let tasks: Vec<String> = units.iter().map(|unit| format!("(task {unit})")).collect();
    format!("has started {} tasks: {}.", units.len(), tasks.join(" "))
}

pub(super) fn failed_health_checks(service: &str, unit: &UnitName) -> String {
    format!("(service {service}) (task {}) failed container health checks.", unit.short())
}

pub(super) fn inconsistent(service: &str) -> String {
    format!("(service {service}) is unable to consistently start tasks successfully. {TROUBLESHOOTING}")
}

pub(super) fn refused(service: &str, reason: &str) -> String {
    format!("(service {service}) was unable to start a task. Reason: {reason}")
}

/// The reason that stopped tasks show.
pub(super) fn scaling(set: &str) -> String {
    format!("Scaling activity initiated by (deployment {set})")
}

pub(super) const DRAINING: &str = "Task stopped because its container instance is draining or was deregistered";
pub(super) const LOST: &str = "Task stopped because its container instance is disconnected";
pub(super) const UNHEALTHY: &str = "Task failed container health checks";
pub(super) const DELETED: &str = "Task stopped because its service was deleted";

/// Why no node takes a task.
pub(super) fn shortage(service: &str, refusal: &Refusal, unit: &Unit) -> String {
    if unit.scheduling.capacity != Capacity::Instances {
        return format!(
            "(service {service}) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again \
             later or in a different availability zone. {TROUBLESHOOTING}"
        );
    }
    let reason = match &refusal.main {
        Shortage::NoNode => "No Container Instances were found in your cluster.".to_owned(),
        main => {
            let closest = refusal.nodes.iter().find(|(_, shortage)| shortage == main).map(|(node, _)| node);
            format!("The closest matching {}{}.", instance(closest), lacks(main))
        }
    };
    format!(
        "(service {service}) was unable to place a task because no container instance met all of its requirements. Reason: \
         {reason} {TROUBLESHOOTING}"
    )
}

fn instance(node: Option<&NodeId>) -> String {
    node.map_or_else(|| "container-instance ".to_owned(), |node| format!("(container-instance {node}) "))
}

fn lacks(shortage: &Shortage) -> String {
    match shortage {
        Shortage::NoNode => "does not exist".to_owned(),
        Shortage::Agent => "encountered error \"AGENT\"".to_owned(),
        Shortage::NotActive => "is not active".to_owned(),
        Shortage::Cpu => "has insufficient CPU units available".to_owned(),
        Shortage::Memory => "has insufficient memory available".to_owned(),
        Shortage::Ports { .. } => "is already using a port required by your task".to_owned(),
        Shortage::Addresses { subnet } => format!("has no address left in {subnet}"),
        Shortage::Attribute { name } => format!("is missing an attribute required by your task: {name}"),
        Shortage::Constraint { expression } => {
            format!("encountered error \"MemberOf placement constraint unsatisfied: {expression}\"")
        }
        Shortage::Distinct => "encountered error \"DistinctInstance placement constraint unsatisfied\"".to_owned(),
    }
}
