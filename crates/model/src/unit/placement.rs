//! Where a Unit is to run and what was reserved for it there; the decision is the planner's.

use crate::ids::NodeId;
use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The answer of placement. Pending becomes Bound or Refused, once.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Placement {
    #[default]
    Pending,
    Bound {
        node: NodeId,
        at: Timestamp,
        /// The Unit's own address, where its network mode gives it one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<UnitAddress>,
        /// One address for each container that has its own network namespace, by container name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        container_addresses: Vec<(Arc<str>, Ipv4Addr)>,
    },
    Refused(Refusal),
}

impl Placement {
    pub fn node(&self) -> Option<&NodeId> {
        match self {
            Placement::Bound { node, .. } => Some(node),
            Placement::Pending | Placement::Refused(_) => None,
        }
    }
    pub fn address(&self) -> Option<&UnitAddress> {
        match self {
            Placement::Bound { address, .. } => address.as_ref(),
            Placement::Pending | Placement::Refused(_) => None,
        }
    }
}

/// An address of a subnet, reserved for one Unit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct UnitAddress {
    pub subnet: Arc<str>,
    pub address: Ipv4Addr,
}

/// Why no node takes a Unit: a reason for each node that was looked at, the commonest first and at most
/// [`Refusal::MAX_NODES`] of them, so that a record stays small on any number of nodes.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Refusal {
    pub nodes: Vec<(NodeId, Shortage)>,
    /// The one to tell a client that can hear only one.
    pub main: Shortage,
}

impl Refusal {
    pub const MAX_NODES: usize = 64;
}

/// One thing that a node lacks for a Unit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(tag = "lacks", rename_all = "snake_case")]
pub enum Shortage {
    /// There is no node at all.
    NoNode,
    /// The node's agent is not connected.
    Agent,
    /// Draining or deregistered here.
    NotActive,
    Cpu,
    Memory,
    Ports {
        taken: Vec<u16>,
    },
    Addresses {
        subnet: Arc<str>,
    },
    Attribute {
        name: String,
    },
    Constraint {
        expression: String,
    },
    Distinct,
}

/// In plain words, as the end of a sentence that names the node.
impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortage::NoNode => f.write_str("there is no node"),
            Shortage::Agent => f.write_str("its agent is not connected"),
            Shortage::NotActive => f.write_str("it is draining or deregistered in this cluster"),
            Shortage::Cpu => f.write_str("too little cpu is free"),
            Shortage::Memory => f.write_str("too little memory is free"),
            Shortage::Ports { taken } => {
                let ports: Vec<String> = taken.iter().map(u16::to_string).collect();
                write!(f, "host port {} is taken", ports.join(", "))
            }
            Shortage::Addresses { subnet } => write!(f, "no address is free in {subnet}"),
            Shortage::Attribute { name } => write!(f, "it lacks the attribute {name}"),
            Shortage::Constraint { expression } => write!(f, "it does not satisfy `{expression}`"),
            Shortage::Distinct => f.write_str("it runs another unit of the group already"),
        }
    }
}

/// What placement respects besides a Unit's spec.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub struct Scheduling {
    pub capacity: Capacity,
    /// Units of one group are kept apart or spread among each other.
    pub group: Arc<str>,
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    #[serde(default)]
    pub strategy: Vec<Strategy>,
    /// StartTask: this node or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Subnets that may give the Unit its address, used evenly; empty if it has none, or may have one of any.
    #[serde(default)]
    pub subnets: Vec<Arc<str>>,
    #[serde(default)]
    pub security_groups: Vec<Arc<str>>,
    /// Node attributes that the spec's features need: `name`, or `name=value` where the value matters too.
    #[serde(default)]
    pub required_attributes: Vec<String>,
    /// Without room: true leaves it pending, false refuses it.
    #[serde(default)]
    pub wait_for_room: bool,
}

/// Whose capacity a Unit uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// Nodes that the cluster shows as container instances.
    Instances,
    /// Any node, shown to nobody (FARGATE).
    Serverless,
    /// As Serverless, and may be taken back (FARGATE_SPOT).
    ServerlessSpot,
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Constraint {
    /// No two Units of the group on one node.
    DistinctInstance,
    /// The cluster query language; validated before it is stored.
    MemberOf { expression: String },
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Strategy {
    Random,
    /// Even over the values of an attribute, or over nodes when `field` is `instanceId`.
    Spread {
        field: String,
    },
    Binpack {
        by: BinpackBy,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum BinpackBy {
    Cpu,
    Memory,
}
