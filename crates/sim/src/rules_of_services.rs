//! What must hold of services after every step, in plain words; and what a step did to them, in words too.
//!
//! What the scheduler did is judged by what it saw: a snapshot that is a little old is no fault of it. Whatever else befalls a
//! service, tasks that die among them, is not held against it.

use crate::server::SETTINGS;
use imbl::ordmap::DiffItem;
use model::ecs::deployment::{
    Deployment, DeploymentConfiguration, DeploymentState, DeploymentStatus, DeploymentStrategy, Stage,
};
use model::ecs::service::{Rollout, SchedulingStrategy, Service, ServiceEvent};
use model::ecs::{MembershipStatus, ServiceState};
use model::unit::{Face, Health, Lifecycle, Unit};
use model::{NodeId, ServiceId, Snapshot, Timestamp};
use planner::rollout::Bounds;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One step, as the rules look at it.
pub(crate) struct Step<'a> {
    pub(crate) before: &'a Snapshot,
    /// What the scheduler looked at, if it took a turn.
    pub(crate) seen: &'a Snapshot,
    pub(crate) after: &'a Snapshot,
    pub(crate) now: Timestamp,
}

/// What is known of services beside what is stored.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Revisions that a deployment has completed with, by the service's uid.
    completed: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// What a step did to the Units of one service.
#[derive(Default)]
struct Moved<'a> {
    started: Vec<&'a Unit>,
    stopped: Vec<&'a Unit>,
}

impl Ledger {
    /// The rules about what a step did. Adds a line for each thing it did.
    pub(crate) fn compare(&mut self, step: &Step<'_>, story: &mut Vec<String>) -> Vec<String> {
        let mut broken = Vec::new();
        self.deployments(step, story, &mut broken);
        let moved = moved(step);
        for (id, moved) in &moved {
            let Some(service) = step.after.services.get(*id) else {
                broken.push(format!("{} has tasks that began or end, and is not there", id.name));
                continue;
            };
            let mut demand = |holds: bool, words: String| {
                if !holds {
                    broken.push(format!("{}: {words}", id.name));
                }
            };
            starts_are_wanted(step, service, &moved.started, &mut demand);
            stops_are_allowed(step, service, &moved.stopped, &mut demand);
        }
        events(step, &moved, story, &mut broken);
        broken
    }

    fn deployments(&mut self, step: &Step<'_>, story: &mut Vec<String>, broken: &mut Vec<String>) {
        for item in step.before.deployment_states.diff(&step.after.deployment_states) {
            let ((id, deployment), old, new) = match item {
                DiffItem::Add(id, new) => (id, None, new),
                DiffItem::Update { old: (id, old), new: (_, new) } => (id, Some(old), new),
                DiffItem::Remove(..) => continue,
            };
            let mut demand = |holds: bool, words: &str| {
                if !holds {
                    broken.push(format!("{deployment} of {} {words}", id.name));
                }
            };
            if old.is_none_or(|old| (old.status, old.stage) != (new.status, new.stage)) {
                let why = new.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                story.push(format!("{deployment} of {} is {:?} in {:?}{why}", id.name, new.status, new.stage));
            }
            if let Some(old) = old {
                demand(!old.status.is_final() || old.value == new.value, "changed after its end");
                demand(new.stage >= old.stage, "went back to an earlier stage");
                let goes_back = |status| status >= DeploymentStatus::RollbackInProgress;
                let goes_on = goes_back(new.status) || new.status.is_final();
                demand(!goes_back(old.status) || goes_on, "went back, and then forward again");
            }
            let Some(asked) = step.after.deployments.get(&(id.clone(), deployment.clone())) else { continue };
            self.ends(step.after, asked, new, &mut demand);
        }
    }

    /// A rollback goes to, and ends on, a revision that had completed.
    fn ends(
        &mut self,
        after: &Snapshot,
        asked: &Deployment,
        state: &DeploymentState,
        demand: &mut impl FnMut(bool, &str),
    ) {
        let key = |revision: &Arc<str>| (asked.service_uid.clone(), revision.clone());
        if state.status == DeploymentStatus::Successful {
            self.completed.insert(key(&asked.target));
        }
        let is_back =
            matches!(state.status, DeploymentStatus::RollbackInProgress | DeploymentStatus::RollbackSuccessful);
        if !is_back {
            return;
        }
        let Some(rollback) = &state.rollback else { return demand(false, "is rolled back to nothing") };
        demand(self.completed.contains(&key(&rollback.revision)), "is rolled back to a revision that never completed");
        let service =
            after.service_states.get(&asked.service).filter(|service| service.service_uid == asked.service_uid);
        if state.status == DeploymentStatus::RollbackSuccessful
            && let Some(service) = service
        {
            demand(
                service.completed.as_ref() == Some(&rollback.revision),
                "was rolled back and is not where it was to be",
            );
        }
    }
}

