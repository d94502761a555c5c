//! What is told of a deployment, and when.

use super::super::testing::{DEPLOYMENT, NEW, OLD, World, at, bound, running, web};
use super::view::{EventView, Told, View, view};
use super::{Following, Question};
use model::ecs::deployment::{
    DeploymentStatus, DeploymentStrategy, Hook, HookAction, HookState, HookStatus, Rollback, Stage,
};
use model::ecs::service::{Controller, SchedulingStrategy, SetRole};
use model::unit::Lifecycle;
use test_support::stop_wish;

fn seen(world: &World) -> View {
    view(&world.snapshot, &web(), &DEPLOYMENT.into(), at(1)).unwrap()
}

fn question() -> Question {
    Question { service: "web".into(), cluster: None, deployment: None, from_event: 0, follow: true }
}

fn following(world: &World) -> Following {
    Following::begin(&world.snapshot, question()).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn refusal(world: &World) -> String {
    Following::begin(&world.snapshot, question()).err().unwrap().1
}

fn words(news: Option<Vec<Told>>) -> Vec<String> {
    let word = |told: &Told| match told {
        Told::State(state) => format!("{:?}", state.view.status),
        Told::Event(event) => event.message.clone(),
    };
    news.unwrap_or_default().iter().map(word).collect()
}

#[test]
fn a_deployment_that_nobody_has_taken_up_is_pending() {
    let seen = seen(&World::new());
    assert_eq!((seen.status, seen.stage, seen.sets), (DeploymentStatus::Pending, None, Vec::new()));
    assert_eq!((seen.from[0].task_definition.as_str(), seen.to.task_definition.as_str()), ("hello:1", "hello:2"));
    assert_eq!(seen.deployment_arn, "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/d2");
}

#[test]
fn tasks_are_counted_by_set_and_by_how_far_they_are() {
    let mut world = World::begun();
    world.task("waits", NEW, |_| {});
    world.task("comes", NEW, bound);
    world.task("runs", OLD, running);
    world.task("goes", OLD, |unit| {
        running(unit);
        unit.intent.stop = Some(stop_wish("scaling", None));
    });
    world.task("gone", OLD, |unit| {
        running(unit);
        unit.observed.lifecycle = Lifecycle::Stopped;
    });
    world.state(|state| state.sets[1].healthy = 2);
    let [new, old] = seen(&world).sets.try_into().unwrap();
    assert_eq!((new.role, new.desired, new.tasks.waiting, new.tasks.pending), (Some(SetRole::Primary), 2, 1, 1));
    // The scheduler last saw two healthy ones; one of them has been asked to stop since.
    assert_eq!((old.tasks.running, old.tasks.healthy, old.tasks.stopping), (1, 1, 1));
}

#[test]
fn tasks_of_a_set_that_is_no_more_are_shown_until_they_have_stopped() {
    let mut world = World::begun();
    world.task("goes", "ecs-svc/0", |unit| {
        running(unit);
        unit.observed.lifecycle = Lifecycle::Stopping;
    });
    let sets = seen(&world).sets;
    assert_eq!((sets[2].role, sets[2].tasks.stopping, sets[2].task_definition.as_str()), (None, 1, "app:1"));
}

#[test]
fn tasks_of_a_former_service_of_the_name_are_not_counted() {
    let mut world = World::begun();
    world.task("old", NEW, |unit| {
        running(unit);
        let Some(model::unit::Owner::EcsService { uid, .. }) = &mut unit.owner else { return };
        *uid = "uid-former".into();
    });
    assert_eq!(seen(&world).sets[0].tasks.running, 0);
}

#[test]
fn the_bounds_are_the_deployments_own() {
    let mut world = World::begun();
    world.deployment(|deployment| {
        deployment.configuration.maximum_percent = 150;
        deployment.configuration.minimum_healthy_percent = 50;
    });
    let rolling = seen(&world);
    assert_eq!((rolling.min_healthy, rolling.max_tasks), (1, Some(3)));
    world.deployment(|deployment| deployment.configuration.strategy = DeploymentStrategy::BlueGreen);
    let two_sided = seen(&world);
    assert_eq!((two_sided.min_healthy, two_sided.max_tasks, two_sided.traffic_permille), (2, None, Some(0)));
}

#[test]
fn of_a_daemon_service_the_scheduler_says_how_many_tasks_are_wanted() {
    let mut world = World::begun();
    world.service(|service| service.scheduling = SchedulingStrategy::Daemon);
    world.state(|state| state.sets[0].desired = 5);
    assert_eq!(seen(&world).desired, 5);
}

#[test]
fn a_hook_that_is_waited_for_comes_with_the_command_that_answers_it() {
    let mut world = World::begun();
    let hook = |id: &str, stage, status| HookState { id: id.into(), hook: 0, stage, status, expires_at: at(60) };
    world.deployment(|deployment| {
        let document = serde_json::Value::Null;
        let stages = vec![Stage::ScaleUp];
        let configured = Hook { stages, timeout_minutes: 1, on_timeout: HookAction::Continue, document };
        deployment.configuration.hooks = vec![configured];
    });
    world.progress(|progress| {
        progress.hooks = vec![
            hook("done", Stage::ScaleUp, HookStatus::Succeeded),
            hook("waits", Stage::ScaleUp, HookStatus::AwaitingAction),
            hook("later", Stage::BakeTime, HookStatus::AwaitingAction),
        ];
    });
    let [waits] = seen(&world).hooks.try_into().unwrap();
    assert_eq!((waits.hook.as_str(), waits.on_timeout), ("waits", HookAction::Continue));
    assert_eq!(
        waits.command,
        "aws ecs continue-service-deployment --service-deployment-arn \
         arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/d2 --hook-id waits --action CONTINUE"
    );
}

#[test]
fn a_wait_after_failures_is_told_while_it_lasts() {
    let mut world = World::begun();
    world.state(|state| state.throttle.until = Some(at(5)));
    assert_eq!(seen(&world).throttled_until_ms, Some(at(5).unix_ms()));
    world.state(|state| state.throttle.until = Some(at(1)));
    assert_eq!(seen(&world).throttled_until_ms, None);
}

#[test]
fn the_state_comes_first_then_what_was_said_and_afterwards_only_what_is_new() {
    let mut world = World::begun();
    world.event(0, 0, "before and now");
    let mut following = following(&world);
    assert_eq!(words(following.news(&world.snapshot, at(1))), ["InProgress", "before and now"]);
    assert_eq!(following.news(&world.snapshot, at(2)), None);
    world.event(1, 3, "later");
    assert_eq!(words(following.news(&world.snapshot, at(3))), ["later"]);
    world.task("new", NEW, bound);
    world.event(2, 4, "this is why");
    assert_eq!(words(following.news(&world.snapshot, at(4))), ["this is why", "InProgress"]);
}

#[test]
fn nothing_more_comes_once_the_deployment_is_over() {
    let mut world = World::begun();
    let mut following = following(&world);
    following.news(&world.snapshot, at(1));
    assert!(!following.is_over);
    world.progress(|progress| progress.status = DeploymentStatus::Successful);
    world.event(0, 2, "completed");
    assert_eq!(words(following.news(&world.snapshot, at(2))), ["completed", "Successful"]);
    assert!(following.is_over);
}

#[test]
fn events_of_another_time_or_of_a_former_service_are_not_told() {
    let mut world = World::begun();
    world.deployment(|deployment| deployment.created_at = at(10));
    world.progress(|progress| progress.finished_at = Some(at(20)));
    for (number, second) in [(0, 9), (1, 10), (2, 20), (3, 21)] {
        world.event(number, second, "said");
    }
    let key = (web(), DEPLOYMENT.into());
    let asked = &world.snapshot.deployments[&key];
    let numbers = |from| {
        super::view::events(&world.snapshot, asked, from).iter().map(|e: &EventView| e.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), [1, 2]);
    assert_eq!(numbers(2), [2]);
}

#[test]
fn who_asks_how_it_stands_now_is_told_once() {
    let world = World::begun();
    let mut following =
        Following::begin(&world.snapshot, Question { follow: false, ..question() }).unwrap_or_else(|r| panic!("{r:?}"));
    assert_eq!(words(following.news(&world.snapshot, at(1))), ["InProgress"]);
    assert!(following.is_over);
}

#[test]
fn a_deployment_whose_record_goes_is_followed_no_further() {
    let mut world = World::begun();
    let mut following = following(&world);
    world.snapshot.deployments.clear();
    assert_eq!(following.news(&world.snapshot, at(1)), Some(Vec::new()));
    assert!(following.is_over);
}

#[test]
fn where_nothing_can_be_followed_it_is_said_why() {
    let mut world = World::begun();
    world.service(|service| service.controller = Controller::External);
    assert!(refusal(&world).contains("external controller"), "{}", refusal(&world));
    world.service(|service| {
        service.controller = Controller::Ecs;
        service.deployment = None;
    });
    assert!(refusal(&world).contains("bayplan why service/web"));
    world.snapshot.services.clear();
    assert!(refusal(&world).contains("there is no service web"));
}

#[test]
fn a_rollback_says_where_it_goes() {
    let mut world = World::begun();
    world.progress(|progress| {
        progress.rollback =
            Some(Rollback { reason: "too many failed".into(), started_at: at(1), revision: "r1".into(), failures: 0 });
    });
    assert_eq!(seen(&world).rollback.unwrap().to.task_definition, "hello:1");
}

#[test]
fn what_goes_over_the_socket_comes_back_as_it_was() {
    let mut world = World::begun();
    world.event(0, 0, "said");
    let told = following(&world).news(&world.snapshot, at(1)).unwrap();
    let text = super::lines(&told);
    let read: Vec<Told> = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(read, told);
}
