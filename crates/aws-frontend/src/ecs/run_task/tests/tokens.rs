//! clientToken: the same call twice is one call.

use crate::testing::definition;
use crate::testing::stage::{Stage, bind, call};
use aws_api::ecs::RunTaskInput;
use model::unit::Refusal;
use model::unit::placement::Shortage;

fn with_token(token: &str, count: i32) -> RunTaskInput {
    RunTaskInput { client_token: Some(token.to_owned()), count: Some(count), ..call("web") }
}

async fn arns(stage: &Stage, input: RunTaskInput) -> Vec<String> {
    let tasks = stage.run(input).await.unwrap().tasks.unwrap();
    let mut arns: Vec<String> = tasks.into_iter().map(|task| task.task_arn.unwrap()).collect();
    arns.sort();
    arns
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage
}

#[tokio::test]
async fn a_repeated_call_answers_the_same_tasks() {
    let stage = stage().await;
    let first = arns(&stage, with_token("t", 3)).await;
    assert_eq!(arns(&stage, with_token("t", 3)).await, first);
    assert_eq!(stage.context.records().current().units.len(), 3);
    assert_ne!(arns(&stage, with_token("u", 3)).await, first);
}

#[tokio::test]
async fn calls_at_the_same_time_make_their_tasks_once() {
    let stage = stage().await;
    let (one, two) = tokio::join!(arns(&stage, with_token("t", 2)), arns(&stage, with_token("t", 2)));
    assert_eq!(one, two);
    assert_eq!(stage.context.records().current().units.len(), 2);
}

#[tokio::test]
async fn other_parameters_under_a_token_are_a_conflict_that_names_the_tasks() {
    let stage = stage().await;
    let first = arns(&stage, with_token("t", 1)).await;
    let error = stage.run(with_token("t", 2)).await.unwrap_err();
    assert_eq!(error.code, "ConflictException");
    assert_eq!(error.fields["resourceIds"], serde_json::json!(first));
    assert_eq!(stage.context.records().current().units.len(), 1);
}

#[tokio::test]
async fn a_call_that_made_no_task_may_be_repeated() {
    let stage = stage().await;
    stage.refuse(Refusal { nodes: Vec::new(), main: Shortage::NoNode });
    let answer = stage.run(with_token("t", 1)).await.unwrap();
    assert_eq!(answer.tasks.unwrap().len(), 0);
    stage.context.records().wait_for(|snapshot| snapshot.units.is_empty().then_some(())).await.unwrap();
    stage.verdict(bind);
    assert_eq!(arns(&stage, with_token("t", 1)).await.len(), 1);
}

#[tokio::test]
async fn without_a_token_each_call_makes_tasks() {
    let stage = stage().await;
    let empty = RunTaskInput { client_token: Some(String::new()), ..call("web") };
    assert_ne!(arns(&stage, call("web")).await, arns(&stage, empty).await);
    assert!(stage.context.records().current().client_tokens.is_empty());
}
