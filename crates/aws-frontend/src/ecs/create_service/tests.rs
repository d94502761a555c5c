//! CreateService against a stage with the definitions `web` (bridge) and `vpc` (awsvpc, EC2 and Fargate).

mod accepted;
mod idempotent;
mod refused;

use crate::testing::definition;
use crate::testing::stage::{Stage, awsvpc};
use serde_json::{Value, json};

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.register(awsvpc("vpc")).await;
    stage
}

/// The plainest service, and more.
fn web(more: Value) -> Value {
    let mut input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    more.as_object().unwrap().iter().for_each(|(key, value)| match value {
        Value::Null => drop(input.as_object_mut().unwrap().remove(key)),
        value => input[key] = value.clone(),
    });
    input
}
