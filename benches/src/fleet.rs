//! A service of many tasks on nodes that are only played: their sessions are real, what runs on them is not. What is measured
//! is the control plane alone, over HTTP and on its disk: from CreateService to a service that says it is steady.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use model::unit::{ContainerObserved, ContainerState, Lifecycle, Observed};
use model::{Cpu, Memory, Node, NodeId, Timestamp, UnitUid};
use serde::Serialize;
use serde_json::{Value, json};
use session::client::{FromServer, Session, join};
use session::{Assignment, NodeRegistration, ObservedUpdate};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::aws::{Client, Endpoint};

/// What a client does that wants to know, and little load.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);
/// Only played nodes have it, so that no task goes to the machine itself.
const ATTRIBUTE: &str = "bench.played";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    /// The server's socket for agents, in the data folder: run/server.sock
    #[arg(long)]
    socket: PathBuf,
    #[arg(long, default_value_t = 20)]
    nodes: usize,
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    nodes: usize,
    tasks: usize,
    /// Until CreateService was answered.
    accepted_s: f64,
    /// Until all tasks ran.
    running_s: f64,
    /// Until the service had one deployment, which had completed.
    steady_s: f64,
    tasks_per_s: f64,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut client = Client::connect(&arguments.endpoint).await?;
    let attributes = attributes(&mut client).await?;
    let mut fleet = JoinSet::new();
    for number in 0..arguments.nodes {
        let node = played(number, attributes.clone());
        let session = join(arguments.socket.clone(), NodeRegistration { node, keeps: Vec::new() }).await?;
        fleet.spawn(play(session));
    }
    await_instances(&mut client, arguments.nodes).await?;
    client.call("RegisterTaskDefinition", &task_definition()).await?;
    let began = Instant::now();
    client.call("CreateService", &service(arguments.tasks)).await?;
    let accepted_s = began.elapsed().as_secs_f64();
    let mut running_s = None;
    let steady_s = loop {
        ensure!(began.elapsed() < PATIENCE, "the service is not steady after {PATIENCE:?}");
        if let Some(ended) = fleet.try_join_next() {
            ended?.context("a played node has left")?;
            bail!("a played node has left");
        }
        let shown = client.call("DescribeServices", &json!({"services": ["fleet"]})).await?;
        let shown = &shown["services"][0];
        if running_s.is_none() && shown["runningCount"] == arguments.tasks {
            running_s = Some(began.elapsed().as_secs_f64());
        }
        let deployments = shown["deployments"].as_array().map_or(0, Vec::len);
        if deployments == 1 && shown["deployments"][0]["rolloutState"] == "COMPLETED" {
            break began.elapsed().as_secs_f64();
        }
        sleep(LOOK_AGAIN).await;
    };
    client.call("DeleteService", &json!({"service": "fleet", "force": true})).await?;
    await_inactive(&mut client).await?;
    Ok(Outcome {
        nodes: arguments.nodes,
        tasks: arguments.tasks,
        accepted_s,
        running_s: running_s.unwrap_or(steady_s),
        steady_s,
        tasks_per_s: arguments.tasks as f64 / steady_s,
    })
}

/// What the machine's own instance can do: played nodes say the same.
async fn attributes(client: &mut Client) -> Result<BTreeMap<String, Option<String>>> {
    let listed = client.call("ListContainerInstances", &json!({})).await?;
    let arns = listed["containerInstanceArns"].clone();
    let shown = client.call("DescribeContainerInstances", &json!({"containerInstances": arns})).await?;
    let own = shown["containerInstances"][0]["attributes"].as_array().context("no container instance is there")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut all: BTreeMap<String, Option<String>> =
        own.iter().filter_map(|attribute| Some((text(&attribute["name"])?, text(&attribute["value"])))).collect();
    all.insert(ATTRIBUTE.to_owned(), Some("yes".to_owned()));
    Ok(all)
}

async fn await_instances(client: &mut Client, count: usize) -> Result<()> {
    let filter = json!({"filter": format!("attribute:{ATTRIBUTE} == yes and agentConnected == true")});
    let began = Instant::now();
    loop {
        let listed = client.call("ListContainerInstances", &filter).await?;
        if listed["containerInstanceArns"].as_array().is_some_and(|arns| arns.len() >= count.min(100)) {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the played nodes are not there after {PATIENCE:?}");
        sleep(LOOK_AGAIN).await;
    }
}

async fn await_inactive(client: &mut Client) -> Result<()> {
    let began = Instant::now();
    loop {
        let shown = client.call("DescribeServices", &json!({"services": ["fleet"]})).await?;
        if shown["services"][0]["status"] == "INACTIVE" {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the service is not inactive after {PATIENCE:?}");
        sleep(LOOK_AGAIN).await;
    }
}

fn played(number: usize, attributes: BTreeMap<String, Option<String>>) -> Node {
    Node {
        id: NodeId::new(format!("{:032x}", 0xbe9c_0000_u64 + number as u64)),
        hostname: format!("played-{number}"),
        cpu: Cpu::from_cores(64),
        memory: Memory::from_mib(256 << 10),
        attributes,
        boot_id: "played".to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        registered_at: Timestamp::default(),
        connected: true,
        disconnected_at: None,
        reserved_ports: Vec::new(),
    }
}

fn task_definition() -> Value {
    json!({
        "family": "fleet",
        "networkMode": "none",
        "containerDefinitions": [{"name": "app", "image": "fleet:1", "cpu": 16, "memory": 16}],
    })
}

fn service(tasks: usize) -> Value {
    json!({
        "serviceName": "fleet",
        "taskDefinition": "fleet",
        "desiredCount": tasks,
        "launchType": "EC2",
        "placementConstraints": [{"type": "memberOf", "expression": format!("attribute:{ATTRIBUTE} == yes")}],
    })
}

/// A node on which everything runs at once and stops when it is told to.
async fn play(session: Session) -> Result<()> {
    let Session { sender, mut receiver, .. } = session;
    let mut sequences: BTreeMap<UnitUid, u64> = BTreeMap::new();
    loop {
        let FromServer::Desired(desired) = receiver.next().await? else { continue };
        for assignment in desired.assignments {
            let sequence = sequences.entry(assignment.unit.uid.clone()).or_default();
            *sequence += 1;
            let observed = observation(&assignment);
            if assignment.unit.observed.lifecycle < observed.lifecycle {
                sender.observed(ObservedUpdate::new(&assignment.unit.uid, *sequence, &observed)).await?;
            }
        }
    }
}

fn observation(assignment: &Assignment) -> Observed {
    let now = now();
    let stops = assignment.unit.intent.stop.is_some();
    let container = |spec: &model::unit::spec::ContainerSpec| ContainerObserved {
        name: spec.name.as_str().into(),
        essential: spec.essential,
        state: if stops { ContainerState::Stopped } else { ContainerState::Running },
        image_digest: Some(format!("sha256:{:064x}", 1).into()),
        started_at: Some(now),
        ..ContainerObserved::default()
    };
    Observed {
        lifecycle: if stops { Lifecycle::Stopped } else { Lifecycle::Running },
        containers: assignment.spec.containers.iter().map(container).collect(),
        started_at: Some(now),
        stopping_at: stops.then_some(now),
        stopped_at: stops.then_some(now),
        ..Observed::default()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
