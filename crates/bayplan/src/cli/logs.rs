//! `bayplan logs`: what a task's containers have written, whatever its log configuration says.

use super::output::Format;
use super::stream;
use crate::installation::Installation;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The task: an id, the beginning of one, or an ARN
    task: String,
    /// Only this container
    #[arg(long, short)]
    container: Option<String>,
    /// Go on until the task ends
    #[arg(long, short)]
    follow: bool,
    /// Only the last N lines of each container
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// The time before each line
    #[arg(long, short)]
    timestamps: bool,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

pub(crate) fn run(data_dir: &Path, logs: &Logs) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    if logs.tail == Some(0) {
        bail!("--tail wants at least 1");
    }
    let question = json!({
        "kind": "logs",
        "unit": logs.task,
        "container": logs.container,
        "follow": logs.follow,
        "tail": logs.tail,
        "timestamps": logs.timestamps,
        "json": logs.output == Format::Json,
    });
    stream::logs(&installation, question)
}
