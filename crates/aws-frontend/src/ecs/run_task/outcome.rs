//! What became of the tasks of a call: waits until each has a node or none, and says the latter in ECS's words.

use crate::ecs::task::{self, Tags};
use crate::ecs::{arn, errors, instance};
use aws_api::ecs::{Failure, Task};
use aws_protocol::ServiceError;
use model::unit::placement::Shortage;
use model::unit::{Capacity, Lifecycle, Observed, Placement, Refusal, Unit};
use model::{ClusterId, NodeId, Snapshot, UnitName};
use records::{Records, TouchedReceiver, Wake};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// After this a task that has no answer yet is shown as it is: it was accepted.
const DEADLINE: Duration = Duration::from_secs(20);

/// ECS's answer to a Fargate task that there is no room for.
const NO_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

/// One task of a call.
struct Awaited {
    name: UnitName,
    /// How often its record was written so far.
    version: u64,
    fate: Fate,
}

enum Fate {
    Undecided,
    Accepted(Arc<Unit>),
    Refused(Arc<Unit>),
    /// It was refused, and the reason was missed.
    Gone,
}

/// Tasks and failures as both operations answer them.
#[derive(Default, Debug)]
pub(in crate::ecs) struct Answer {
    pub(in crate::ecs) tasks: Vec<Task>,
    pub(in crate::ecs) failures: Vec<Failure>,
}

/// Waits for the fate of tasks whose commit `touched` was there to see.
///
/// A refused Unit may be deleted right after, so what counts is what each revision did, not what the newest one holds.
pub(in crate::ecs) async fn settle(
    records: &Records,
    mut touched: TouchedReceiver,
    names: Vec<UnitName>,
) -> Result<Answer, ServiceError> {
    let mut awaited: Vec<Awaited> =
        names.into_iter().map(|name| Awaited { name, version: 0, fate: Fate::Undecided }).collect();
    let places: HashMap<UnitName, usize> = awaited.iter().enumerate().map(|(i, a)| (a.name.clone(), i)).collect();
    let decided = async {
        while awaited.iter().any(|task| matches!(task.fate, Fate::Undecided)) {
            match touched.next().await {
                Some(Wake::Touched(touched)) => {
                    for (before, after) in &touched.units {
                        let unit = after.as_ref().or(before.as_ref());
                        let place = unit.and_then(|unit| places.get(&unit.name));
                        if let Some(&place) = place {
                            awaited[place].see(after.as_ref());
                        }
                    }
                }
                Some(Wake::Everything) => catch_up(&records.current(), &mut awaited),
                None => return false,
            }
        }
        true
    };
    match tokio::time::timeout(DEADLINE, decided).await {
        Ok(true) => {}
        Ok(false) => {
            return Err(errors::server("The server is shutting down. The tasks were accepted; list them later."));
        }
        Err(_) => {
            tracing::warn!("placement has not answered RunTask in time; the tasks are shown as they are");
            show_as_they_are(&records.current(), &mut awaited);
        }
    }
    Ok(answer(&records.current(), awaited))
}

impl Awaited {
    fn see(&mut self, after: Option<&Arc<Unit>>) {
        if !matches!(self.fate, Fate::Undecided) {
            return;
        }
        match after {
            None => self.fate = Fate::Gone,
            Some(unit) => {
                self.version += 1;
                self.fate = fate(unit);
            }
        }
    }
}

fn fate(unit: &Arc<Unit>) -> Fate {
    match unit.placement {
        Placement::Refused(_) => Fate::Refused(unit.clone()),
        Placement::Bound { .. } => Fate::Accepted(unit.clone()),
        Placement::Pending if !unit.is_answered() => Fate::Undecided,
        Placement::Pending => Fate::Accepted(unit.clone()),
    }
}

/// Some revisions were missed: the newest snapshot tells of all but those that are gone.
fn catch_up(snapshot: &Snapshot, awaited: &mut [Awaited]) {
    for task in awaited.iter_mut().filter(|task| matches!(task.fate, Fate::Undecided)) {
        task.fate = match snapshot.units.get(&task.name) {
            Some(unit) => {
                task.version = unit.version;
                fate(&unit.value)
            }
            None => Fate::Gone,
        };
    }
}

fn show_as_they_are(snapshot: &Snapshot, awaited: &mut [Awaited]) {
    catch_up(snapshot, awaited);
    for task in awaited.iter_mut().filter(|task| matches!(task.fate, Fate::Undecided)) {
        if let Some(unit) = snapshot.units.get(&task.name) {
            task.fate = Fate::Accepted(unit.value.clone());
        }
    }
}

