//! What the service scheduler promises, as stories that a person reads (`tests/transcripts/service-*`) and as sentences.

use crate::town::{Fate, Town, rolling};
use crate::transcripts::check;
use crate::world::{at, cluster};
use model::UnitName;
use model::ecs::deployment::{
    Alarms, Breaker, CleanUp, DeploymentConfiguration, DeploymentStatus, DeploymentStrategy, EarlySuccess, Hook,
    HookAction, Stage, StopKind, Threshold, ThresholdKind,
};
use model::ecs::service::{Controller, Rollout, SchedulingStrategy};
use model::ecs::{MembershipStatus, StrategyItem};
use model::unit::{Capacity, Face, Lifecycle};

fn with(strategy: DeploymentStrategy) -> DeploymentConfiguration {
    DeploymentConfiguration { strategy, ..rolling(200, 100) }
}

fn breaker(rollback: bool, threshold: Option<Threshold>) -> Option<Breaker> {
    Some(Breaker { enable: true, rollback, reset_on_healthy_task: true, threshold, reset_given: false })
}

/// A service of so many tasks whose first deployment has completed.
fn steady(desired: u32, configuration: DeploymentConfiguration) -> Town {
    let mut town = Town::new(4, desired, rolling(200, 100));
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    assert!(town.state().steady, "{}", town.story);
    town.put_service(|service| service.configuration = configuration);
    town.story.clear();
    town
}

#[test]
fn a_service_comes_up_and_says_that_it_is_steady() {
    let mut town = Town::new(2, 3, rolling(200, 100));
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    check("service-comes-up.txt", &town.story);
    assert_eq!(town.state().completed.as_deref(), Some("r1"));
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn a_rolling_deployment_keeps_its_bounds() {
    let mut town = steady(4, rolling(150, 100));
    town.deploy("r2", Fate::Runs);
    town.pass(300);
    check("service-rolls.txt", &town.story);
    assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (0, 4));
}