fn moved<'a>(step: &Step<'a>) -> BTreeMap<&'a ServiceId, Moved<'a>> {
    let mut moved: BTreeMap<&ServiceId, Moved<'_>> = BTreeMap::new();
    for item in step.before.units.diff(&step.after.units) {
        match item {
            DiffItem::Add(_, new) => {
                if let Some(owner) = &new.owner {
                    moved.entry(owner.service()).or_default().started.push(&new.value);
                }
            }
            DiffItem::Update { old: (_, old), new: (_, new) } => {
                let by_scheduler = |unit: &Unit| {
                    unit.intent.stop.as_ref().is_some_and(|stop| stop.by == model::unit::StopCause::SchedulerInitiated)
                };
                if let Some(owner) = &new.owner
                    && old.intent.stop.is_none()
                    && by_scheduler(new)
                {
                    moved.entry(owner.service()).or_default().stopped.push(&new.value);
                }
            }
            DiffItem::Remove(..) => {}
        }
    }
    moved
}

/// Units of this very service.
fn units<'a>(snapshot: &'a Snapshot, service: &'a Service) -> impl Iterator<Item = &'a Unit> {
    let units = snapshot.units_of_service(&service.id).map(|unit| &*unit.value);
    units.filter(|unit| unit.owner.as_ref().is_some_and(|owner| *owner.uid() == service.uid))
}

fn set_of(unit: &Unit) -> Option<&Arc<str>> {
    unit.owner.as_ref().map(|owner| owner.set())
}

/// Wanted: it runs or is to, and nobody asked it to stop.
pub(crate) fn is_wanted(unit: &Unit) -> bool {
    !unit.is_over() && unit.observed.lifecycle < Lifecycle::Stopping && unit.intent.stop.is_none()
}

/// It counts towards the maximum: that it was asked to stop does not mean that it has.
fn takes_part(unit: &Unit) -> bool {
    !unit.is_over() && unit.observed.lifecycle < Lifecycle::Stopping
}

fn is_checked(unit: &Unit) -> bool {
    unit.observed.containers.iter().any(|container| container.essential && container.health.is_some())
}

/// It runs, and its health check or its age says that it is well.
pub(crate) fn is_healthy(unit: &Unit, now: Timestamp) -> bool {
    let well = match is_checked(unit) {
        true => unit.observed.health() == Health::Healthy,
        false => {
            let started = unit.observed.started_at.unwrap_or(unit.created_at);
            started.saturating_add_ms(SETTINGS.healthy_after_ms) <= now
        }
    };
    is_wanted(unit) && unit.observed.lifecycle == Lifecycle::Running && well
}

fn is_unhealthy(unit: &Unit) -> bool {
    is_checked(unit) && unit.observed.health() == Health::Unhealthy
}

/// Its node is there and stays.
fn may_stay(snapshot: &Snapshot, unit: &Unit) -> bool {
    let Some(node) = unit.placement.node().or(unit.scheduling.node.as_ref()) else { return true };
    snapshot.nodes.get(node).is_some_and(|node| node.connected) && is_active(snapshot, unit.name.cluster(), node)
}

fn is_active(snapshot: &Snapshot, cluster: &model::ClusterId, node: &NodeId) -> bool {
    let membership = snapshot.memberships.get(&(cluster.clone(), node.clone()));
    membership.is_none_or(|membership| membership.status == MembershipStatus::Active)
}

/// Tasks that a service is to have.
pub(crate) fn desired(snapshot: &Snapshot, service: &Service) -> u32 {
    match service.scheduling {
        SchedulingStrategy::Replica => service.desired_count,
        SchedulingStrategy::Daemon => {
            let active = snapshot.nodes.keys().filter(|node| is_active(snapshot, &service.id.cluster, node)).count();
            u32::try_from(active).unwrap_or(u32::MAX)
        }
    }
}

