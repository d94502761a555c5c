//! `bayplan spot`: does what AWS does to tasks on Spot capacity.

use super::admin;
use super::output::{self, Format};
use crate::installation::Installation;
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Spot {
    #[command(subcommand)]
    verb: Verb,
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Interrupt a FARGATE_SPOT task: SIGTERM now, SIGKILL after its stop timeout
    Interrupt {
        /// An id, the beginning of one, or an ARN
        task: String,
    },
}

pub(crate) fn run(data_dir: &Path, spot: &Spot) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let Verb::Interrupt { task } = &spot.verb;
    let answer = admin::post(&installation, "/v1/spot/interrupt", &json!({ "task": task }))?;
    match spot.output {
        Format::Json => output::json(&answer)?,
        Format::Table => output::say(&prose(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn prose(answer: &Value) -> String {
    let task = answer["task"].as_str().unwrap_or_default();
    let successor = match answer["service"].as_str() {
        Some(service) => format!(" Service {service} starts another."),
        None => String::new(),
    };
    format!("Task {task} was told to stop, as Spot does.{successor} Next: bayplan why {task}\n")
}
