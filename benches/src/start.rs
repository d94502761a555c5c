//! Row 1: from the RunTask call to the first instruction of the container's program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::UnixDatagram;
use tokio::time::{sleep, timeout};

use crate::aws::{Client, Endpoint};
use crate::statistics::Times;

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a task that ends; nothing is measured then.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    /// awsvpc or host
    #[arg(long)]
    network: String,
    /// An image whose entry point is bench-first
    #[arg(long)]
    image: String,
    /// For awsvpc: where the task gets its address
    #[arg(long)]
    subnet: Option<String>,
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// A folder that the containers may mount
    #[arg(long)]
    folder: PathBuf,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    /// Call sent to first instruction.
    first_instruction: Times,
    /// Call sent to its answer read.
    answered: Times,
    /// Call sent to STOPPED seen, where the server got there within a minute.
    stopped: Times,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let socket = UnixDatagram::bind(folder.path().join("socket"))?;
    let mut client = Client::connect(&arguments.endpoint).await?;
    client.call("RegisterTaskDefinition", &task_definition(arguments, folder.path())).await?;
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    // The first one warms up what is made once: it is not counted.
    for run in 0..=arguments.runs {
        let name = format!("run-{run}");
        let request = serde_json::to_vec(&run_task(arguments, &name))?;
        let began = monotonic()?;
        let answer = client.raw("RunTask", request).await?;
        let answered = monotonic()? - began;
        let first = first_instruction(&socket, &name).await? - began;
        let stopped = ended(&mut client, &answer).await?.saturating_sub(began);
        if run > 0 {
            for (what, time) in [("answered", answered), ("first", first), ("stopped", stopped)] {
                times.entry(what).or_default().push(time);
            }
        }
    }
    let mut of = |what| Times::of(times.remove(what).unwrap_or_default());
    Ok(Outcome { first_instruction: of("first"), answered: of("answered"), stopped: of("stopped") })
}

fn task_definition(arguments: &Arguments, folder: &std::path::Path) -> Value {
    json!({
        "family": format!("first-{}", arguments.network),
        "networkMode": arguments.network,
        "containerDefinitions": [{
            "name": "first",
            "image": arguments.image,
            "cpu": 16,
            "memory": 16,
            "mountPoints": [{ "sourceVolume": "out", "containerPath": "/out" }],
        }],
        "volumes": [{ "name": "out", "host": { "sourcePath": folder } }],
    })
}

fn run_task(arguments: &Arguments, name: &str) -> Value {
    let mut request = json!({
        "taskDefinition": format!("first-{}", arguments.network),
        "launchType": "EC2",
        "overrides": { "containerOverrides": [{ "name": "first", "command": ["/out/socket", name] }] },
    });
    if let Some(subnet) = &arguments.subnet {
        request["networkConfiguration"] = json!({ "awsvpcConfiguration": { "subnets": [subnet] } });
    }
    request
}

/// What the program read on its clock.
async fn first_instruction(socket: &UnixDatagram, name: &str) -> Result<Duration> {
    let mut buffer = [0; 256];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let length = received.with_context(|| format!("the program of {name} did not report"))??;
    let text = std::str::from_utf8(&buffer[..length])?;
    let (who, nanoseconds) = text.split_once(' ').context("a report has two words")?;
    ensure!(who == name, "{who} reported where {name} was awaited");
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Waits until the task is STOPPED, so that no teardown runs into the next start.
async fn ended(client: &mut Client, answer: &[u8]) -> Result<Duration> {
    let answer: Value = serde_json::from_slice(answer)?;
    let Some(arn) = answer["tasks"][0]["taskArn"].as_str() else { bail!("RunTask started nothing: {answer}") };
    let deadline = monotonic()? + PATIENCE;
    loop {
        let seen = client.call("DescribeTasks", &json!({ "tasks": [arn] })).await?;
        if seen["tasks"][0]["lastStatus"] == "STOPPED" || monotonic()? > deadline {
            return monotonic();
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn monotonic() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(Duration::new(now.tv_sec() as u64, now.tv_nsec() as u32))
}