fn under_way<'a>(snapshot: &'a Snapshot, service: &Service) -> Option<(&'a Deployment, &'a DeploymentState)> {
    let key = (service.id.clone(), service.deployment.clone()?);
    let state = snapshot.deployment_states.get(&key)?;
    (!state.status.is_final()).then(|| snapshot.deployments.get(&key).map(|asked| (&*asked.value, &*state.value)))?
}

/// The bounds that may have been in force in a step: it may have begun or ended a deployment. None while two revisions stay whole
/// beside each other.
fn bounds(step: &Step<'_>, service: &Service) -> Option<Vec<Bounds>> {
    let mut configurations: Vec<&DeploymentConfiguration> = vec![&service.configuration];
    if let Some(id) = &service.deployment
        && let Some(asked) = step.after.deployments.get(&(service.id.clone(), id.clone()))
    {
        let is_over = |snapshot: &Snapshot| {
            let state = snapshot.deployment_states.get(&(service.id.clone(), id.clone()));
            state.is_some_and(|state| state.status.is_final())
        };
        if !is_over(step.before) {
            let two_sided = asked.configuration.strategy != DeploymentStrategy::Rolling && !asked.source.is_empty();
            if two_sided {
                return None;
            }
            configurations.push(&asked.configuration);
            if !is_over(step.after) {
                configurations.swap_remove(0);
            }
        }
    }
    let of = |of: &DeploymentConfiguration| {
        let counts = [step.seen, step.after].map(|snapshot| desired(snapshot, service));
        counts.map(|desired| Bounds::from_percent(desired, of.maximum_percent, of.minimum_healthy_percent))
    };
    Some(configurations.into_iter().flat_map(of).collect())
}

/// No slot is filled twice, and nothing is started beyond the maximum or for a service that is deleted.
fn starts_are_wanted(step: &Step<'_>, service: &Service, started: &[&Unit], demand: &mut impl FnMut(bool, String)) {
    if started.is_empty() {
        return;
    }
    demand(service.deleted_at.is_none(), "a task was started although the service is deleted".into());
    let desired = desired(step.after, service).max(desired(step.seen, service));
    let sets: BTreeSet<&Arc<str>> = started.iter().filter_map(|unit| set_of(unit)).collect();
    let fills = |unit: &&Unit| is_wanted(unit) && !is_unhealthy(unit) && may_stay(step.after, unit);
    for set in sets {
        let of_set: Vec<&Unit> =
            units(step.after, service).filter(fills).filter(|unit| set_of(unit) == Some(set)).collect();
        if service.scheduling == SchedulingStrategy::Daemon {
            let nodes = |units: &[&Unit]| -> Vec<NodeId> {
                units.iter().filter_map(|unit| unit.scheduling.node.clone()).collect()
            };
            let (had, new): (Vec<&Unit>, Vec<&Unit>) =
                of_set.iter().partition(|unit| step.seen.units.contains_key(&unit.name));
            let (had, new) = (nodes(&had), nodes(&new));
            demand(!new.iter().any(|node| had.contains(node)), format!("{set} gets a second task for one node"));
            continue;
        }
        let most = desired + u32::from(service.zone_rebalancing);
        demand(of_set.len() <= most as usize, format!("{set} has {} tasks and is to have {desired}", of_set.len()));
    }
    let Some(bounds) = bounds(step, service) else { return };
    let most = bounds.iter().map(|bounds| bounds.max).max().unwrap_or(0);
    let count = units(step.after, service).filter(|unit| takes_part(unit)).count();
    demand(count <= most as usize, format!("{count} tasks are there, and at most {most} may be"));
}