fn answer(snapshot: &Snapshot, awaited: Vec<Awaited>) -> Answer {
    let mut answer = Answer::default();
    for task in awaited {
        match task.fate {
            Fate::Accepted(unit) => answer.tasks.push(accepted(snapshot, &unit, task.version)),
            Fate::Refused(unit) => {
                for failure in failures(snapshot, &unit) {
                    // Tasks of one call that fail alike are one failure of the instance.
                    if !answer.failures.contains(&failure) {
                        answer.failures.push(failure);
                    }
                }
            }
            Fate::Gone | Fate::Undecided => answer.failures.push(lost(&task.name)),
        }
    }
    answer
}

/// A task as it was accepted: what a Fargate task fails of comes to light after the answer.
fn accepted(snapshot: &Snapshot, unit: &Unit, version: u64) -> Task {
    let doomed = unit.placement == Placement::Pending && unit.observed.lifecycle == Lifecycle::Stopped;
    if doomed {
        let unit = Unit { observed: Observed::default(), ..unit.clone() };
        return task::convert(snapshot, &unit, version, Tags::Shown);
    }
    task::convert(snapshot, unit, version, Tags::Shown)
}

fn lost(name: &UnitName) -> Failure {
    Failure {
        arn: Some(arn::task(name.cluster(), name.short())),
        reason: Some("MISSING".to_owned()),
        detail: Some("No node took the task. Why, was missed on a busy server; run it again.".to_owned()),
    }
}

/// One failure for each instance that was looked at; Fargate shows none of them.
fn failures(snapshot: &Snapshot, unit: &Unit) -> Vec<Failure> {
    let Placement::Refused(refusal) = &unit.placement else { return Vec::new() };
    if unit.scheduling.capacity != Capacity::Instances {
        let node = refusal.nodes.iter().find(|(_, shortage)| *shortage == refusal.main).map(|(node, _)| node);
        let reason = match refusal.main {
            Shortage::Addresses { .. } => reason(&refusal.main),
            _ => NO_CAPACITY,
        };
        return vec![Failure {
            arn: None,
            reason: Some(reason.to_owned()),
            detail: Some(detail(snapshot, unit, node, &refusal.main)),
        }];
    }
    let cluster = unit.name.cluster();
    let failure = |node: Option<&NodeId>, shortage: &Shortage| Failure {
        arn: node.map(|node| arn::container_instance(cluster, &instance::instance_id(cluster, node))),
        reason: Some(reason(shortage).to_owned()),
        detail: Some(detail(snapshot, unit, node, shortage)),
    };
    let failures: Vec<Failure> =
        shown(refusal, snapshot, cluster).map(|(node, shortage)| failure(Some(node), shortage)).collect();
    if failures.is_empty() { vec![failure(None, &refusal.main)] } else { failures }
}

/// Nodes that are deregistered in the cluster are no instances of it any more.
fn shown<'a>(
    refusal: &'a Refusal,
    snapshot: &'a Snapshot,
    cluster: &'a ClusterId,
) -> impl Iterator<Item = &'a (NodeId, Shortage)> {
    let member = |node: &NodeId| snapshot.membership(cluster, node).status != model::ecs::MembershipStatus::Inactive;
    refusal.nodes.iter().filter(move |(node, _)| member(node))
}

/// Developer Guide, "Amazon ECS API failure reasons".
fn reason(shortage: &Shortage) -> &'static str {
    match shortage {
        Shortage::NoNode => "No Container Instances were found in your cluster.",
        Shortage::Agent => "AGENT",
        Shortage::NotActive => "INACTIVE",
        Shortage::Cpu => "RESOURCE:CPU",
        Shortage::Memory => "RESOURCE:MEMORY",
        Shortage::Ports { .. } => "RESOURCE:PORTS",
        Shortage::Addresses { .. } => "RESOURCE:ENI",
        Shortage::Attribute { .. } => "ATTRIBUTE",
        Shortage::Constraint { .. } => "MemberOf placement constraint unsatisfied.",
        Shortage::Distinct => "DistinctInstance placement constraint unsatisfied.",
    }
}

/// In plain words: which machine, and what it lacks.
fn detail(snapshot: &Snapshot, unit: &Unit, node: Option<&NodeId>, shortage: &Shortage) -> String {
    let node = node.and_then(|node| snapshot.nodes.get(node));
    let Some(node) = node else { return format!("{shortage}.") };
    let reserve = snapshot.specs.get(&unit.spec).map(|spec| spec.reserve);
    let used = snapshot.node_use(&node.id);
    let lack = match (shortage, reserve) {
        (Shortage::Cpu, Some(reserve)) => format!(
            "the task needs {} CPU units, {} of {} are free",
            reserve.cpu.ecs_units(),
            node.cpu.saturating_sub(used.cpu).ecs_units(),
            node.cpu.ecs_units()
        ),
        (Shortage::Memory, Some(reserve)) => format!(
            "the task needs {} MiB, {} of {} are free",
            reserve.memory.mib(),
            node.memory.saturating_sub(used.memory).mib(),
            node.memory.mib()
        ),
        _ => shortage.to_string(),
    };
    format!("{}: {lack}.", node.hostname)
}
