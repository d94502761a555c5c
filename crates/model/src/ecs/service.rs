//! ECS services as stored: what clients want of one, and apart from it what its scheduler has made of that.
//!
//! Every record here has one writer, so that neither ever overwrites the other: the front-end writes [`Service`], [`TaskSet`]
//! and creates [`ServiceRevision`]; the service scheduler writes [`ServiceState`] and [`ServiceEvent`].

use super::deployment::DeploymentConfiguration;
use super::{LaunchType, StrategyItem, Tags};
use crate::ids::{ServiceId, TaskDefinitionId};
use crate::quantity::Timestamp;
use crate::unit::{Constraint, Strategy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What clients want. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Service {
    pub id: ServiceId,
    /// Never reused: a service made anew under an old name is another one. 32 hex digits.
    pub uid: Arc<str>,
    pub created_at: Timestamp,
    /// The ARN of the principal that made it.
    pub created_by: String,
    pub controller: Controller,
    pub scheduling: SchedulingStrategy,
    /// Tasks wanted; of no meaning for [`SchedulingStrategy::Daemon`].
    pub desired_count: u32,
    /// For the next deployment; each deployment has its own copy.
    pub configuration: DeploymentConfiguration,
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// Empty for ECS's default: spread over zones, then over instances.
    #[serde(default)]
    pub strategy: Vec<Strategy>,
    /// How long after a task's start failing health checks do not count, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_grace_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateTags>,
    #[serde(default)]
    pub enable_managed_tags: bool,
    #[serde(default)]
    pub enable_execute_command: bool,
    #[serde(default)]
    pub zone_rebalancing: bool,
    #[serde(default)]
    pub tags: Tags,
    /// The role that was named for load balancers, echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The newest deployment, which the scheduler works towards. None with an external controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Arc<str>>,
    /// The task set whose settings stand for the service's, with an external controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_task_set: Option<Arc<str>>,
    /// What the CreateService call's client token was and what the call asked for, so that its repetition answers the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<(String, String)>,
    /// When it was deleted: its tasks are being stopped, or were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Who decides about a service's deployments.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Controller {
    Ecs,
    CodeDeploy,
    External,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SchedulingStrategy {
    /// As many tasks as are wanted.
    Replica,
    /// One task on each container instance that satisfies the constraints.
    Daemon,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PropagateTags {
    TaskDefinition,
    Service,
    None,
}

/// Everything of a service that its tasks are made of; never changes but for the digests, which the scheduler adds once.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct ServiceRevision {
    pub service: ServiceId,
    /// 19 digits, unique within the service.
    pub number: Arc<str>,
    pub service_uid: Arc<str>,
    pub created_at: Timestamp,
    pub task_definition: TaskDefinitionId,
    /// Where its tasks run; of the providers' kind where `capacity` names some.
    pub launch_type: LaunchType,
    /// The capacity provider strategy; empty where the launch type was given or implied.
    #[serde(default)]
    pub capacity: Vec<StrategyItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<String>,
    /// ECS's NetworkConfiguration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Value>,
    /// What the images' tags stood for when the revision's first task pulled them; empty until then.
    #[serde(default)]
    pub images: Vec<ResolvedImage>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct ResolvedImage {
    pub container: Arc<str>,
    /// As the task definition says it.
    pub image: Arc<str>,
    /// `sha256:` and 64 hex digits.
    pub digest: Arc<str>,
}

/// A task set of an external deployment controller. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct TaskSet {
    pub service: ServiceId,
    /// `ecs-svc/` and 19 digits.
    pub id: Arc<str>,
    pub service_uid: Arc<str>,
    /// The revision that holds its settings.
    pub revision: Arc<str>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The share of the service's desired count, in hundredths of a percent: 10,000 is all of it.
    pub scale_bp: u32,
    #[serde(default)]
    pub tags: Tags,
    /// As a service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<(String, String)>,
    /// When it was deleted: its tasks are being stopped, or were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// How far the scheduler has come with a service. Writer: the service scheduler.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct ServiceState {
    /// Whose state it is: that of a former service of the name counts as none.
    pub service_uid: Arc<str>,
    /// Groups of tasks of one revision each, the primary one first. What ECS shows as `deployments` (or task sets).
    #[serde(default)]
    pub sets: Vec<SlotSet>,
    /// The revision that a deployment last completed with: where a rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Arc<str>>,
    /// It has said that it is steady, and nothing has changed since.
    #[serde(default)]
    pub steady: bool,
    #[serde(default)]
    pub throttle: Throttle,
    /// The number of the next event.
    #[serde(default)]
    pub next_event: u64,
    /// The last shortage that an event told of, so that it is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_shortage: Option<String>,
    /// When the last task of the deleted service had stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_since: Option<Timestamp>,
}

/// The tasks of one revision of a service.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct SlotSet {
    /// `ecs-svc/` and 19 digits: `startedBy` of its tasks.
    pub id: Arc<str>,
    pub revision: Arc<str>,
    pub role: SetRole,
    pub rollout: Rollout,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_reason: Option<String>,
    /// Tasks that the scheduler wants in it now.
    pub desired: u32,
    /// Tasks in a row that did not come up, or did not stay.
    #[serde(default)]
    pub failed_tasks: u32,
    /// Tasks that counted as healthy when it was last looked at.
    #[serde(default)]
    pub healthy: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SetRole {
    /// What the service is to become, or is.
    Primary,
    /// What it was: its tasks go as those of the primary one come.
    Active,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rollout {
    InProgress,
    Completed,
    Failed,
}

/// How long no task is started, because those before did not come up or did not stay.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct Throttle {
    /// Failures since a task last became healthy.
    #[serde(default)]
    pub failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Users have been told.
    #[serde(default)]
    pub told: bool,
}

/// Something that the scheduler did or found, in ECS's words. Writer: the service scheduler; the collector deletes it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct ServiceEvent {
    pub service_uid: Arc<str>,
    /// A UUID.
    pub id: Arc<str>,
    pub at: Timestamp,
    pub message: String,
}

impl Service {
    /// The service's group of tasks, `service:<name>`.
    pub fn group(&self) -> Arc<str> {
        format!("service:{}", self.id.name).into()
    }
}

impl ServiceState {
    pub fn primary(&self) -> Option<&SlotSet> {
        self.sets.iter().find(|set| set.role == SetRole::Primary)
    }

    pub fn set(&self, id: &str) -> Option<&SlotSet> {
        self.sets.iter().find(|set| &*set.id == id)
    }
}
