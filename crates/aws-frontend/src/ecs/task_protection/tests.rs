//! Protecting tasks of services, over a stage on which services' tasks are made by hand.

use crate::context::Context;
use crate::ecs::get_task_protection::get_task_protection;
use crate::ecs::stop_task::stop_task;
use crate::ecs::update_task_protection::update_task_protection;
use crate::testing::NOW;
use crate::testing::stage::{Stage, json};
use aws_api::ecs::{Failure, ProtectedTask, Task};
use aws_protocol::ServiceError;
use model::ServiceId;
use model::ecs::TaskFace;
use model::unit::{Face, Owner, Unit};
use records::Draft;
use records::units::{self, Intake};
use serde_json::{Value, json};
use std::sync::Arc;

const MINUTE_MS: i64 = 60_000;

async fn update(context: &Context, input: Value) -> Result<(Vec<ProtectedTask>, Vec<Failure>), ServiceError> {
    let answer = update_task_protection(context.clone(), json(with_cluster(input))).await?;
    Ok((answer.protected_tasks.unwrap(), answer.failures.unwrap()))
}

async fn get(context: &Context, tasks: Value) -> Result<(Vec<ProtectedTask>, Vec<Failure>), ServiceError> {
    let answer = get_task_protection(context.clone(), json(with_cluster(json!({ "tasks": tasks })))).await?;
    Ok((answer.protected_tasks.unwrap(), answer.failures.unwrap()))
}

fn with_cluster(mut input: Value) -> Value {
    input["cluster"] = json!("default");
    input
}

/// A task of the service `web`.
async fn of_service(stage: &Stage) -> Task {
    let task = stage.run_one("web").await;
    let unit = stage.unit(&task);
    let service = ServiceId { cluster: stage.cluster("default"), name: "web".into() };
    let owner = Owner::EcsService { service, uid: "1".into(), set: "ecs-svc/1".into() };
    let snapshot = stage.context.records().current();
    let spec = snapshot.specs.get(&unit.spec).unwrap().value.clone();
    crate::testing::forget(&stage.context, &unit.name).await;
    let mut intake = Intake::new();
    intake.admit(&Unit { owner: Some(owner), ..(*unit.value).clone() }, &spec);
    stage.context.records().commit(intake.into_draft()).await.unwrap();
    task
}

fn expiry(task: &ProtectedTask) -> Option<i64> {
    let now = i64::try_from(NOW.unix_ms()).unwrap();
    task.expiration_date.map(|at| (at.as_millis() - now) / MINUTE_MS)
}

#[tokio::test]
async fn a_protected_task_stays_so_for_two_hours_or_as_long_as_was_said() {
    let stage = Stage::new().await;
    let task = of_service(&stage).await.task_arn.unwrap();
    for (minutes, expected) in [(None, 120), (Some(1), 1), (Some(2880), 2880)] {
        let input = json!({ "tasks": [task], "protectionEnabled": true, "expiresInMinutes": minutes });
        let (protected, failures) = update(&stage.context, input).await.unwrap();
        assert_eq!((protected[0].protection_enabled, expiry(&protected[0])), (Some(true), Some(expected)));
        assert_eq!((protected[0].task_arn.as_deref(), failures), (Some(&*task), vec![]));
        assert_eq!(get(&stage.context, json!([task])).await.unwrap().0, protected);
    }
}

#[tokio::test]
async fn protection_can_be_taken_back_and_changes_nothing_but_the_face() {
    let stage = Stage::new().await;
    let task = of_service(&stage).await;
    let before = stage.unit(&task);
    let set = |enabled: bool| json!({ "tasks": [task.task_arn], "protectionEnabled": enabled });
    update(&stage.context, set(true)).await.unwrap();
    assert!(crate::ecs::task::face(&stage.unit(&task)).protected_until.is_some());
    let (protected, _) = update(&stage.context, set(false)).await.unwrap();
    assert_eq!((protected[0].protection_enabled, expiry(&protected[0])), (Some(false), None));
    assert_eq!(stage.unit(&task).value, before.value);
    let revision = stage.context.records().current().revision;
    update(&stage.context, set(false)).await.unwrap();
    assert_eq!(stage.context.records().current().revision, revision, "what changes nothing is not written");
}

#[tokio::test]
async fn what_has_expired_is_no_protection() {
    let stage = Stage::new().await;
    let task = of_service(&stage).await;
    let unit = stage.unit(&task);
    let face = TaskFace { protected_until: Some(NOW), ..crate::ecs::task::face(&unit).clone() };
    let mut draft = Draft::new();
    units::set_face(&mut draft, &unit, Face::Ecs(Arc::new(face)));
    stage.context.records().commit(draft).await.unwrap();
    let (protected, _) = get(&stage.context, json!([task.task_arn])).await.unwrap();
    assert_eq!((protected[0].protection_enabled, protected[0].expiration_date), (Some(false), None));
}

#[tokio::test]
async fn a_task_of_no_service_a_stopping_one_and_one_that_there_is_not_are_failures() {
    let stage = Stage::new().await;
    let (fine, stopping) = (of_service(&stage).await, of_service(&stage).await);
    let alone = stage.run_one("job").await;
    stop_task(stage.context.clone(), json(json!({ "task": stopping.task_arn }))).await.unwrap();
    let tasks = json!([alone.task_arn, fine.task_arn, stopping.task_arn, "00", fine.task_arn]);
    let input = json!({ "tasks": tasks, "protectionEnabled": true });
    let (protected, failures) = update(&stage.context, input).await.unwrap();
    assert_eq!(protected.len(), 1, "named twice, it is one");
    let failures: Vec<_> = failures.into_iter().map(|f| (f.arn.unwrap(), f.reason.unwrap())).collect();
    let missing = "arn:aws:ecs:us-east-1:000000000000:task/default/00".to_owned();
    let not_valid = "TASK_NOT_VALID".to_owned();
    assert_eq!(
        failures,
        [
            (alone.task_arn.clone().unwrap(), not_valid.clone()),
            (stopping.task_arn.clone().unwrap(), not_valid.clone()),
            (missing, "MISSING".to_owned()),
        ]
    );
    let (shown, failures) = get(&stage.context, json!([alone.task_arn, stopping.task_arn, "00"])).await.unwrap();
    assert_eq!((shown.len(), failures.len()), (1, 2));
    assert_eq!((failures[0].reason.as_deref(), shown[0].protection_enabled), (Some(&*not_valid), Some(false)));
}

#[tokio::test]
async fn calls_without_tasks_or_with_numbers_out_of_bounds_are_refused() {
    let stage = Stage::new().await;
    for (input, sentence) in [
        (json!({ "tasks": [], "protectionEnabled": true }), "Tasks cannot be empty."),
        (json!({ "tasks": vec!["x"; 11], "protectionEnabled": true }), "at most 10"),
        (json!({ "tasks": ["x"] }), "protectionEnabled is required"),
        (json!({ "tasks": ["x"], "protectionEnabled": true, "expiresInMinutes": 0 }), "between 1 and 2880, not 0"),
        (json!({ "tasks": ["x"], "protectionEnabled": true, "expiresInMinutes": 2881 }), "not 2881"),
    ] {
        let error = update(&stage.context, input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains(sentence), "{error}");
    }
    let error = get(&stage.context, json!(vec!["x"; 101])).await.unwrap_err();
    assert!(error.message.contains("at most 100"), "{error}");
    let input = json(json!({ "cluster": "blue", "tasks": ["x"] }));
    assert_eq!(get_task_protection(stage.context.clone(), input).await.unwrap_err().code, "ClusterNotFoundException");
}
