//! What may leave the store and when.

use crate::world::{World, at, cluster, scope, task, wish};
use model::ecs::{ClientToken, ClusterStatus, MembershipStatus};
use model::unit::placement::Shortage;
use model::unit::{Lifecycle, Placement, Refusal};
use model::{Snapshot, Timestamp};
use planner::gc::{Retention, next_due, plan};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Stopped units stay for 1000 ms; the rest as by default.
const RETENTION: Retention = Retention {
    stopped_units_ms: 1000,
    client_tokens_ms: DAY,
    inactive_clusters_ms: DAY,
    inactive_services_ms: DAY,
    service_events_ms: 7 * DAY,
    deployments_ms: 90 * DAY,
    deleted_providers_ms: DAY,
};

fn deleted(snapshot: &Snapshot, now: u64) -> Vec<String> {
    plan(snapshot, at(now), &RETENTION).iter().map(|deletion| deletion.to_string()).collect()
}

fn due(snapshot: &Snapshot, now: u64) -> Option<Timestamp> {
    next_due(snapshot, at(now), &RETENTION)
}

fn stop(world: &mut World, id: &str, stopped_at: Option<u64>) {
    world.change(&task("default", id), |unit| {
        unit.observed.lifecycle = Lifecycle::Stopped;
        unit.observed.stopped_at = stopped_at.map(at);
    });
}

#[test]
fn a_stopped_unit_stays_for_its_retention_and_goes_then() {
    let mut world = World::new();
    world.runs("t1", "n1", wish());
    assert_eq!(due(&world.snapshot, 0), None);
    stop(&mut world, "t1", Some(500));
    assert_eq!(deleted(&world.snapshot, 1499), [""; 0]);
    assert_eq!(due(&world.snapshot, 600), Some(at(1500)));
    let revision = world.snapshot.units[&task("default", "t1")].revision;
    assert_eq!(deleted(&world.snapshot, 1500), [format!("delete unit default/t1 if still at revision {revision}")]);
    assert_eq!(due(&world.snapshot, 9000), Some(at(9000)));
}

#[test]
fn units_that_run_or_await_stay_for_ever() {
    let mut world = World::new();
    world.runs("t1", "n1", wish()).awaits("t2", wish());
    world.stop_wish(&task("default", "t1"), at(1));
    assert_eq!(deleted(&world.snapshot, 100 * DAY), [""; 0]);
    assert_eq!(due(&world.snapshot, 0), None);
}

#[test]
fn a_unit_that_was_to_stop_before_it_had_a_node_ended_then() {
    let mut world = World::new();
    world.awaits("t1", wish().patient());
    world.stop_wish(&task("default", "t1"), at(300));
    assert_eq!(due(&world.snapshot, 0), Some(at(1300)));
    assert_eq!(deleted(&world.snapshot, 1300).len(), 1);
}

#[test]
fn a_stopped_unit_that_nobody_saw_end_counts_from_the_best_known_moment() {
    let mut world = World::new();
    world.runs("t1", "n1", wish());
    stop(&mut world, "t1", None);
    assert_eq!(due(&world.snapshot, 0), Some(at(1001)), "its creation");
    world.stop_wish(&task("default", "t1"), at(70));
    assert_eq!(due(&world.snapshot, 0), Some(at(1070)), "the wish to stop it");
}

#[test]
fn a_refused_unit_goes_at_once() {
    let mut world = World::new();
    world.awaits("t1", wish());
    let refusal = Refusal { nodes: Vec::new(), main: Shortage::NoNode };
    world.change(&task("default", "t1"), |unit| unit.placement = Placement::Refused(refusal));
    assert_eq!(due(&world.snapshot, 5), Some(at(5)));
    assert_eq!(deleted(&world.snapshot, 5).len(), 1);
}

#[test]
fn a_spec_goes_when_no_unit_names_it_any_more() {
    let mut world = World::new();
    world.runs("t1", "n1", wish()).runs("t2", "n1", wish());
    let hash = world.snapshot.specs.keys().next().unwrap().clone();
    world.snapshot.set_unit(&task("default", "t1"), None);
    assert_eq!(deleted(&world.snapshot, 0), [""; 0]);
    world.snapshot.set_unit(&task("default", "t2"), None);
    let revision = world.snapshot.specs[&hash].revision;
    assert_eq!(deleted(&world.snapshot, 0), [format!("delete spec {hash} if still at revision {revision}")]);
    assert_eq!(due(&world.snapshot, 0), Some(at(0)));
}

#[test]
fn a_client_token_is_good_for_a_day() {
    let mut world = World::new();
    let token = ClientToken { token: "abc".into(), parameters: "p".into(), tasks: Vec::new(), created_at: at(10) };
    let stored = world.versioned(token);
    world.snapshot.client_tokens.insert((cluster("default"), "abc".into()), stored);
    assert_eq!(deleted(&world.snapshot, DAY + 9), [""; 0]);
    assert_eq!(due(&world.snapshot, 0), Some(at(DAY + 10)));
    assert_eq!(deleted(&world.snapshot, DAY + 10).len(), 1);
}

#[test]
fn a_deleted_cluster_goes_after_a_day_with_its_memberships_and_only_when_no_unit_lies_in_it() {
    let mut world = World::new();
    world.make_cluster("old", ClusterStatus::Inactive, at(5));
    let mut gone = (*world.snapshot.clusters[&cluster("old")].value).clone();
    gone.inactive_since = Some(at(10));
    let gone = world.versioned(gone);
    world.snapshot.clusters.insert(cluster("old"), gone);
    world.membership("old", "n1", MembershipStatus::Draining, &[]);
    world.membership("default", "n1", MembershipStatus::Draining, &[]);
    assert_eq!(due(&world.snapshot, 0), Some(at(DAY + 10)));
    let gone = deleted(&world.snapshot, DAY + 10);
    assert_eq!(gone.len(), 2);
    assert!(gone[0].starts_with("delete membership old/n1") && gone[1].starts_with("delete cluster old"), "{gone:?}");
    world.runs("t1", "n1", wish().cluster("old"));
    assert_eq!(deleted(&world.snapshot, DAY + 10), [""; 0]);
    assert_eq!(due(&world.snapshot, 0), None);
    assert_eq!(world.snapshot.clusters.len(), 2, "of {:?}", scope());
}

#[test]
fn nothing_is_deleted_before_the_moment_that_is_announced_and_something_then() {
    let mut world = World::new();
    for (number, stopped_at) in [700, 300, 900, 500].into_iter().enumerate() {
        world.runs(&format!("t{number}"), "n1", wish());
        stop(&mut world, &format!("t{number}"), Some(stopped_at));
    }
    let mut now = at(0);
    let mut seen = Vec::new();
    while let Some(next) = next_due(&world.snapshot, now, &RETENTION) {
        if next > now {
            assert_eq!(plan(&world.snapshot, at(next.unix_ms() - 1), &RETENTION), []);
        }
        let deletions = plan(&world.snapshot, next, &RETENTION);
        assert_ne!(deletions, []);
        for deletion in deletions {
            match deletion.record {
                planner::gc::Record::Unit(name) => {
                    seen.push((next.unix_ms(), name.short().to_owned()));
                    world.snapshot.set_unit(&name, None);
                }
                planner::gc::Record::Spec(hash) => drop(world.snapshot.specs.remove(&hash)),
                other => panic!("{other:?}"),
            }
        }
        now = next;
    }
    let expected = [(1300, "t1"), (1500, "t3"), (1700, "t0"), (1900, "t2")].map(|(at, id)| (at, id.to_owned()));
    assert_eq!(seen, expected);
}
