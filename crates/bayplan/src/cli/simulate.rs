//! `bayplan simulate`: tries a rollout on a described cluster before anybody does it; ends as `bayplan rollout` would.
//!
//! The front-end, the service scheduler and placement are the real ones, over a store in memory; nodes and containers are
//! [played](nodes), and time passes only where everybody waits for it, so that an hour of baking takes no time.

mod nodes;
mod plan;

use super::output::{Format, tell};
use super::rollout::{Ending, Screen};
use crate::clock::PlayedClock;
use crate::installation::random_hex;
use crate::roles::admin::rollout::Following;
use crate::roles::admin::rollout::view::{State, Told, View};
use crate::roles::server::{ends, make_network, service_scheduler};
use anyhow::{Context, Result, anyhow, bail};
use aws_frontend::Frontend;
use clap::Args;
use controllers::Placer;
use model::Scope;
use plan::Plan;
use records::{Draft, Records};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryOptions, MemoryStore};
use tokio::task::JoinSet;

#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// The description, as docs/cli.md shows: nodes, task definitions, a service, its update
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    /// How long a task without a health check runs until it counts as healthy, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    healthy_after: u64,
    /// Longest rollout, in simulated seconds
    #[arg(long, value_name = "S", default_value_t = 24 * 3600)]
    timeout: u64,
    /// Which of equally good nodes and tasks are picked
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);

