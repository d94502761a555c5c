//! The file that says what is simulated: nodes, task definitions and how they behave, a service and what becomes of it.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// docs/cli.md has an example. Definitions, service and update are the inputs of the ECS operations, as the AWS CLI takes them.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) nodes: Vec<NodeKind>,
    pub(super) task_definitions: Vec<Value>,
    pub(super) service: Value,
    /// None simulates how the service is created.
    pub(super) update: Option<Value>,
    /// How tasks behave, by `family:revision`; one that is not named works.
    #[serde(default)]
    pub(super) tasks: BTreeMap<String, Behaviour>,
}

/// Nodes that are alike.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NodeKind {
    #[serde(default = "one")]
    pub(super) count: u32,
    /// In ECS units, 1024 a core.
    pub(super) cpu: u64,
    pub(super) memory_mib: u64,
    #[serde(default)]
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// What the tasks of one definition do, in seconds.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// From their binding to a node until they run.
    pub(super) start_seconds: f64,
    pub(super) fails_to_start: bool,
    /// They end by themselves after so long, with this code.
    pub(super) exits_after_seconds: Option<f64>,
    pub(super) exit_code: i32,
    /// With a health check: how long until its first verdict, and whether that is a good one.
    pub(super) healthy_after_seconds: f64,
    pub(super) never_healthy: bool,
    /// From the wish to stop them until they have.
    pub(super) stop_seconds: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            start_seconds: 2.0,
            fails_to_start: false,
            exits_after_seconds: None,
            exit_code: 1,
            healthy_after_seconds: 5.0,
            never_healthy: false,
            stop_seconds: 1.0,
        }
    }
}

fn one() -> u32 {
    1
}

impl Plan {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not what `bayplan simulate` takes", path.display()))
    }
}
