//! `why`: what happened to a task, what shows it, and what to do next.

use super::{Admin, Refusal, find};
use model::unit::{ContainerObserved, ContainerState, Face, Health, Lifecycle, Placement, Unit};
use serde_json::{Value, json};
use session::LogsRequest;
use session::stream::NodeStreams;
use session::wire::{Frame, frame};
use std::time::Duration;

/// Log lines of each container that are shown.
const LAST_LINES: u64 = 10;
/// How long a node may take to send them.
const LINES_WITHIN: Duration = Duration::from_secs(3);

impl Admin {
    pub(super) async fn why(&self, question: &Value) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let unit = find::unit(&snapshot, question["task"].as_str().unwrap_or_default())?.value.clone();
        let Face::Ecs(face) = &unit.face;
        let mut evidence: Vec<Value> = unit.observed.containers.iter().map(container).collect();
        if let Placement::Refused(refusal) = &unit.placement {
            let nodes =
                refusal.nodes.iter().map(|(node, lacks)| json!({ "node": node.as_str(), "lacks": lacks.to_string() }));
            evidence.extend(nodes);
        }
        let lines = self.last_lines(&unit).await;
        let (what, next) = explain(&unit);
        Ok(json!({
            "task": unit.uid.as_str(),
            "taskDefinition": format!("{}:{}", face.task_definition.family, face.task_definition.revision),
            "cluster": unit.name.cluster().name,
            "what": what,
            "evidence": evidence,
            "lastLogLines": lines,
            "next": next,
        }))
    }

    async fn last_lines(&self, unit: &Unit) -> Vec<String> {
        let Some(node) = unit.placement.node() else { return Vec::new() };
        let request = LogsRequest {
            unit: unit.uid.clone(),
            container: None,
            follow: false,
            tail: Some(LAST_LINES),
            timestamps: false,
            json: false,
        };
        let Ok(mut opened) = self.sessions.logs(node, request).await else { return Vec::new() };
        let mut text = Vec::new();
        let read = async {
            while let Some(Frame { kind: Some(kind) }) = opened.from_node.recv().await {
                match kind {
                    frame::Kind::Stdout(bytes) | frame::Kind::Stderr(bytes) => text.extend_from_slice(&bytes),
                    frame::Kind::End(_) => return,
                    _ => {}
                }
            }
        };
        // A node that is slow to answer costs its lines, not the explanation.
        let _ = tokio::time::timeout(LINES_WITHIN, read).await;
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

fn container(c: &ContainerObserved) -> Value {
    json!({
        "container": c.name,
        "state": match c.state {
            ContainerState::Pending | ContainerState::Created => "pending",
            ContainerState::Running => "running",
            ContainerState::Stopped => "stopped",
        },
        "exitCode": c.exit_code,
        "outOfMemory": c.oom_killed,
        "reason": c.reason,
        "restarts": c.restarts,
        "health": c.health.map(|h| match h {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }),
    })
}

/// The cause in a sentence, and the next step.
fn explain(unit: &Unit) -> (String, String) {
    let id = &unit.uid.as_str()[..unit.uid.as_str().len().min(12)];
    let logs = format!("bayplan logs {id}");
    if let Placement::Refused(refusal) = &unit.placement {
        return (
            format!("No node takes it: {}", refusal.main),
            "make room, or change what the task asks for".to_owned(),
        );
    }
    if let Some(stop) = &unit.observed.stop {
        let killed = unit.observed.containers.iter().find(|c| c.oom_killed);
        let failed = unit.observed.containers.iter().find(|c| c.essential && c.exit_code.is_some_and(|code| code != 0));
        let next = match (killed, failed) {
            (Some(c), _) => format!("give container {} more memory, or find its leak: {logs}", c.name),
            _ if stop.reason.contains("CannotPullContainerError") => {
                "import the image that the reason names, then run the task again".to_owned()
            }
            (None, Some(c)) => {
                format!("container {} ended with exit code {}: {logs}", c.name, c.exit_code.unwrap_or_default())
            }
            (None, None) => logs,
        };
        let verb = if unit.observed.lifecycle == Lifecycle::Stopped { "It has stopped" } else { "It is stopping" };
        return (format!("{verb}: {}", stop.reason), next);
    }
    match (&unit.placement, unit.observed.lifecycle) {
        (Placement::Pending, _) => {
            ("It waits for a node with room.".to_owned(), "bayplan doctor shows what the nodes have".to_owned())
        }
        (_, Lifecycle::Running) if unit.observed.health() == Health::Unhealthy => {
            ("It runs, but its health check fails.".to_owned(), logs)
        }
        (_, Lifecycle::Running) => ("It runs.".to_owned(), logs),
        _ => {
            let waiting: Vec<&str> = unit
                .observed
                .containers
                .iter()
                .filter(|c| matches!(c.state, ContainerState::Pending | ContainerState::Created))
                .map(|c| &*c.name)
                .collect();
            (format!("It is being started; not running yet: {}.", waiting.join(", ")), logs)
        }
    }
}