pub(crate) fn run(simulate: &Simulate) -> Result<ExitCode> {
    let plan = Plan::read(&simulate.plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let logs = std::env::temp_dir().join(format!("bayplan-simulate-{}", random_hex(8)));
    let done = runtime.block_on(carry(simulate, plan, &logs));
    // Nothing was logged: the front-end only wants to have the folder.
    std::fs::remove_dir_all(&logs).ok();
    done
}

async fn carry(simulate: &Simulate, plan: Plan, logs: &std::path::Path) -> Result<ExitCode> {
    let world = World::begin(simulate, &plan, logs).await?;
    let mut known = Vec::new();
    for definition in &plan.task_definitions {
        let made = world.call("RegisterTaskDefinition", definition).await?;
        let made = &made["taskDefinition"];
        known.push(format!("{}:{}", made["family"].as_str().unwrap_or_default(), made["revision"]));
    }
    if let Some(stranger) = plan.tasks.keys().find(|name| !known.contains(name)) {
        bail!("tasks names {stranger}, which is none of the task definitions: {}", known.join(", "));
    }
    let created = world.call("CreateService", &world.with_network(plan.service)).await?;
    let name = created["service"]["serviceName"].as_str().unwrap_or_default().to_owned();
    let limit = Duration::from_secs(simulate.timeout);
    let Some(update) = plan.update else {
        return end(world.follow(&name, limit, Some(Screen::new(simulate.output))).await?, simulate);
    };
    let before = world.follow(&name, limit, None).await?;
    if Ending::of(&before.view).exit_code() != 0 {
        eprintln!("The service does not get steady as it is, before the update.");
        let last = Told::State(Box::new(State { at_ms: before.at_ms, view: before.view.clone() }));
        tell(&Screen::new(simulate.output).show(None, &last)?)?;
        return end(before, simulate);
    }
    // A simulated second, so that what is said of the time before is not said of the update.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut update = world.with_network(update);
    update["service"] = json!(name);
    world.call("UpdateService", &update).await?;
    end(world.follow(&name, limit, Some(Screen::new(simulate.output))).await?, simulate)
}

/// Says how it ended, and what was seen on the way.
fn end(followed: Followed, simulate: &Simulate) -> Result<ExitCode> {
    let Followed { view, in_time, fewest_healthy, most_tasks, .. } = followed;
    let ending = if in_time { Ending::of(&view) } else { Ending::late(&view, simulate.timeout) };
    match simulate.output {
        Format::Table => tell(&format!(
            "{} At no time fewer than {fewest_healthy} healthy tasks, nor more than {most_tasks} in all.\n",
            ending.what
        ))?,
        Format::Json => tell(&format!(
            "{}\n",
            json!({
                "type": "end", "status": view.status, "exitCode": ending.exit_code(), "what": ending.what,
                "fewestHealthy": fewest_healthy, "mostTasks": most_tasks,
            })
        ))?,
    };
    Ok(ExitCode::from(ending.exit_code()))
}

/// A control plane in this process, and the nodes that it believes to have.
struct World {
    frontend: Arc<Frontend>,
    /// Ends with it.
    _running: JoinSet<Result<()>>,
}

/// A deployment that was followed to its end, or for as long as there was time.
struct Followed {
    /// How it stood last, and since when.
    view: View,
    at_ms: u64,
    in_time: bool,
    fewest_healthy: usize,
    most_tasks: usize,
}

impl World {
    async fn begin(simulate: &Simulate, plan: &Plan, logs: &std::path::Path) -> Result<Self> {
        let scope = Scope::new(ACCOUNT, REGION);
        let store = Arc::new(MemoryStore::new(MemoryOptions::default()));
        let (records, view) = Records::open(store, Arc::new(PlayedClock::new())).await?;
        let mut running: JoinSet<Result<()>> = JoinSet::new();
        running.spawn(async move { Err(anyhow::Error::from(view.await)) });
        make_network(&records, &scope, NETWORK).await?;
        aws_frontend::ecs::ensure_default_cluster(&records, &scope).await.map_err(|e| anyhow!("{e}"))?;
        let mut draft = Draft::new();
        nodes::register(&mut draft, &plan.nodes, REGION, records.now());
        records.commit(draft).await.context("the nodes of the plan cannot be stored")?;

        let (scheduler, placer) =
            (service_scheduler(simulate.healthy_after, simulate.seed), Placer::new(simulate.seed));
        let nodes = nodes::Nodes { behaviours: plan.tasks.clone() };
        running.spawn(ends(controllers::run(scheduler, records.clone())));
        running.spawn(ends(controllers::run(placer, records.clone())));
        running.spawn(ends(controllers::run(nodes, records.clone())));
        let logs = Arc::new(observe::LogStore::open(logs)?);
        Ok(Self { frontend: Arc::new(Frontend { records, logs, scope }), _running: running })
    }

    /// An ECS operation, with its own words where it refuses.
    async fn call(&self, operation: &str, input: &Value) -> Result<Value> {
        aws_frontend::call_ecs(&self.frontend, operation, input).await.map_err(|e| anyhow!("{operation}: {e}"))
    }

    /// The same input in the simulation's own network: the plan's subnets are of another one.
    fn with_network(&self, mut input: Value) -> Value {
        let snapshot = self.frontend.records.current();
        let network = snapshot.networks.get(&self.frontend.scope);
        if let Some(vpc) = input.pointer_mut("/networkConfiguration/awsvpcConfiguration").and_then(Value::as_object_mut)
        {
            let subnets: Vec<&str> = network.iter().flat_map(|own| &own.subnets).map(|subnet| &*subnet.id).collect();
            vpc.insert("subnets".to_owned(), json!(subnets));
            vpc.remove("securityGroups");
        }
        input
    }

    /// Follows a service's newest deployment, on a screen if one is given.
    async fn follow(&self, service: &str, limit: Duration, mut screen: Option<Screen>) -> Result<Followed> {
        let records = &self.frontend.records;
        let mut following = Following::newest(&records.current(), service).map_err(|words| anyhow!(words))?;
        let (mut last, mut at_ms): (Option<View>, u64) = (None, 0);
        let (mut fewest_healthy, mut most_tasks) = (usize::MAX, 0);
        let ended = tokio::time::timeout(limit, async {
            while let Some(news) = following.next(records).await {
                for told in &news {
                    if let Some(screen) = &mut screen {
                        tell(&screen.show(last.as_ref(), told)?)?;
                    }
                    if let Told::State(state) = told {
                        let (healthy, all) = state.view.totals();
                        (fewest_healthy, most_tasks) = (fewest_healthy.min(healthy), most_tasks.max(all));
                        (last, at_ms) = (Some(state.view.clone()), state.at_ms);
                    }
                }
            }
            Ok::<_, anyhow::Error>(())
        });
        let in_time = match ended.await {
            Ok(done) => done.map(|()| true)?,
            Err(_) => false,
        };
        let view = last.context("nothing was to be seen of the deployment")?;
        Ok(Followed { view, at_ms, in_time, fewest_healthy, most_tasks })
    }
}
