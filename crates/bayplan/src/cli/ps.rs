//! `bayplan ps`: the tasks of this installation, newest last, or its services.

use super::admin;
use super::output::{self, Format};
use crate::installation::Installation;
use crate::roles::admin::services::{definition_of, service_of};
use anyhow::Result;
use clap::Args;
use model::unit::{Health, Lifecycle, Placement, Unit};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Ps {
    /// Stopped tasks too
    #[arg(long, short, conflicts_with = "services")]
    all: bool,
    /// Services instead of tasks
    #[arg(long, short)]
    services: bool,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// A task as `ps` shows it; the JSON keys are stable.
pub(crate) fn row(unit: &Unit) -> Value {
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
        "service": service_of(unit),
        "taskDefinition": definition_of(unit),
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
    let what = if ps.services { "/v1/services" } else { "/v1/tasks" };
    let listed = admin::get(&installation, what)?;
    let mut listed: Vec<Value> = listed.as_array().cloned().unwrap_or_default();
    listed.retain(|row| ps.all || row["status"] != "STOPPED");
    listed.sort_by_key(|row| row["createdAtMs"].as_u64());
    match (ps.output, ps.services) {
        (Format::Json, _) => output::json(&listed)?,
        (Format::Table, true) => output::say(&services(&listed))?,
        (Format::Table, false) => output::say(&tasks(&listed))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tasks(listed: &[Value]) -> String {
    let row = |task: &Value| {
        let ports: Vec<String> = task["ports"].as_array().into_iter().flatten().map(text).collect();
        let id: String = text(&task["id"]).chars().take(12).collect();
        let cells = ["service", "taskDefinition", "cluster", "status", "health", "address"];
        let ports = if ports.is_empty() { "-".to_owned() } else { ports.join(",") };
        [id].into_iter().chain(cells.map(|key| text(&task[key]))).chain([ports]).collect()
    };
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    output::table(&["TASK", "SERVICE", "DEFINITION", "CLUSTER", "STATUS", "HEALTH", "ADDRESS", "PORTS"], &rows)
}

fn services(listed: &[Value]) -> String {
    let row = |service: &Value| {
        let counts = format!("{}/{}", service["running"], service["desired"]);
        // A deleted service goes nowhere any more.
        let state = if service["status"] == "DRAINING" { &service["status"] } else { &service["deployment"] };
        let cells = ["name", "cluster", "taskDefinition"].map(|key| text(&service[key]));
        cells.into_iter().chain([counts, service["healthy"].to_string(), text(state)]).collect()
    };
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    output::table(&["SERVICE", "CLUSTER", "DEFINITION", "RUNNING", "HEALTHY", "DEPLOYMENT"], &rows)
}

fn text(cell: &Value) -> String {
    cell.as_str().unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_service_or_an_address_shows_dashes() {
        let task = json!({ "id": "0123456789abcdef", "service": null, "taskDefinition": "app:1", "cluster": "default",
            "status": "RUNNING", "health": "unknown", "address": null, "ports": ["8080->80"] });
        let shown = tasks(&[task]);
        let cells: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["0123456789ab", "-", "app:1", "default", "RUNNING", "unknown", "-", "8080->80"]);
    }

    #[test]
    fn a_service_shows_what_it_has_of_what_it_wants_and_how_its_deployment_stands() {
        let mut service = json!({ "name": "web", "cluster": "blue", "taskDefinition": "app:2", "status": "ACTIVE",
            "running": 3, "desired": 4, "healthy": 2, "deployment": "IN_PROGRESS" });
        let cells = |service: &Value| {
            let shown = services(std::slice::from_ref(service));
            shown.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(cells(&service), ["web", "blue", "app:2", "3/4", "2", "IN_PROGRESS"]);
        service["status"] = json!("DRAINING");
        assert_eq!(cells(&service).last().unwrap(), "DRAINING");
    }
}
