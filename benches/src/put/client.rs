//! Puts over many connections, one call at a time on each, as so many separate clients would.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::etcd::{self, PUT, PutRequest};
use crate::statistics::Times;

type Client = SendRequest<Full<Bytes>>;

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
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        clients.push(connect(&arguments.address).await?);
    }
    let (began, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let value = Bytes::from(vec![b'v'; arguments.value_bytes]);
    let mut puts = JoinSet::new();
    for (n, client) in clients.into_iter().enumerate() {
        puts.spawn(put_until(
            client,
            arguments.address.clone(),
            value.clone(),
            n as u64,
            arguments.keys,
            began + length,
        ));
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

async fn connect(address: &str) -> Result<Client> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("{address} cannot be reached"))?;
    stream.set_nodelay(true)?;
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Ends with the connection, which ends with its sender.
    tokio::spawn(connection);
    Ok(client)
}

async fn put_until(
    mut client: Client,
    address: String,
    value: Bytes,
    seed: u64,
    keys: u64,
    until: Instant,
) -> Result<Vec<Duration>> {
    let uri: http::Uri = format!("http://{address}{PUT}").parse()?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let key = format!("/bench/{:08}", random.random_range(0..keys));
        let message = PutRequest { key: key.into(), value: value.clone() };
        let began = Instant::now();
        put(&mut client, uri.clone(), &message).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// One unary call of gRPC over HTTP/2, written out: a client library's own work would be counted against both servers.
async fn put(client: &mut Client, uri: http::Uri, message: &PutRequest) -> Result<()> {
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(etcd::framed(&message.encode_to_vec())))?;
    client.ready().await?;
    let answer = client.send_request(request).await?;
    let in_head = answer.headers().get("grpc-status").cloned();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await?;
    let status = in_head.or_else(|| body.trailers()?.get("grpc-status").cloned());
    ensure!(status.as_ref().is_some_and(|status| status == "0"), "a Put failed: grpc-status {status:?}");
    ensure!(!body.to_bytes().is_empty(), "a Put was answered by no message");
    Ok(())
}
