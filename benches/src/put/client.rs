//! Puts over many connections, one call at a time on each, as so many separate clients would.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Args;
use http::uri::PathAndQuery;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::etcd::{PUT, PutRequest, PutResponse};
use crate::statistics::Times;

#[derive(Args)]
pub(crate) struct Arguments {
    /// HOST:PORT
    #[arg(long)]
    address: String,
    #[arg(long, default_value_t = 256)]
    connections: u64,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value_t = 340)]
    value_bytes: usize,
    /// Different keys that are written
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    puts_per_s: f64,
    connections: u64,
    value_bytes: usize,
    times: Times,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let endpoint = Endpoint::from_shared(format!("http://{}", arguments.address))?.tcp_nodelay(true);
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        let channel = endpoint.connect().await.with_context(|| format!("{} cannot be reached", arguments.address))?;
        clients.push(Grpc::new(channel));
    }
    let (began, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let value = Bytes::from(vec![b'v'; arguments.value_bytes]);
    let mut puts = JoinSet::new();
    for (n, client) in clients.into_iter().enumerate() {
        puts.spawn(put_until(client, value.clone(), n as u64, arguments.keys, began + length));
    }
    let mut times = Vec::new();
    while let Some(of_client) = puts.join_next().await {
        times.extend(of_client??);
    }
    Ok(Outcome {
        puts_per_s: times.len() as f64 / began.elapsed().as_secs_f64(),
        connections: arguments.connections,
        value_bytes: arguments.value_bytes,
        times: Times::of(times),
    })
}

async fn put_until(
    mut client: Grpc<Channel>,
    value: Bytes,
    seed: u64,
    keys: u64,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let key = format!("/bench/{:08}", random.random_range(0..keys));
        let request = tonic::Request::new(PutRequest { key: key.into(), value: value.clone() });
        let codec: ProstCodec<PutRequest, PutResponse> = ProstCodec::default();
        let began = Instant::now();
        client.ready().await?;
        client.unary(request, PathAndQuery::from_static(PUT), codec).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}
