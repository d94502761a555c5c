//! `bayplan ps`: the tasks of this installation, newest last.

use super::admin;
use super::output::{self, Format};
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use model::unit::{Face, Health, Lifecycle, Placement, Unit};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Ps {
    /// Stopped tasks too
    #[arg(long, short)]
    all: bool,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// A task as `ps` shows it; the JSON keys are stable.
pub(crate) fn row(unit: &Unit) -> Value {
    let Face::Ecs(face) = &unit.face;
    let address = unit.placement.address().map(|a| a.address.to_string());
    let ports: Vec<String> = unit
        .observed
        .containers
        .iter()
        .flat_map(|c| &c.ports)
        .map(|p| format!("{}->{}", p.host_port, p.container_port))
        .collect();
    json!({
        "id": unit.uid.as_str(),
        "cluster": unit.name.cluster().name,
        "taskDefinition": format!("{}:{}", face.task_definition.family, face.task_definition.revision),
        "status": status(unit),
        "health": match unit.observed.health() {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        },
        "address": address,
        "ports": ports,
        "createdAtMs": unit.created_at.unix_ms(),
        "stoppedReason": unit.observed.stop.as_ref().map(|s| s.reason.clone()),
    })
}

fn status(unit: &Unit) -> &'static str {
    match (&unit.placement, unit.observed.lifecycle) {
        (Placement::Pending | Placement::Refused(_), _) => "PROVISIONING",
        (_, Lifecycle::Accepted | Lifecycle::Preparing) => "PENDING",
        (_, Lifecycle::Running) => "RUNNING",
        (_, Lifecycle::Stopping) => "STOPPING",
        (_, Lifecycle::Stopped) => "STOPPED",
    }
}

pub(crate) fn run(data_dir: &Path, ps: &Ps) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let tasks = admin::get(&installation, "/v1/tasks")?;
    let mut tasks: Vec<Value> = tasks.as_array().cloned().unwrap_or_default();
    tasks.retain(|t| ps.all || t["status"] != "STOPPED");
    tasks.sort_by_key(|t| t["createdAtMs"].as_u64());
    if ps.output == Format::Json {
        output::json(&tasks)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|t| {
            let ports =
                t["ports"].as_array().map(|p| p.iter().map(text).collect::<Vec<_>>().join(",")).unwrap_or_default();
            let id: String = text(&t["id"]).chars().take(12).collect();
            let cells = [&t["taskDefinition"], &t["cluster"], &t["status"], &t["health"], &t["address"]];
            let mut row = vec![id];
            row.extend(cells.into_iter().map(text));
            row.push(if ports.is_empty() { "-".to_owned() } else { ports });
            row
        })
        .collect();
    output::say(&output::table(&["TASK", "DEFINITION", "CLUSTER", "STATUS", "HEALTH", "ADDRESS", "PORTS"], &rows))?;
    Ok(ExitCode::SUCCESS)
}