#[test]
fn without_room_for_more_the_old_tasks_go_first_as_far_as_the_minimum_allows() {
    let mut town = steady(4, rolling(100, 50));
    town.deploy("r2", Fate::Runs);
    town.pass(300);
    check("service-rolls-in-place.txt", &town.story);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn a_deployment_that_fails_is_rolled_back_by_its_circuit_breaker() {
    let configuration = DeploymentConfiguration { breaker: breaker(true, None), ..rolling(200, 100) };
    let mut town = steady(2, configuration);
    town.deploy("r2", Fate::NeverStarts);
    town.pass(300);
    check("service-rolls-back.txt", &town.story);
    assert_eq!(town.progress().status, DeploymentStatus::RollbackSuccessful);
    assert_eq!(town.state().primary().unwrap().revision.as_ref(), "r1");
    assert_eq!(town.serving("ecs-svc/1"), 2, "the old tasks never stopped");
    assert_eq!(
        (town.progress().failures, town.progress().failure_threshold),
        (4, 3),
        "what it failed of stays to be seen"
    );
}

#[test]
fn a_rollback_counts_its_own_failures_and_fails_by_them() {
    let configuration = DeploymentConfiguration { breaker: breaker(true, None), ..rolling(100, 0) };
    let mut town = steady(2, configuration);
    town.deploy("r2", Fate::NeverStarts);
    // What ran before does not come up again either.
    town.change_fate("r1", Fate::NeverStarts);
    town.pass(300);
    let progress = town.progress();
    assert_eq!(progress.status, DeploymentStatus::RollbackFailed, "{}", town.story);
    // Two tasks are started at a time.
    assert_eq!((progress.failures, progress.rollback.unwrap().failures), (4, 4));
}

#[test]
fn a_deployment_whose_tasks_start_and_exit_is_rolled_back_too() {
    let configuration = DeploymentConfiguration { breaker: breaker(true, None), ..rolling(200, 100) };
    let mut town = steady(2, configuration);
    town.deploy("r2", Fate::Exits);
    town.pass(300);
    assert_eq!(town.progress().status, DeploymentStatus::RollbackSuccessful);
}

#[test]
fn without_rollback_a_failed_deployment_stays_and_the_old_revision_serves() {
    let configuration = DeploymentConfiguration { breaker: breaker(false, None), ..rolling(200, 100) };
    let mut town = steady(2, configuration);
    town.deploy("r2", Fate::Exits);
    town.pass(300);
    check("service-fails-without-rollback.txt", &town.story);
    assert_eq!(town.state().primary().unwrap().rollout, Rollout::Failed);
    assert_eq!(town.serving("ecs-svc/1"), 2);
    let units = town.units();
    town.pass(1000);
    assert_eq!(town.units(), units, "nothing more is started");
}

#[test]
fn the_first_deployment_has_nowhere_to_go_back_to() {
    let configuration = DeploymentConfiguration { breaker: breaker(true, None), ..rolling(200, 100) };
    let mut town = Town::new(2, 2, configuration);
    town.deploy("r1", Fate::NeverStarts);
    town.pass(300);
    assert_eq!(town.progress().status, DeploymentStatus::RollbackFailed);
    assert_eq!(town.state().primary().unwrap().rollout, Rollout::Failed);
}

#[test]
fn each_kind_of_threshold_trips_at_its_count() {
    let table = [
        (ThresholdKind::Count, 2, 2),
        (ThresholdKind::Count, 7, 7),
        (ThresholdKind::BoundedPercent, 1, 3),
        (ThresholdKind::BoundedPercent, 100, 10),
        (ThresholdKind::UnboundedPercent, 10, 1),
    ];
    for (kind, value, failures) in table {
        let breaker = breaker(true, Some(Threshold { kind, value }));
        let mut town = steady(10, DeploymentConfiguration { breaker, ..rolling(110, 100) });
        town.deploy("r2", Fate::NeverStarts);
        town.pass(3000);
        assert_eq!(town.progress().status, DeploymentStatus::RollbackSuccessful, "{kind:?} {value}");
        let failed = town.story.matches("(task t").count() as u32;
        assert_eq!(failed, failures, "{kind:?} {value}:\n{}", town.story);
    }
}

#[test]
fn a_healthy_task_sets_the_count_back_unless_told_not_to() {
    for (reset, status) in [(true, DeploymentStatus::InProgress), (false, DeploymentStatus::RollbackSuccessful)] {
        let one = Threshold { kind: ThresholdKind::Count, value: 4 };
        let mut breaker = breaker(true, Some(one));
        breaker.as_mut().unwrap().reset_on_healthy_task = reset;
        let mut town = steady(2, DeploymentConfiguration { breaker, ..rolling(100, 50) });
        town.deploy("r2", Fate::Runs);
        for round in 0..5 {
            // One task comes up and stays, the other exits again and again.
            town.pass(1);
            let young = town.units().into_iter().rev().find(|unit| {
                unit.observed.lifecycle == Lifecycle::Running
                    && unit.owner.as_ref().unwrap().set().as_ref() == "ecs-svc/2"
            });
            let Some(young) = young else { continue };
            town.kill(young.name.short());
            town.pass(if round == 2 { 41 } else { 1 });
        }
        town.pass(if reset { 1 } else { 60 });
        assert_eq!(town.progress().status, status, "{}", town.story);
    }
}

#[test]
fn tasks_that_exit_at_once_are_started_ever_more_slowly_but_for_ever() {
    let mut town = Town::new(1, 1, rolling(200, 100));
    town.deploy("r1", Fate::Exits);
    town.pass(3600);
    check("service-is-throttled.txt", &town.story);
    let started = town.story.matches("has started").count();
    assert!((12..25).contains(&started), "{started}");
}

#[test]
fn a_killed_task_is_replaced_at_once() {
    let mut town = steady(3, rolling(200, 100));
    town.kill("t2");
    let at = town.now;
    town.settle();
    assert_eq!(town.now, at);
    assert_eq!(town.serving("ecs-svc/1"), 3);
}

#[test]
fn an_unhealthy_task_is_replaced_before_it_is_stopped() {
    let mut town = steady(2, rolling(200, 100));
    town.deploy("r2", Fate::Healthy);
    town.pass(5);
    assert!(town.state().steady);
    town.story.clear();
    let sick = town.units().into_iter().find(|unit| unit.intent.stop.is_none()).unwrap().name.clone();
    town.change(&sick, |unit| unit.observed.containers[0].health = Some(model::unit::Health::Unhealthy));
    town.world.snapshot.revision += 1;
    town.settle_without_life();
    assert!(!town.story.contains("failed container health checks"), "{}", town.story);
    assert!(town.story.contains("has started 1 tasks"), "{}", town.story);
}

#[test]
fn both_sides_of_a_blue_green_deployment_stay_whole_through_the_bake_time() {
    let configuration = DeploymentConfiguration { bake_minutes: Some(5), ..with(DeploymentStrategy::BlueGreen) };
    let mut town = steady(2, configuration);
    town.deploy("r2", Fate::Runs);
    town.pass(200);
    assert_eq!(town.progress().stage, Stage::BakeTime);
    assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (2, 2));
    town.pass(300);
    check("service-blue-green.txt", &town.story);
    assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (0, 2));
}

