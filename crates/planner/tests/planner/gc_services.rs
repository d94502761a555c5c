//! What of a service may leave the store, and when.

use crate::town::{Fate, Town, id, rolling};
use crate::world::{World, at, scope};
use model::ecs::deployment::{DeploymentState, DeploymentStatus, Rollback, Stage};
use model::ecs::service::{Controller, ServiceEvent};
use model::ecs::{CapacityProvider, ClusterStatus, Deployment};
use model::unit::Lifecycle;
use model::{ServiceId, Snapshot, Timestamp};
use planner::gc::{self, Deletion, Record, Retention, services};
use std::sync::Arc;

const DAY: u64 = 24 * 60 * 60 * 1000;

fn retention() -> Retention {
    Retention { stopped_units_ms: 1000, ..Retention::default() }
}

fn deletions(snapshot: &Snapshot, now: Timestamp) -> Vec<Deletion> {
    services::plan(snapshot, &id(), now, &retention())
}

fn deleted(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let line = |deletion: &Deletion| deletion.to_string().split(" if ").next().unwrap().to_owned();
    deletions(snapshot, now).iter().map(line).collect()
}

fn due(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    services::next_due(snapshot, &id(), now, &retention())
}

/// Carries deletions out, each decided on what is stored.
fn carry_out(snapshot: &mut Snapshot, deletions: &[Deletion]) {
    for deletion in deletions {
        let revision = match deletion.record.clone() {
            Record::Service(id) => snapshot.services.remove(&id).map(|seen| seen.revision),
            Record::ServiceState(id) => snapshot.service_states.remove(&id).map(|seen| seen.revision),
            Record::ServiceEvent(id) => snapshot.service_events.remove(&id).map(|seen| seen.revision),
            Record::ServiceRevision(id) => snapshot.service_revisions.remove(&id).map(|seen| seen.revision),
            Record::Deployment(id) => snapshot.deployments.remove(&id).map(|seen| seen.revision),
            Record::DeploymentState(id) => snapshot.deployment_states.remove(&id).map(|seen| seen.revision),
            Record::TaskSet(id) => snapshot.task_sets.remove(&id).map(|seen| seen.revision),
            other => panic!("{other:?} is no record of a service"),
        };
        assert_eq!(revision, Some(deletion.revision), "{deletion}");
    }
}

fn say(world: &mut World, place: u64, at: Timestamp) {
    let event = ServiceEvent { service_uid: "uid-web".into(), id: "e".into(), at, message: "it did".into() };
    let stored = world.versioned(event);
    world.snapshot.service_events.insert((id(), place), stored);
}

/// A service of two tasks that run.
fn steady() -> Town {
    let mut town = Town::new(1, 2, rolling(200, 100));
    town.deploy("r1", Fate::Runs);
    town.pass(120);
    assert_eq!(town.serving("ecs-svc/1"), 2, "{}", town.story);
    town
}

/// A deployment that has ended.
fn ended(town: &mut Town, name: &str, created_at: Timestamp, finished_at: Timestamp, target: &str) {
    let key: (ServiceId, Arc<str>) = (id(), name.into());
    let newest = town.service().deployment.clone().unwrap();
    let asked = (*town.world.snapshot.deployments[&(id(), newest)].value).clone();
    let asked = Deployment { id: name.into(), created_at, target: target.into(), source: Vec::new(), ..asked };
    let asked = town.world.versioned(asked);
    town.world.snapshot.deployments.insert(key.clone(), asked);
    let state = town.progress();
    let finished_at = Some(finished_at);
    let state = DeploymentState { status: DeploymentStatus::Successful, finished_at, stage: Stage::CleanUp, ..state };
    let state = town.world.versioned(state);
    town.world.snapshot.deployment_states.insert(key, state);
}

