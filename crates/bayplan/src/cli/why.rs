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
    let failures = item["failures"].as_u64().unwrap_or(0);
    let breaker = match item["threshold"].as_u64() {
        Some(threshold) if item["breakerTriggered"] == true => {
            format!(", the circuit breaker tripped after {threshold} failures")
        }
        Some(threshold) => format!(", {failures} of {threshold} failures until the circuit breaker trips"),
        None if failures > 0 => format!(", {failures} failed (the circuit breaker is off)"),
        None => String::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_evidence_reads_as_a_line() {
        let table = [
            (json!({"node": "n1", "lacks": "too little cpu is free"}), "node n1: too little cpu is free"),
            (
                json!({"container": "main", "state": "stopped", "exitCode": 3, "outOfMemory": true}),
                "container main: stopped, exit code 3, out of memory",
            ),
            (
                json!({"set": "ecs-svc/1", "role": "primary", "taskDefinition": "app:1", "desired": 2, "running": 1, "healthy": 0}),
                "primary ecs-svc/1: app:1, 2 wanted, 1 running",
            ),
            (
                json!({"set": "ecs-svc/1", "role": null, "taskDefinition": "app:1", "desired": 0, "stopping": 1}),
                "leaving ecs-svc/1: app:1, 0 wanted, 1 stopping",
            ),
            (
                json!({"hook": "h1", "stage": "PRE_SCALE_UP", "expiresAtMs": 1_700_000_000_000_u64}),
                "hook h1 at PRE_SCALE_UP, until 2023-11-14T22:13:20Z",
            ),
            (
                json!({"throttledUntilMs": 1_700_000_000_000_u64, "failures": 4}),
                "no task is started before 2023-11-14T22:13:20Z, after 4 failures",
            ),
            (
                json!({"deployment": "d1", "taskDefinition": "app:2", "status": "IN_PROGRESS", "stage": "SCALE_UP", "failures": 1, "threshold": 3}),
                "deployment d1 of app:2: IN_PROGRESS at SCALE_UP, 1 of 3 failures until the circuit breaker trips",
            ),
            (
                json!({"event": "has reached a steady state.", "atMs": 1_700_000_000_000_u64}),
                "2023-11-14T22:13:20Z has reached a steady state.",
            ),
        ];
        for (item, line) in table {
            assert_eq!(evidence(&item), [line]);
        }
    }

    #[test]
    fn a_failed_task_has_a_line_for_each_of_its_containers() {
        let item = json!({"failedTask": "t1", "taskDefinition": "app:1", "reason": "it ended", "stoppedAtMs": null,
            "containers": [{"container": "a", "state": "stopped", "exitCode": 1}, {"container": "b", "state": "running"}]});
        let lines = evidence(&item);
        assert_eq!(
            lines,
            ["task t1 of app:1: it ended", "  container a: stopped, exit code 1", "  container b: running"]
        );
    }

    #[test]
    fn a_task_of_a_service_names_it() {
        let answer = json!({"task": "t1", "taskDefinition": "app:1", "cluster": "default", "service": "web",
            "what": "It runs.", "evidence": [], "lastLogLines": ["hello"], "next": "bayplan logs t1"});
        let said = prose(&answer);
        assert!(said.starts_with("Task t1 (app:1, service web, cluster default)\n"), "{said}");
        assert!(said.contains("Last lines      | hello\n") && said.ends_with("Next            bayplan logs t1\n"));
    }
}
