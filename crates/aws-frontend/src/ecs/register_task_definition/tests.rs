//! What the tests beside this one are made of: each case is a small change to a definition that is fine.

mod answers;
mod refused;

use super::*;
use crate::testing;
use serde_json::{Value, json};

/// A definition that is fine; `change` is laid over it as a JSON merge patch.
fn task(change: Value) -> Value {
    let mut whole = json!({
        "family": "web",
        "containerDefinitions": [{ "name": "app", "image": "app:1", "memory": 64 }],
    });
    merge(&mut whole, change);
    whole
}

/// A change to the only container.
fn container(change: Value) -> Value {
    let mut container = json!({ "name": "app", "image": "app:1", "memory": 64 });
    merge(&mut container, change);
    task(json!({ "containerDefinitions": [container] }))
}

/// Changes to the task and to the only container.
fn both(of_task: Value, of_container: Value) -> Value {
    let mut whole = container(of_container);
    merge(&mut whole, of_task);
    whole
}

/// Two containers, `a` and `b`.
fn pair(a: Value, b: Value) -> Value {
    let mut containers = [
        json!({ "name": "a", "image": "app:1", "memory": 64 }),
        json!({ "name": "b", "image": "app:1", "memory": 64 }),
    ];
    merge(&mut containers[0], a);
    merge(&mut containers[1], b);
    task(json!({ "containerDefinitions": containers }))
}

/// A definition that Fargate takes, changed.
fn fargate(of_task: Value, of_container: Value) -> Value {
    let mut whole = both(
        json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"] }),
        of_container,
    );
    merge(&mut whole, of_task);
    whole
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change,
    }
}

fn input(document: &Value) -> RegisterTaskDefinitionInput {
    serde_json::from_value(document.clone()).unwrap()
}

fn prepared(document: &Value) -> ecs::TaskDefinition {
    prepare(input(document)).unwrap_or_else(|error| panic!("{error}\n{document:#}"))
}

fn awslogs(options: Value) -> Value {
    let mut all = json!({ "awslogs-group": "g", "awslogs-region": "us-east-1" });
    merge(&mut all, options);
    json!({ "logConfiguration": { "logDriver": "awslogs", "options": all } })
}

fn health(change: Value) -> Value {
    let mut check = json!({ "command": ["CMD-SHELL", "true"] });
    merge(&mut check, change);
    json!({ "healthCheck": check })
}

fn linux(parameters: Value) -> Value {
    container(json!({ "linuxParameters": parameters }))
}

fn port(mapping: Value) -> Value {
    json!({ "portMappings": [mapping] })
}

fn volume(change: Value) -> Value {
    let mut volume = json!({ "name": "data" });
    merge(&mut volume, change);
    task(json!({ "volumes": [volume] }))
}

/// A definition of every field, each with a value that nodes support.
fn everything_supported() -> Value {
    serde_json::from_str(include_str!("tests/everything_supported.json")).unwrap()
}

/// A definition of every field that no node supports yet.
fn everything_else() -> Value {
    serde_json::from_str(include_str!("tests/everything_else.json")).unwrap()
}
