//! The ECS front-end's own stored objects. They hold documents in ECS's words where ECS echoes them, and typed fields
//! where the engine reads them.

pub mod capacity;
pub mod deployment;
pub mod service;

pub use deployment::{Deployment, DeploymentState};
pub use service::{Service, ServiceEvent, ServiceRevision, ServiceState, TaskSet};

use crate::ids::{ClusterId, NodeId, Scope, TaskDefinitionId};
use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub type Tags = BTreeMap<String, String>;

/// A cluster. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Cluster {
    pub id: ClusterId,
    pub created_at: Timestamp,
    pub status: ClusterStatus,
    /// When it was deleted; None while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_since: Option<Timestamp>,
    #[serde(default)]
    pub tags: Tags,
    /// name -> value, e.g. containerInsights.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// ECS's ClusterConfiguration, echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect_defaults: Option<Value>,
    #[serde(default)]
    pub capacity_providers: Vec<String>,
    /// ECS's CapacityProviderStrategyItem list.
    #[serde(default)]
    pub default_strategy: Vec<StrategyItem>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum ClusterStatus {
    Active,
    /// Deleted, kept describable.
    Inactive,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct StrategyItem {
    pub provider: String,
    pub base: u32,
    pub weight: u32,
}

/// A revision of a task definition, normalised. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct TaskDefinition {
    pub id: TaskDefinitionId,
    pub status: TaskDefinitionStatus,
    /// ECS's TaskDefinition as DescribeTaskDefinition answers it, without status and timestamps.
    pub document: Value,
    #[serde(default)]
    pub tags: Tags,
    pub registered_at: Timestamp,
    pub registered_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_requested_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum TaskDefinitionStatus {
    Active,
    Inactive,
    DeleteInProgress,
}

/// The last revision number that a family has used; survives every revision.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct Family {
    pub last_revision: u32,
}

/// What a cluster keeps of one of its nodes. Absent means: active since both exist, no attributes. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Membership {
    pub cluster: ClusterId,
    pub node: NodeId,
    pub status: MembershipStatus,
    #[serde(default)]
    pub attributes: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub tags: Tags,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum MembershipStatus {
    Active,
    Draining,
    /// Deregistered.
    Inactive,
}

/// An account setting of a principal, or of all (`principal` empty).
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct AccountSetting {
    pub principal: String,
    pub name: String,
    pub value: String,
}

/// What a call with a client token did, so that its repetition answers the same.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct ClientToken {
    pub token: String,
    /// A hash of the call's parameters.
    pub parameters: String,
    pub tasks: Vec<String>,
    pub created_at: Timestamp,
}

/// The ECS task as clients know it: what they said when it was made, in ECS's words.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct TaskFace {
    pub cluster: ClusterId,
    pub task_definition: TaskDefinitionId,
    pub launch_type: LaunchType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_provider: Option<String>,
    pub group: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Arc<str>>,
    /// ECS's TaskOverride, normalised as ECS echoes it.
    pub overrides: Value,
    #[serde(default)]
    pub tags: Tags,
    #[serde(default)]
    pub enable_execute_command: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<String>,
    /// Task-level size as ECS echoes it: CPU units and MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Arc<str>>,
    /// One for each container, in the task definition's order.
    pub containers: Vec<TaskContainerFace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage_gib: Option<u32>,
    /// The attachment's own id, where the task has an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<Arc<str>>,
    #[serde(default)]
    pub assign_public_ip: bool,
    /// Until when neither scaling in nor a deployment stops it (task scale-in protection).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until: Option<Timestamp>,
}

impl TaskFace {
    /// Whether neither scaling in nor a deployment may stop it now.
    pub fn is_protected(&self, now: Timestamp) -> bool {
        self.protected_until.is_some_and(|until| now < until)
    }
}

/// A capacity provider that was made; FARGATE and FARGATE_SPOT are there without a record. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct CapacityProvider {
    pub scope: Scope,
    pub name: Arc<str>,
    /// The only cluster that may use it; None for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Arc<str>>,
    /// ECS's AutoScalingGroupProvider or ManagedInstancesProvider, under that name, echoed.
    pub document: Value,
    pub created_at: Timestamp,
    #[serde(default)]
    pub tags: Tags,
    /// What came of the last wish to change or delete it; None since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<ProviderChange>,
    /// When it was deleted; it stays describable for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What came of a wish to change or delete a capacity provider.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProviderChange {
    Updated,
    Deleted,
    /// It was in use, as the reason says.
    DeleteRefused {
        reason: String,
    },
}

/// What ECS echoes of a container in a task, from the task definition.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct TaskContainerFace {
    pub name: Arc<str>,
    /// The id in containerArn.
    pub id: Arc<str>,
    pub image: Arc<str>,
    pub cpu: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LaunchType {
    Ec2,
    Fargate,
    External,
}
