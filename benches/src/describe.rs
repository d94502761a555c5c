//! Row 6: DescribeTasks over keep-alive connections; every request is signed and differs from every other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::aws::{Client, Endpoint};
use crate::statistics::Times;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Tasks named in each request
    #[arg(long, default_value_t = 1)]
    tasks: usize,
    /// Requests are drawn over this many tasks
    #[arg(long, default_value_t = 1000)]
    over: usize,
    /// What the tasks are listed by: RUNNING or STOPPED
    #[arg(long, default_value = "STOPPED")]
    status: String,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    requests_per_s: f64,
    connections: usize,
    tasks_per_request: usize,
    over_tasks: usize,
    times: Times,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut client = Client::connect(&arguments.endpoint).await?;
    let arns = Arc::new(list(&mut client, arguments).await?);
    ensure!(arns.len() >= arguments.over, "there are {} tasks, {} are needed", arns.len(), arguments.over);
    let (began, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut callers = JoinSet::new();
    for connection in 0..arguments.connections {
        let client = Client::connect(&arguments.endpoint).await?;
        callers.spawn(ask(client, arns.clone(), arguments.tasks, connection as u64, began + length));
    }
    let mut times = Vec::new();
    while let Some(of_caller) = callers.join_next().await {
        times.extend(of_caller??);
    }
    Ok(Outcome {
        requests_per_s: times.len() as f64 / began.elapsed().as_secs_f64(),
        connections: arguments.connections,
        tasks_per_request: arguments.tasks,
        over_tasks: arns.len(),
        times: Times::of(times),
    })
}

async fn list(client: &mut Client, arguments: &Arguments) -> Result<Vec<String>> {
    let (mut arns, mut token) = (Vec::new(), None::<String>);
    while arns.len() < arguments.over {
        let mut request = json!({ "desiredStatus": arguments.status, "maxResults": 100 });
        if let Some(token) = token {
            request["nextToken"] = json!(token);
        }
        let page = client.call("ListTasks", &request).await?;
        let of_page = page["taskArns"].as_array().map_or(&[][..], Vec::as_slice);
        arns.extend(of_page.iter().filter_map(|arn| arn.as_str()).map(str::to_owned));
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    arns.truncate(arguments.over);
    Ok(arns)
}

async fn ask(
    mut client: Client,
    arns: Arc<Vec<String>>,
    tasks: usize,
    seed: u64,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let named: Vec<&str> = sample(&mut random, arns.len(), tasks).iter().map(|n| arns[n].as_str()).collect();
        // A field that no server knows makes each body, and so each signature, the only one of its kind.
        let request = json!({ "cluster": "default", "tasks": named, "x": random.random::<u64>() });
        let body = serde_json::to_vec(&request)?;
        let began = Instant::now();
        let answer = client.raw("DescribeTasks", body).await?;
        times.push(began.elapsed());
        let described = answer.windows(11).filter(|window| window == b"\"taskArn\":\"" || window == b"\"taskArn\": ");
        let described = described.count();
        ensure!(described >= tasks, "{described} of {tasks} tasks were described");
    }
    Ok(times)
}
