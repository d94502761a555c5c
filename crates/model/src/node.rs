//! A machine, installation-wide; what a cluster shows of it is a membership.

use crate::ids::NodeId;
use crate::quantity::{Cpu, Memory, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A registered machine. Writer: the node session.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Node {
    pub id: NodeId,
    pub hostname: String,
    /// What placement may hand out.
    pub cpu: Cpu,
    pub memory: Memory,
    /// Built-in attributes by name, e.g. `ecs.os-type` = `linux`; a capability's value is None.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Changes with every boot: what a former boot ran is gone.
    pub boot_id: String,
    pub agent_version: String,
    pub registered_at: Timestamp,
    pub connected: bool,
    /// Since when it is not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<Timestamp>,
    /// Ports that are taken on the machine itself and never handed out.
    #[serde(default)]
    pub reserved_ports: Vec<u16>,
}

/// Counts the bindings to one node: each bind compares and raises it, so that two placers cannot overfill a node.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct Ledger {
    pub bindings: u64,
}
