//! A deployment under way, as the server tells of it, for tests: `hello:1` to `hello:2`, two tasks of each.

use crate::roles::admin::rollout::view::{BreakerView, HookView, Revision, View};
use crate::roles::admin::services::{SetView, Tasks};
use model::ecs::deployment::{DeploymentStatus, HookAction, Stage};
use model::ecs::service::SetRole;

pub(super) fn view() -> View {
    let revision =
        |number: u32| Revision { revision: format!("r{number}"), task_definition: format!("hello:{number}") };
    View {
        service: "web".into(),
        cluster: "default".into(),
        deployment: "d2".into(),
        deployment_arn: "arn:d2".into(),
        newest: true,
        status: DeploymentStatus::InProgress,
        reason: None,
        from: vec![revision(1)],
        to: revision(2),
        strategy: "ROLLING".into(),
        desired: 2,
        min_healthy: 2,
        max_tasks: Some(4),
        stage: Some(Stage::ScaleUp),
        sets: vec![
            set(SetRole::Primary, "hello:2", |tasks| tasks.pending = 2),
            set(SetRole::Active, "hello:1", |tasks| (tasks.running, tasks.healthy) = (2, 2)),
        ],
        failures: 0,
        breaker: Some(BreakerView { threshold: 3, rolls_back: true, triggered: false }),
        alarms_triggered: Vec::new(),
        throttled_until_ms: None,
        shortage: None,
        hooks: Vec::new(),
        traffic_permille: None,
        rollback: None,
        stop: None,
        created_at_ms: 1_700_000_000_000,
        finished_at_ms: None,
    }
}

pub(super) fn set(role: SetRole, definition: &str, count: impl FnOnce(&mut Tasks)) -> SetView {
    let mut tasks = Tasks::default();
    count(&mut tasks);
    SetView { set: "ecs-svc/1".into(), role: Some(role), task_definition: definition.into(), desired: 2, tasks }
}

pub(super) fn hook() -> HookView {
    HookView {
        hook: "h1".into(),
        stage: Stage::ScaleUp,
        expires_at_ms: 1_700_000_060_000,
        on_timeout: HookAction::Rollback,
        command: "aws ecs continue-service-deployment …".into(),
    }
}