/// What a rollout or a drain stops leaves the minimum of healthy tasks.
fn stops_are_allowed(step: &Step<'_>, service: &Service, stopped: &[&Unit], demand: &mut impl FnMut(bool, String)) {
    let reason = |unit: &Unit| unit.intent.stop.as_ref().map(|stop| stop.reason.clone()).unwrap_or_default();
    let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
    let is_rollout = |unit: &&&Unit| {
        let reason = reason(unit);
        let node_goes = reason.contains("is draining") || reason.contains("is disconnected");
        reason.starts_with("Scaling activity") || (!is_daemon && node_goes)
    };
    let by_rollout: Vec<&Unit> = stopped.iter().filter(is_rollout).copied().collect();
    let healthy = |snapshot: &'_ Snapshot| -> BTreeSet<model::UnitUid> {
        units(snapshot, service).filter(|unit| is_healthy(unit, step.now)).map(|unit| unit.uid.clone()).collect()
    };
    let was_healthy = healthy(step.before);
    for unit in by_rollout.iter().filter(|unit| !is_daemon && service.deleted_at.is_none() && runs(unit)) {
        let protected = is_protected(step.before, unit, step.now) && is_protected(step.seen, unit, step.now);
        demand(!protected, format!("{} was stopped although it is protected", unit.name.short()));
    }
    if service.deleted_at.is_some() || !by_rollout.iter().any(|unit| was_healthy.contains(&unit.uid)) {
        return;
    }
    let Some(bounds) = bounds(step, service) else { return };
    let least = bounds.iter().map(|bounds| bounds.min_healthy).min().unwrap_or(0);
    let mut left: BTreeSet<model::UnitUid> = healthy(step.seen).union(&was_healthy).cloned().collect();
    left.retain(|uid| !by_rollout.iter().any(|unit| unit.uid == *uid));
    let words = format!("{} healthy tasks are left by a rollout, and at least {least} have to be", left.len());
    demand(left.len() >= least as usize, words);
}

fn runs(unit: &Unit) -> bool {
    unit.observed.lifecycle == Lifecycle::Running
}

fn is_protected(snapshot: &Snapshot, unit: &Unit, now: Timestamp) -> bool {
    let seen = snapshot.units.get(&unit.name);
    seen.is_some_and(|unit| {
        let Face::Ecs(face) = &unit.face;
        face.is_protected(now) && runs(unit)
    })
}

/// What users are told has happened.
fn events(step: &Step<'_>, moved: &BTreeMap<&ServiceId, Moved<'_>>, story: &mut Vec<String>, broken: &mut Vec<String>) {
    let mut told: BTreeMap<&ServiceId, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for item in step.before.service_events.diff(&step.after.service_events) {
        let ((id, _), event) = match item {
            DiffItem::Add(key, event) => (key, event),
            DiffItem::Update { new: (key, event), .. } => {
                broken.push(format!("{}: an event was written anew: {}", key.0.name, event.message));
                continue;
            }
            DiffItem::Remove(..) => continue,
        };
        let message = event.message.split(" For more information").next().unwrap_or_default();
        story.push(message.to_owned());
        let (started, stopped) = told.entry(id).or_default();
        for (verb, tasks) in [(" has started ", started), (" has stopped ", stopped)] {
            let Some((_, rest)) = event.message.split_once(verb) else { continue };
            let named: Vec<String> = names(rest).collect();
            let count = rest.split(' ').next().and_then(|count| count.parse().ok());
            if count != Some(named.len()) {
                broken.push(format!("{}: an event counts otherwise than it names: {}", id.name, event.message));
            }
            tasks.extend(named);
        }
        if !is_true(step, id, event) {
            broken.push(format!("{}: an event says what is not so: {}", id.name, event.message));
        }
    }
    let nothing = Moved::default();
    let all: BTreeSet<&ServiceId> = moved.keys().chain(told.keys()).copied().collect();
    for id in all {
        let moved = moved.get(id).unwrap_or(&nothing);
        let short =
            |units: &[&Unit]| -> BTreeSet<String> { units.iter().map(|unit| unit.name.short().to_string()).collect() };
        // A Unit that no node took was never a task.
        let stopped: Vec<&Unit> =
            moved.stopped.iter().filter(|unit| unit.placement.node().is_some()).copied().collect();
        let (said_started, said_stopped) = told.remove(id).unwrap_or_default();
        for (what, said, did) in
            [("start", said_started, short(&moved.started)), ("stop", said_stopped, short(&stopped))]
        {
            if said != did {
                broken.push(format!("{}: events say that {said:?} {what}, and {did:?} do", id.name));
            }
        }
    }
}

/// The tasks that a sentence names.
fn names(sentence: &str) -> impl Iterator<Item = String> {
    sentence.split("(task ").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
}

