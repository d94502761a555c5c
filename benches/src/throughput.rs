//! Row 2: many tasks of a program that ends at once, from the first RunTask to the last STOPPED.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::aws::{Client, Endpoint};

/// Most tasks of one RunTask, and of one DescribeTasks.
const PER_CALL: usize = 10;
const PER_LOOK: usize = 100;
/// Between two looks at the oldest tasks: what a client does that wants to know, and little load.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long)]
    image: String,
    /// host, bridge, none or awsvpc
    #[arg(long, default_value = "host")]
    network: String,
    #[arg(long)]
    subnet: Option<String>,
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
    /// RunTask calls in flight
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    tasks: usize,
    in_flight: usize,
    tasks_per_s: f64,
    /// Until the last RunTask was answered.
    accepted_s: f64,
    stopped_s: f64,
    /// Calls that were answered with fewer tasks than asked and were repeated for the rest.
    short_answers: usize,
    /// Tasks that did not end with exit code 0.
    failed: usize,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut client = Client::connect(&arguments.endpoint).await?;
    client.call("RegisterTaskDefinition", &task_definition(arguments)).await?;
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(arguments.tasks.div_ceil(PER_CALL)));
    let mut callers = JoinSet::new();
    for _ in 0..arguments.in_flight {
        let caller = Client::connect(&arguments.endpoint).await?;
        callers.spawn(call_until_none_left(caller, request(arguments), left.clone()));
    }
    let (mut arns, mut short_answers) = (VecDeque::new(), 0);
    while let Some(of_caller) = callers.join_next().await {
        let (of_caller, short) = of_caller??;
        arns.extend(of_caller);
        short_answers += short;
    }
    let accepted = began.elapsed();
    let tasks = arns.len();
    let failed = await_stopped(&mut client, arns, began).await?;
    let stopped = began.elapsed();
    Ok(Outcome {
        tasks,
        in_flight: arguments.in_flight,
        tasks_per_s: tasks as f64 / stopped.as_secs_f64(),
        accepted_s: accepted.as_secs_f64(),
        stopped_s: stopped.as_secs_f64(),
        short_answers,
        failed,
    })
}

fn task_definition(arguments: &Arguments) -> Value {
    json!({
        "family": "short",
        "networkMode": arguments.network,
        "containerDefinitions": [{ "name": "first", "image": arguments.image, "memory": 6 }],
    })
}

fn request(arguments: &Arguments) -> Value {
    let mut request = json!({ "taskDefinition": "short", "launchType": "EC2" });
    if let Some(subnet) = &arguments.subnet {
        request["networkConfiguration"] = json!({ "awsvpcConfiguration": { "subnets": [subnet] } });
    }
    request
}

/// The ARNs of what was started, and how many answers fell short.
async fn call_until_none_left(
    mut client: Client,
    mut request: Value,
    left: Arc<AtomicUsize>,
) -> Result<(Vec<String>, usize)> {
    let (mut arns, mut short) = (Vec::new(), 0);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let mut wanted = PER_CALL;
        while wanted > 0 {
            request["count"] = json!(wanted);
            let answer = client.call("RunTask", &request).await?;
            let started = answer["tasks"].as_array().map_or(&[][..], Vec::as_slice);
            arns.extend(started.iter().filter_map(|task| task["taskArn"].as_str()).map(str::to_owned));
            wanted -= started.len().min(wanted);
            if wanted > 0 {
                short += 1;
                sleep(LOOK_AGAIN).await;
            }
        }
    }
    Ok((arns, short))
}

/// Looks at the oldest tasks until all are STOPPED; answers how many did not exit with 0.
async fn await_stopped(client: &mut Client, mut arns: VecDeque<String>, began: Instant) -> Result<usize> {
    let mut failed = 0;
    while !arns.is_empty() {
        ensure!(began.elapsed() < PATIENCE, "{} tasks are not STOPPED after {PATIENCE:?}", arns.len());
        let looked: Vec<String> = arns.drain(..arns.len().min(PER_LOOK)).collect();
        let seen = client.call("DescribeTasks", &json!({ "tasks": looked })).await?;
        let tasks = seen["tasks"].as_array().map_or(&[][..], Vec::as_slice);
        ensure!(tasks.len() == looked.len(), "DescribeTasks does not know some tasks: {}", seen["failures"]);
        let (stopped, running): (Vec<&Value>, Vec<&Value>) = tasks.iter().partition(|t| t["lastStatus"] == "STOPPED");
        failed += stopped.iter().filter(|task| task["containers"][0]["exitCode"] != 0).count();
        for task in running.iter().rev() {
            arns.push_front(task["taskArn"].as_str().unwrap_or_default().to_owned());
        }
        if !running.is_empty() {
            sleep(LOOK_AGAIN).await;
        }
    }
    Ok(failed)
}