#[test]
fn a_linear_deployment_moves_traffic_by_equal_steps() {
    let linear = DeploymentStrategy::Linear { step_permille: 400, step_bake_minutes: 1 };
    let mut town = steady(2, with(linear));
    town.deploy("r2", Fate::Runs);
    let mut weights = vec![0];
    for _ in 0..40 {
        town.pass(10);
        let weight = town.progress().weight_permille;
        if weights.last() != Some(&weight) {
            weights.push(weight);
        }
    }
    check("service-linear.txt", &town.story);
    assert_eq!(weights, [0, 400, 800, 1000]);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn a_canary_deployment_shows_a_little_first() {
    let mut town = steady(2, with(DeploymentStrategy::Canary { permille: 50, bake_minutes: 10 }));
    town.deploy("r2", Fate::Runs);
    town.pass(100);
    assert_eq!(town.progress().weight_permille, 50);
    town.pass(700);
    check("service-canary.txt", &town.story);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

fn pausing(stage: Stage, on_timeout: HookAction) -> DeploymentConfiguration {
    let hook = Hook { stages: vec![stage], timeout_minutes: 30, on_timeout, document: serde_json::Value::Null };
    DeploymentConfiguration { hooks: vec![hook], ..with(DeploymentStrategy::BlueGreen) }
}

#[test]
fn a_pausing_hook_is_waited_for_and_goes_on_when_it_is_answered() {
    let mut town = steady(1, pausing(Stage::PostTestTrafficShift, HookAction::Rollback));
    town.deploy("r2", Fate::Runs);
    town.pass(600);
    assert_eq!(town.progress().stage, Stage::PostTestTrafficShift);
    town.answer(HookAction::Continue);
    town.pass(60);
    check("service-hook-continues.txt", &town.story);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn a_hook_that_says_no_or_nothing_rolls_back() {
    for answer in [Some(HookAction::Rollback), None] {
        let mut town = steady(1, pausing(Stage::PreScaleUp, HookAction::Rollback));
        town.deploy("r2", Fate::Runs);
        town.pass(60);
        assert_eq!(town.serving("ecs-svc/2"), 0, "nothing is started before the hook has passed");
        if let Some(action) = answer {
            town.answer(action);
        }
        town.pass(1800);
        assert_eq!(town.progress().status, DeploymentStatus::RollbackSuccessful, "{}", town.story);
        assert_eq!(town.serving("ecs-svc/1"), 1);
    }
}

#[test]
fn a_hook_that_times_out_may_go_on() {
    let mut town = steady(1, pausing(Stage::PostScaleUp, HookAction::Continue));
    town.deploy("r2", Fate::Runs);
    town.pass(3600);
    assert_eq!(town.progress().status, DeploymentStatus::Successful, "{}", town.story);
}

#[test]
fn an_alarm_fails_a_deployment_unless_it_was_on_before() {
    let alarms = Alarms { enable: true, rollback: true, names: vec!["errors".into(), "old".into()] };
    let mut town =
        steady(1, DeploymentConfiguration { alarms: Some(alarms), bake_minutes: Some(5), ..rolling(200, 100) });
    town.firing.insert("old".into());
    town.deploy("r2", Fate::Runs);
    town.pass(100);
    assert_eq!(town.progress().stage, Stage::BakeTime, "{}", town.story);
    town.firing.insert("errors".into());
    town.pass(100);
    assert_eq!(town.progress().alarms_triggered, ["errors"]);
    assert_eq!(town.progress().status, DeploymentStatus::RollbackSuccessful, "{}", town.story);
}

#[test]
fn a_user_stops_a_deployment_where_it_stands_or_takes_it_back() {
    for (kind, status) in
        [(StopKind::Abort, DeploymentStatus::Stopped), (StopKind::Rollback, DeploymentStatus::RollbackSuccessful)]
    {
        let mut town = steady(4, rolling(150, 100));
        town.deploy("r2", Fate::Runs);
        town.pass(41);
        town.ask_to_stop(kind);
        town.pass(300);
        assert_eq!(town.progress().status, status, "{}", town.story);
        assert_eq!(town.serving("ecs-svc/1") + town.serving("ecs-svc/2"), 4, "{}", town.story);
        assert_eq!(town.serving("ecs-svc/2") == 0, kind == StopKind::Rollback, "{}", town.story);
    }
}

#[test]
fn of_two_sides_that_are_stopped_where_they_stand_the_one_with_the_traffic_stays() {
    let linear = DeploymentStrategy::Linear { step_permille: 400, step_bake_minutes: 1 };
    // Before any traffic has moved, with 400 of 1000 and with 800 of 1000.
    for (seconds, kept) in [(20, "ecs-svc/1"), (60, "ecs-svc/1"), (120, "ecs-svc/2")] {
        let mut town = steady(3, with(linear));
        town.deploy("r2", Fate::Runs);
        town.pass(seconds);
        town.ask_to_stop(StopKind::Abort);
        town.pass(600);
        assert_eq!(town.progress().status, DeploymentStatus::Stopped, "{}", town.story);
        let serving = ["ecs-svc/1", "ecs-svc/2"].map(|set| (town.serving(set), set));
        assert_eq!(serving.into_iter().max(), Some((3, kept)), "{seconds} s:\n{}", town.story);
        assert_eq!(serving.iter().map(|(count, _)| count).sum::<usize>(), 3, "{seconds} s:\n{}", town.story);
    }
}

#[test]
fn early_success_does_not_wait_for_all_tasks() {
    for (clean_up, ends) in [(CleanUp::Deferred, true), (CleanUp::Blocking, false)] {
        let early = EarlySuccess { enable: true, healthy_percent: Some(50), clean_up: Some(clean_up) };
        let configuration = DeploymentConfiguration { early_success: Some(early), ..rolling(125, 50) };
        let mut town = steady(4, configuration);
        let kept = town.units()[0].name.clone();
        protect(&mut town, &kept, 300);
        town.deploy("r2", Fate::Runs);
        town.pass(85);
        let is_over = town.progress().status == DeploymentStatus::Successful;
        assert_eq!(is_over, ends, "{clean_up:?}:\n{}", town.story);
        town.pass(600);
        assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (0, 4));
    }
}

#[test]
fn a_newer_deployment_ends_the_one_under_way() {
    let mut town = steady(2, rolling(200, 100));
    town.deploy("r2", Fate::NeverStarts);
    town.pass(5);
    town.deploy("r3", Fate::Runs);
    town.pass(120);
    check("service-is-superseded.txt", &town.story);
    let first = (crate::town::id(), "d2".into());
    assert_eq!(town.world.snapshot.deployment_states[&first].status, DeploymentStatus::Stopped);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn tasks_of_a_draining_instance_are_replaced_within_the_bounds() {
    let mut town = steady(4, rolling(200, 100));
    let node = town.units()[0].placement.node().unwrap().to_string();
    town.world.membership("default", &node, MembershipStatus::Draining, &[]);
    town.note(&format!("{node} drains"));
    town.pass(120);
    check("service-drains.txt", &town.story);
    let left = town.units().into_iter().filter(|unit| unit.placement.node().is_some_and(|n| n.as_str() == node));
    assert_eq!(left.count(), 0);
    assert!(town.state().steady);
}

#[test]
fn tasks_of_a_lost_node_are_replaced_but_not_if_most_nodes_are_away() {
    let mut town = steady(4, rolling(200, 100));
    let node = town.units()[0].placement.node().unwrap().to_string();
    let now = town.now;
    town.change_node(&node, |node| (node.connected, node.disconnected_at) = (false, Some(now)));
    town.pass(29);
    assert!(!town.story.contains("has started"), "{}", town.story);
    town.pass(90);
    assert!(town.story.contains("has started"), "{}", town.story);

    let mut town = steady(4, rolling(200, 100));
    for node in ["node-1", "node-2", "node-3"] {
        town.change_node(node, |node| (node.connected, node.disconnected_at) = (false, Some(now)));
    }
    town.pass(600);
    assert!(!town.story.contains("has started"), "{}", town.story);
}

fn protect(town: &mut Town, unit: &UnitName, until_s: u64) {
    town.change(unit, |unit| {
        let Face::Ecs(face) = &unit.face;
        let mut face = (**face).clone();
        face.protected_until = Some(at(until_s * 1000));
        unit.face = Face::Ecs(face.into());
    });
}

#[test]
fn a_protected_task_outlives_scaling_in_and_deployments_until_its_time_has_come() {
    let mut town = steady(2, rolling(200, 100));
    let kept = town.units()[0].name.clone();
    protect(&mut town, &kept, 600);
    town.put_service(|service| service.desired_count = 0);
    town.pass(60);
    assert_eq!(town.serving("ecs-svc/1"), 1);
    town.put_service(|service| service.desired_count = 2);
    town.deploy("r2", Fate::Runs);
    town.pass(120);
    assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (1, 2));
    assert_eq!(town.progress().status, DeploymentStatus::InProgress);
    town.pass(600);
    assert_eq!(town.serving("ecs-svc/1"), 0);
    assert_eq!(town.progress().status, DeploymentStatus::Successful);
}

#[test]
fn a_daemon_runs_once_on_each_active_instance_and_follows_the_fleet() {
    let mut town = Town::new(3, 0, rolling(100, 0));
    town.put_service(|service| service.scheduling = SchedulingStrategy::Daemon);
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    assert_eq!(town.serving("ecs-svc/1"), 3);
    assert!(town.state().steady, "{}", town.story);
    town.world.node("node-4", |_| {});
    town.pass(60);
    town.world.membership("default", "node-1", MembershipStatus::Draining, &[]);
    town.pass(60);
    town.deploy("r2", Fate::Runs);
    town.pass(300);
    check("service-daemon.txt", &town.story);
    let mut nodes: Vec<_> = town
        .units()
        .into_iter()
        .filter(|unit| !unit.is_over())
        .map(|unit| unit.placement.node().unwrap().to_string())
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["node-2", "node-3", "node-4"]);
    assert_eq!(town.serving("ecs-svc/2"), 3);
}

#[test]
fn a_daemon_keeps_its_minimum_while_it_is_replaced() {
    let mut town = Town::new(4, 0, rolling(100, 75));
    town.put_service(|service| service.scheduling = SchedulingStrategy::Daemon);
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    town.deploy("r2", Fate::Runs);
    let end = town.now.saturating_add_ms(400_000);
    while town.now < end {
        town.pass(1);
        assert!(town.serving("ecs-svc/1") + town.serving("ecs-svc/2") >= 3, "{}", town.story);
    }
    assert_eq!(town.serving("ecs-svc/2"), 4);
}

#[test]
fn a_daemon_makes_room_for_its_successor_where_its_node_is_full() {
    let mut town = Town::new(3, 0, rolling(200, 50));
    town.put_service(|service| service.scheduling = SchedulingStrategy::Daemon);
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    for node in ["node-1", "node-2", "node-3"] {
        let used = town.world.snapshot.node_use(&model::NodeId::new(node)).cpu;
        town.change_node(node, |node| node.cpu = used);
    }
    town.deploy("r2", Fate::Runs);
    town.pass(300);
    assert_eq!((town.serving("ecs-svc/1"), town.serving("ecs-svc/2")), (0, 3), "{}", town.story);
}

#[test]
fn task_sets_follow_their_scale() {
    let mut town = Town::new(2, 4, rolling(200, 100));
    town.put_service(|service| service.controller = Controller::External);
    town.deploy("r1", Fate::Runs);
    town.put_service(|service| service.deployment = None);
    town.put_task_set("ecs-svc/a", 10_000, false);
    town.put_task_set("ecs-svc/b", 3_000, false);
    town.pass(60);
    assert_eq!((town.serving("ecs-svc/a"), town.serving("ecs-svc/b")), (4, 2));
    town.put_task_set("ecs-svc/a", 5_000, false);
    town.put_task_set("ecs-svc/b", 3_000, true);
    town.pass(60);
    check("service-task-sets.txt", &town.story);
    assert_eq!((town.serving("ecs-svc/a"), town.serving("ecs-svc/b")), (2, 0));
    assert_eq!(town.state().sets.len(), 1);
}

#[test]
fn a_deleted_service_stops_its_tasks_and_is_inactive_when_they_have() {
    let mut town = steady(2, rolling(200, 100));
    let now = town.now;
    town.put_service(|service| service.deleted_at = Some(now));
    town.pass(1);
    check("service-is-deleted.txt", &town.story);
    assert!(town.state().inactive_since.is_some());
    assert!(town.state().sets.is_empty());
}

#[test]
fn a_strategy_spreads_over_its_providers() {
    let item = |provider: &str, base, weight| StrategyItem { provider: provider.into(), base, weight };
    let strategy = [item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 3)];
    let mut town = Town::new(4, 9, rolling(200, 100));
    town.deploy_with("r1", Fate::Runs, &strategy);
    town.pass(60);
    let spot = town.units().into_iter().filter(|unit| unit.scheduling.capacity == Capacity::ServerlessSpot).count();
    assert_eq!((town.units().len(), spot), (9, 6));
}