fn is_true(step: &Step<'_>, id: &ServiceId, event: &ServiceEvent) -> bool {
    let Some(service) = step.after.services.get(id) else { return false };
    if event.message.ends_with("has reached a steady state.") {
        // An older look may show more tasks than there are by now.
        return step.seen.revision < step.before.revision || is_steady(step.after, service, step.now).is_ok();
    }
    let states = || {
        let of_service = step.after.deployment_states.range((id.clone(), Arc::from(""))..);
        of_service.take_while(|((service, _), _)| service == id).map(|(_, state)| &*state.value)
    };
    let names_set = |state: &DeploymentState| event.message.contains(&format!("(deployment {})", state.set));
    if event.message.ends_with("deployment completed.") {
        let is_well = |status| matches!(status, DeploymentStatus::Successful | DeploymentStatus::RollbackSuccessful);
        return states().any(|state| is_well(state.status) && names_set(state));
    }
    true
}

/// Why a service is not steady, if it is not.
pub(crate) fn is_steady(snapshot: &Snapshot, service: &Service, now: Timestamp) -> Result<(), String> {
    let desired = desired(snapshot, service) as usize;
    let state = snapshot.service_states.get(&service.id).filter(|state| state.service_uid == service.uid);
    let Some(primary) = state.and_then(|state| state.primary()) else { return Err("it has no primary set".into()) };
    if primary.rollout != Rollout::Completed {
        return Err(format!("its primary set is {:?}", primary.rollout));
    }
    let there: Vec<&Unit> = units(snapshot, service).filter(|unit| takes_part(unit)).collect();
    let healthy = there.iter().filter(|unit| is_healthy(unit, now) && set_of(unit) == Some(&primary.id)).count();
    if healthy != desired || there.len() != desired {
        return Err(format!(
            "{desired} tasks are wanted, {} are there, {healthy} of them new and healthy",
            there.len()
        ));
    }
    Ok(())
}

/// Why a service that nothing befalls any more may stay as it is although it has not what it is to have.
pub(crate) fn excuse(snapshot: &Snapshot, service: &Service, now: Timestamp) -> Option<&'static str> {
    let state: Option<&ServiceState> = snapshot.service_states.get(&service.id).map(|state| &*state.value);
    let primary = state.and_then(|state| state.primary())?;
    if primary.rollout == Rollout::Failed {
        return Some("its deployment has failed");
    }
    let asked = under_way(snapshot, service).map(|(asked, _)| asked);
    let configuration = asked.map_or(&service.configuration, |asked| &asked.configuration);
    let desired = desired(snapshot, service);
    let bounds = Bounds::from_percent(desired, configuration.maximum_percent, configuration.minimum_healthy_percent);
    if bounds.max <= desired && bounds.min_healthy >= desired {
        return Some("its bounds leave no way to move");
    }
    // Where a task waits for room, those that are to go make it, as far as the minimum lets them.
    let two_sided = asked.is_some_and(|asked| asked.configuration.strategy != DeploymentStrategy::Rolling);
    let waits = units(snapshot, service).any(|unit| unit.awaits_placement() && unit.waits_for.is_some());
    let healthy = units(snapshot, service).filter(|unit| is_healthy(unit, now)).count();
    let may_go = units(snapshot, service).any(|unit| is_wanted(unit) && set_of(unit) != Some(&primary.id));
    let could_make_room = !two_sided && may_go && healthy > bounds.min_healthy as usize;
    let of_primary = |unit: &&Unit| is_healthy(unit, now) && set_of(unit) == Some(&primary.id);
    let is_whole = units(snapshot, service).filter(of_primary).count() >= desired as usize;
    (waits && !is_whole && !could_make_room).then_some("there is no room")
}

/// What is left of deleted services once everything is quiet and old enough.
pub(crate) fn leftovers(snapshot: &Snapshot) -> Vec<String> {
    let is_there = |id: &ServiceId| snapshot.services.get(id).is_some_and(|service| service.deleted_at.is_none());
    planner::gc::services::all(snapshot)
        .into_iter()
        .filter(|id| !is_there(id))
        .map(|id| format!("something is left of {}, which was deleted", id.name))
        .collect()
}

/// Whether a deployment that is under way has come to where only traffic, users or time move it.
pub(crate) fn stage(snapshot: &Snapshot, service: &Service) -> Option<Stage> {
    under_way(snapshot, service).map(|(_, state)| state.stage)
}