#[test]
fn nothing_of_a_service_that_runs_goes() {
    let mut town = steady();
    town.put_task_set("ecs-svc/9", 0, false);
    assert_eq!(deleted(&town.world.snapshot, at(1000 * DAY)), [""; 0]);
    assert_eq!(due(&town.world.snapshot, at(0)), None);
}

#[test]
fn an_event_stays_for_a_week() {
    let mut town = steady();
    for (place, day) in [(4, 1), (5, 2), (6, 2), (7, 3)] {
        say(&mut town.world, place, at(day * DAY));
    }
    let snapshot = &town.world.snapshot;
    assert_eq!(due(snapshot, at(0)), Some(at(8 * DAY)));
    assert_eq!(deleted(snapshot, at(8 * DAY - 1)), [""; 0]);
    assert_eq!(deleted(snapshot, at(8 * DAY)), ["delete event 4 of web"]);
    let three = ["delete event 4 of web", "delete event 5 of web", "delete event 6 of web"];
    assert_eq!(deleted(snapshot, at(9 * DAY)), three);
    assert_eq!(due(snapshot, at(9 * DAY)), Some(at(9 * DAY)));
}

#[test]
fn of_many_events_the_newest_thousand_stay() {
    let mut town = steady();
    for place in 10..1012 {
        say(&mut town.world, place, at(5));
    }
    assert_eq!(deleted(&town.world.snapshot, at(6)), ["delete event 10 of web", "delete event 11 of web"]);
}

#[test]
fn an_inactive_service_goes_after_a_day_with_all_that_it_left_and_its_state_last() {
    let mut town = steady();
    say(&mut town.world, 1, town.now);
    town.put_task_set("ecs-svc/9", 0, false);
    town.put_service(|service| service.deleted_at = Some(at(1)));
    town.pass(60);
    let since = town.state().inactive_since.unwrap();
    let day_after = since.saturating_add_ms(DAY);
    assert_eq!(due(&town.world.snapshot, town.now), Some(day_after));
    assert_eq!(deleted(&town.world.snapshot, at(day_after.unix_ms() - 1)), [""; 0]);
    assert_eq!(
        deleted(&town.world.snapshot, day_after),
        [
            "delete event 1 of web",
            "delete state of deployment d1 of web",
            "delete deployment d1 of web",
            "delete task set ecs-svc/9 of web",
            "delete revision r1 of web",
            "delete service web",
            "delete state of service web",
        ]
    );
}

#[test]
fn a_deletion_that_was_cut_short_anywhere_is_carried_on() {
    let mut town = steady();
    say(&mut town.world, 1, town.now);
    town.put_service(|service| service.deleted_at = Some(at(1)));
    town.pass(60);
    let now = town.now.saturating_add_ms(DAY);
    let all = deletions(&town.world.snapshot, now);
    for cut in 0..=all.len() {
        let mut snapshot = town.world.snapshot.clone();
        carry_out(&mut snapshot, &all[..cut]);
        assert_eq!(services::all(&snapshot).len(), usize::from(cut < all.len()));
        let rest = deletions(&snapshot, now);
        assert_eq!(rest, all[cut..]);
        carry_out(&mut snapshot, &rest);
        assert!(services::all(&snapshot).is_empty());
    }
}

#[test]
fn what_a_former_service_of_the_name_left_goes_at_once_but_for_its_state() {
    let mut town = steady();
    say(&mut town.world, 1, town.now);
    town.put_task_set("ecs-svc/9", 0, false);
    town.put_service(|service| {
        service.uid = "another".into();
        service.deployment = None;
    });
    assert_eq!(
        deleted(&town.world.snapshot, town.now),
        [
            "delete event 1 of web",
            "delete state of deployment d1 of web",
            "delete deployment d1 of web",
            "delete task set ecs-svc/9 of web",
        ]
    );
    let first = deletions(&town.world.snapshot, town.now);
    carry_out(&mut town.world.snapshot, &first);
    assert_eq!(deleted(&town.world.snapshot, town.now), ["delete revision r1 of web"]);
}

