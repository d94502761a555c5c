//! `bayplan why`: cause, evidence, next step.

use super::admin;
use super::output::{self, Format};
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// The task: an id, the beginning of one, or an ARN
    task: String,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

pub(crate) fn run(data_dir: &Path, why: &Why) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let answer = admin::post(&installation, "/v1/why", &json!({ "task": why.task }))?;
    match why.output {
        Format::Json => output::json(&answer)?,
        Format::Table => output::say(&prose(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn prose(answer: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let mut out = format!(
        "Task {} ({}, cluster {})\n\n  What happened   {}\n",
        text(&answer["task"]),
        text(&answer["taskDefinition"]),
        text(&answer["cluster"]),
        text(&answer["what"])
    );
    for (index, item) in list(&answer["evidence"]).iter().enumerate() {
        let head = if index == 0 { "Evidence" } else { "" };
        out.push_str(&format!("  {head:<14}  {}\n", evidence(item)));
    }
    for (index, line) in list(&answer["lastLogLines"]).iter().enumerate() {
        let head = if index == 0 { "Last lines" } else { "" };
        out.push_str(&format!("  {head:<14}  | {}\n", text(line)));
    }
    out.push_str(&format!("  Next            {}\n", text(&answer["next"])));
    out
}

fn evidence(item: &Value) -> String {
    if let Some(node) = item["node"].as_str() {
        return format!("node {node}: {}", item["lacks"].as_str().unwrap_or_default());
    }
    let mut words = format!(
        "container {}: {}",
        item["container"].as_str().unwrap_or_default(),
        item["state"].as_str().unwrap_or_default()
    );
    if let Some(code) = item["exitCode"].as_i64() {
        words.push_str(&format!(", exit code {code}"));
    }
    if item["outOfMemory"] == true {
        words.push_str(", out of memory");
    }
    if let Some(health) = item["health"].as_str() {
        words.push_str(&format!(", {health}"));
    }
    if let Some(reason) = item["reason"].as_str() {
        words.push_str(&format!(" ({reason})"));
    }
    words
}