#[test]
fn a_service_without_room_says_so_once_and_goes_on_when_there_is() {
    let mut town = Town::new(0, 1, rolling(200, 100));
    town.deploy("r1", Fate::Runs);
    town.pass(600);
    town.world.node("node-1", |_| {});
    town.pass(60);
    check("service-without-room.txt", &town.story);
    assert!(town.state().steady);
}

#[test]
fn scaling_in_leaves_the_zones_even() {
    let mut town = Town::new(0, 6, rolling(200, 100));
    for (node, zone) in [("node-1", "a"), ("node-2", "a"), ("node-3", "b")] {
        town.world.node(node, |node| {
            node.attributes.insert("ecs.availability-zone".into(), Some(zone.into()));
        });
    }
    town.deploy("r1", Fate::Runs);
    town.pass(60);
    town.put_service(|service| service.desired_count = 2);
    town.pass(60);
    let zone = |unit: &model::Unit| {
        let node = &town.world.snapshot.nodes[unit.placement.node().unwrap()];
        node.attributes["ecs.availability-zone"].clone().unwrap()
    };
    let mut zones: Vec<String> = town.units().iter().filter(|unit| !unit.is_over()).map(|unit| zone(unit)).collect();
    zones.sort();
    let held = town.world.snapshot.units.values().filter(|unit| unit.name.cluster() == &cluster("default")).count();
    assert!(held >= 6);
    assert_eq!(zones, ["a", "b"], "{}", town.story);
}

#[test]
fn zones_are_made_even_again_where_that_is_asked_for() {
    for (asks, zones) in [(true, ["a", "a", "b", "b"]), (false, ["a", "a", "a", "a"])] {
        let mut town = Town::new(0, 4, rolling(200, 100));
        let in_zone = |zone: &str| {
            let zone = Some(zone.to_owned());
            move |node: &mut model::Node| drop(node.attributes.insert("ecs.availability-zone".into(), zone))
        };
        town.world.node("node-1", in_zone("a"));
        town.put_service(|service| service.zone_rebalancing = asks);
        town.deploy("r1", Fate::Runs);
        town.pass(60);
        town.world.node("node-2", in_zone("b"));
        town.pass(1);
        // Nodes are looked at when one joins; here nobody says so, and the next plan does.
        town.pass(300);
        let mut seen: Vec<&str> = town
            .units()
            .iter()
            .filter(|unit| !unit.is_over())
            .map(|unit| if unit.placement.node().unwrap().as_str() == "node-1" { "a" } else { "b" })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, zones, "{}", town.story);
        assert!(town.state().steady, "{}", town.story);
    }
}
