//! `why`: what happened to a task or a service, what shows it, and what to do next.

mod service;
mod task;

pub(super) use task::not_running;

use super::find::Subject;
use super::{Admin, Refusal, find};
use model::unit::Unit;
use serde_json::{Value, json};
use session::LogsRequest;
use session::stream::NodeStreams;
use session::wire::{Frame, frame};
use std::time::Duration;

/// Log lines of each container that are shown.
const LAST_LINES: u64 = 10;
/// How long a node may take to send them.
const LINES_WITHIN: Duration = Duration::from_secs(3);

/// The cause in a sentence, what shows it, and the next step.
struct Explanation {
    what: String,
    evidence: Vec<Value>,
    next: String,
}

impl Admin {
    pub(super) async fn why(&self, question: &Value) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let reference = question["subject"].as_str().unwrap_or_default();
        match find::subject(&snapshot, reference, question["cluster"].as_str())? {
            Subject::Task(unit) => {
                let Explanation { what, evidence, next } = task::explain(unit);
                Ok(json!({
                    "task": unit.uid.as_str(),
                    "taskDefinition": super::services::definition_of(unit),
                    "cluster": unit.name.cluster().name,
                    "service": super::services::service_of(unit),
                    "what": what,
                    "evidence": evidence,
                    "lastLogLines": self.last_lines(unit).await,
                    "next": next,
                }))
            }
            Subject::Service(service) => {
                let seen = service::Seen::of(&snapshot, service, self.records.now());
                let Explanation { what, evidence, next } = service::explain(&seen);
                let lines = match seen.last_failed() {
                    Some(unit) => self.last_lines(unit).await,
                    None => Vec::new(),
                };
                Ok(json!({
                    "service": service.id.name,
                    "cluster": service.id.cluster.name,
                    "taskDefinition": seen.definition(),
                    "what": what,
                    "evidence": evidence,
                    "lastLogLines": lines,
                    "next": next,
                }))
            }
        }
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
            from: None,
        };
        let mut text = Vec::new();
        let read = async {
            let Ok(mut opened) = self.sessions.logs(node, request).await else { return };
            while let Some(Frame { kind: Some(kind) }) = opened.from_node.recv().await {
                match kind {
                    frame::Kind::Log(line) => text.extend_from_slice(&line.bytes),
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