#[test]
fn of_old_deployments_the_newest_hundred_and_the_present_one_stay() {
    let mut town = steady();
    let present = town.service().deployment.clone().unwrap();
    for number in 0..103_u64 {
        let day = at(town.now.unix_ms() + number * DAY);
        ended(&mut town, &format!("old{number:03}"), day, day, "r1");
    }
    let snapshot = &town.world.snapshot;
    let first = town.now.saturating_add_ms(90 * DAY);
    // The present one is the oldest of 104, and so one more than a hundred stays.
    assert_eq!(due(snapshot, town.now), Some(first));
    assert_eq!(deleted(snapshot, at(first.unix_ms() - 1)), [""; 0]);
    let gone = |number: u64| {
        let lines = ["delete state of deployment", "delete deployment"];
        lines.map(|line| format!("{line} old{number:03} of web"))
    };
    assert_eq!(deleted(snapshot, first), gone(0));
    let all = deleted(snapshot, at(1000 * DAY));
    assert_eq!(all.len(), 6);
    assert!(!all.iter().any(|line| line.contains(&format!(" {present} "))), "{all:?}");
}

#[test]
fn a_deployment_that_has_not_ended_stays_however_old_it_is() {
    let mut town = steady();
    for number in 0..103 {
        ended(&mut town, &format!("old{number:03}"), at(number), at(number), "r1");
    }
    let key: (ServiceId, Arc<str>) = (id(), "old000".into());
    let state = (*town.world.snapshot.deployment_states[&key].value).clone();
    let state = town.world.versioned(DeploymentState { status: DeploymentStatus::InProgress, ..state });
    town.world.snapshot.deployment_states.insert(key, state);
    assert!(!deleted(&town.world.snapshot, at(1000 * DAY)).contains(&"delete deployment old000 of web".to_owned()));
}

#[test]
fn a_revision_stays_while_anything_names_it() {
    let mut town = steady();
    for revision in ["r2", "r3", "r4", "r5"] {
        let stored = town.world.snapshot.service_revisions[&(id(), "r1".into())].value.clone();
        let revision: Arc<str> = revision.into();
        let stored =
            town.world.versioned(model::ecs::ServiceRevision { number: revision.clone(), ..(*stored).clone() });
        town.world.snapshot.service_revisions.insert((id(), revision), stored);
    }
    ended(&mut town, "d2", at(0), at(0), "r2");
    town.put_task_set("ecs-svc/9", 0, false);
    let key = (id(), Arc::from("d1"));
    let rollback = Some(Rollback { reason: "it failed".into(), started_at: at(0), revision: "r3".into(), failures: 0 });
    let state = DeploymentState { rollback, ..(*town.world.snapshot.deployment_states[&key].value).clone() };
    let state = town.world.versioned(state);
    town.world.snapshot.deployment_states.insert(key, state);
    let mut state = town.state();
    state.completed = Some("r4".into());
    let state = town.world.versioned(state);
    town.world.snapshot.service_states.insert(id(), state);
    assert_eq!(deleted(&town.world.snapshot, town.now), ["delete revision r5 of web"]);
}

#[test]
fn a_deleted_task_set_stays_until_the_last_of_its_tasks_has_stopped() {
    let mut town = Town::new(1, 2, rolling(200, 100));
    town.put_service(|service| service.controller = Controller::External);
    town.deploy("r1", Fate::Runs);
    town.put_service(|service| service.deployment = None);
    town.put_task_set("ecs-svc/9", 10_000, false);
    town.pass(120);
    assert_eq!(town.serving("ecs-svc/9"), 2, "{}", town.story);
    town.put_task_set("ecs-svc/9", 10_000, true);
    assert_eq!(deleted(&town.world.snapshot, town.now), [""; 0]);
    town.settle_without_life();
    town.settle_without_life();
    assert!(town.units().iter().any(|unit| !unit.is_over()), "{}", town.story);
    assert_eq!(deleted(&town.world.snapshot, town.now), [""; 0], "its tasks are being stopped");
    town.pass(60);
    assert_eq!(deleted(&town.world.snapshot, town.now), ["delete task set ecs-svc/9 of web"]);
}

