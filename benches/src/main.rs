//! Measures one thing once and prints it as one line of JSON; who runs it how often beside which peer is `run.py`'s affair.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads clocks and prints")]

mod aws;
mod describe;
mod etcd;
mod fleet;
mod put;
mod start;
mod statistics;
mod sync;
mod tasks;
mod throughput;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde::Serialize;

/// One measurement; prints one line of JSON.
#[derive(Parser)]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// RunTask call to the container's first instruction
    Start(start::Arguments),
    /// Short tasks from RunTask to STOPPED, many at once
    Throughput(throughput::Arguments),
    /// A service of many tasks on played nodes, from CreateService to steady
    Fleet(fleet::Arguments),
    /// Make tasks for `describe` where there are none
    Tasks(tasks::Arguments),
    /// DescribeTasks, signed, over keep-alive connections
    Describe(describe::Arguments),
    /// etcd v3 Put calls over many connections
    Put(put::client::Arguments),
    /// Answer etcd v3 Put calls from our SQLite engine, until killed
    PutServer(put::server::Arguments),
    /// How long a write of 4 KiB takes to be on this folder's disk
    Sync(sync::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<()> {
    match Bench::parse().what {
        What::Start(arguments) => print(&start::run(&arguments).await?),
        What::Throughput(arguments) => print(&throughput::run(&arguments).await?),
        What::Fleet(arguments) => print(&fleet::run(&arguments).await?),
        What::Tasks(arguments) => print(&tasks::run(&arguments).await?),
        What::Describe(arguments) => print(&describe::run(&arguments).await?),
        What::Put(arguments) => print(&put::client::run(&arguments).await?),
        What::PutServer(arguments) => put::server::run(&arguments).await,
        What::Sync(arguments) => print(&sync::run(&arguments)?),
    }
}

fn print(result: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}
