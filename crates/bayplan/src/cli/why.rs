//! `bayplan why`: cause, evidence, next step; of a task or a service.

use super::admin;
use super::output::{self, Format, moment};
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// A task (an id, the beginning of one, an ARN) or a service (a name, an ARN); task/ID and service/NAME say which
    #[arg(value_name = "TASK|SERVICE")]
    subject: String,
    /// The service's cluster, where several have one of the name
    #[arg(long, value_name = "C")]
    cluster: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

pub(crate) fn run(data_dir: &Path, why: &Why) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let question = json!({ "subject": why.subject, "cluster": why.cluster });
    let answer = admin::post(&installation, "/v1/why", &question)?;
    match why.output {
        Format::Json => output::json(&answer)?,
        Format::Table => output::say(&prose(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn prose(answer: &Value) -> String {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let definition = answer["taskDefinition"].as_str().map(|definition| format!("{definition}, ")).unwrap_or_default();
    let cluster = text(&answer["cluster"]);
    let mut out = match (answer["task"].as_str(), answer["service"].as_str()) {
        (Some(task), None) => format!("Task {task} ({definition}cluster {cluster})\n\n"),
        (Some(task), Some(service)) => format!("Task {task} ({definition}service {service}, cluster {cluster})\n\n"),
        (None, service) => format!("Service {} ({definition}cluster {cluster})\n\n", service.unwrap_or_default()),
    };
    out.push_str(&format!("  What happened   {}\n", text(&answer["what"])));
    for (index, line) in list(&answer["evidence"]).iter().flat_map(evidence).enumerate() {
        let head = if index == 0 { "Evidence" } else { "" };
        out.push_str(&format!("  {head:<14}  {line}\n"));
    }
    for (index, line) in list(&answer["lastLogLines"]).iter().enumerate() {
        let head = if index == 0 { "Last lines" } else { "" };
        out.push_str(&format!("  {head:<14}  | {}\n", text(line)));
    }
    out.push_str(&format!("  Next            {}\n", text(&answer["next"])));
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The lines of one piece of evidence; what it is shows in the key that it has.
fn evidence(item: &Value) -> Vec<String> {
    let ms = |key: &str| item[key].as_u64().map(moment).unwrap_or_default();
    if item["container"].is_string() {
        vec![format!("container {}", container(item))]
    } else if let Some(node) = item["node"].as_str() {
        vec![format!("node {node}: {}", text(&item["lacks"]))]
    } else if let Some(deployment) = item["deployment"].as_str() {
        vec![format!("deployment {deployment}{}", progress(item))]
    } else if let Some(set) = item["set"].as_str() {
        vec![format!("{} {set}: {}", item["role"].as_str().unwrap_or("leaving"), counts(item))]
    } else if let Some(hook) = item["hook"].as_str() {
        vec![format!("hook {hook} at {}, until {}", text(&item["stage"]), ms("expiresAtMs"))]
    } else if item["throttledUntilMs"].is_u64() {
        vec![format!("no task is started before {}, after {} failures", ms("throttledUntilMs"), item["failures"])]
    } else if let Some(task) = item["failedTask"].as_str() {
        let containers = item["containers"].as_array().into_iter().flatten();
        let head = format!(
            "{} task {task} of {}: {}",
            ms("stoppedAtMs"),
            text(&item["taskDefinition"]),
            text(&item["reason"])
        );
        let each = containers.map(|each| format!("  container {}", container(each)));
        [head.trim_start().to_owned()].into_iter().chain(each).collect()
    } else {
        vec![format!("{} {}", ms("atMs"), text(&item["event"]))]
    }
}

fn container(item: &Value) -> String {
    let mut words = format!("{}: {}", text(&item["container"]), text(&item["state"]));
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

fn progress(item: &Value) -> String {
    let target = item["taskDefinition"].as_str().map(|target| format!(" of {target}")).unwrap_or_default();
    let breaker = match (item["failures"].as_u64(), item["threshold"].as_u64()) {
        (Some(failures), Some(threshold)) => format!(", {failures} of {threshold} failures"),
        (Some(failures), None) if failures > 0 => format!(", {failures} failures (the circuit breaker is off)"),
        _ => String::new(),
    };
    let reason = item["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{target}: {} at {}{breaker}{reason}", text(&item["status"]), text(&item["stage"]))
}

/// A set's tasks: what it is to have, and of each kind that there is how many.
fn counts(item: &Value) -> String {
    let kinds = ["waiting", "pending", "running", "healthy", "stopping"];
    let there = kinds.iter().filter(|kind| item[**kind].as_u64().is_some_and(|count| count > 0));
    let there: Vec<String> = there.map(|kind| format!("{} {kind}", item[*kind])).collect();
    let there = if there.is_empty() { "none there".to_owned() } else { there.join(", ") };
    format!("{}, {} wanted, {there}", text(&item["taskDefinition"]), item["desired"])
}