#[test]
fn a_unit_stays_until_its_service_has_settled_it() {
    let mut town = steady();
    let name = town.units()[0].name.clone();
    town.world.change(&name, |unit| {
        unit.observed.lifecycle = Lifecycle::Stopped;
        unit.observed.stopped_at = Some(at(0));
        unit.settled = false;
    });
    let units = |town: &Town| gc::plan(&town.world.snapshot, at(DAY), &retention()).len();
    let next = |town: &Town| gc::next_due(&town.world.snapshot, at(0), &retention());
    assert_eq!((units(&town), next(&town)), (0, None));
    let mut another = steady();
    another.world.snapshot = town.world.snapshot.clone();
    another.put_service(|service| service.uid = "another".into());
    assert_eq!((units(&another), next(&another)), (1, Some(at(1000))), "its service is gone");
    town.world.change(&name, |unit| unit.settled = true);
    assert_eq!((units(&town), next(&town)), (1, Some(at(1000))));
}

#[test]
fn a_deleted_cluster_stays_while_a_service_lies_in_it() {
    let mut town = steady();
    let units: Vec<_> = town.world.snapshot.units.keys().cloned().collect();
    units.iter().for_each(|name| town.world.snapshot.set_unit(name, None));
    town.world.make_cluster("default", ClusterStatus::Inactive, at(0));
    let clusters = |town: &Town| {
        let is_cluster = |deletion: &Deletion| matches!(deletion.record, Record::Cluster(_));
        gc::plan(&town.world.snapshot, at(9 * DAY), &retention()).into_iter().filter(is_cluster).count()
    };
    assert_eq!(clusters(&town), 0);
    town.world.snapshot.services.remove(&id());
    assert_eq!(clusters(&town), 1);
}

#[test]
fn a_deleted_capacity_provider_goes_after_a_day() {
    let mut world = World::new();
    for (name, deleted_at) in [("kept", None), ("old", Some(at(10)))] {
        let provider = CapacityProvider {
            scope: scope(),
            name: name.into(),
            cluster: None,
            document: serde_json::Value::Null,
            created_at: at(0),
            tags: Default::default(),
            last_change: None,
            deleted_at,
        };
        let stored = world.versioned(provider);
        world.snapshot.capacity_providers.insert((scope(), name.into()), stored);
    }
    let plan = |now: u64| gc::plan(&world.snapshot, at(now), &retention());
    assert_eq!(gc::next_due(&world.snapshot, at(0), &retention()), Some(at(DAY + 10)));
    assert_eq!(plan(DAY + 9), []);
    let line = plan(DAY + 10)[0].to_string();
    assert!(line.starts_with("delete capacity provider old if still at revision"), "{line}");
    assert_eq!(plan(DAY + 10).len(), 1);
}

#[test]
fn what_is_announced_to_be_due_is_deleted_then_and_nothing_before() {
    let mut town = steady();
    for place in 0..5 {
        say(&mut town.world, place, at(place * DAY));
    }
    for number in 0..105_u64 {
        let day = at(number * DAY);
        ended(&mut town, &format!("old{number:03}"), day, day, "r1");
    }
    let (mut now, mut steps) = (at(0), 0);
    while let Some(next) = due(&town.world.snapshot, now) {
        if next > now {
            assert_eq!(deletions(&town.world.snapshot, at(next.unix_ms() - 1)), []);
        }
        let deletions = deletions(&town.world.snapshot, next);
        assert_ne!(deletions, []);
        carry_out(&mut town.world.snapshot, &deletions);
        (now, steps) = (next, steps + 1);
        assert!(steps < 100, "it comes to rest");
    }
    assert_eq!((town.world.snapshot.deployments.len(), town.world.snapshot.service_events.len()), (101, 0));
}
