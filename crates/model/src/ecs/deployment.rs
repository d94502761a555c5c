//! A service deployment: from one revision of a service to another. The front-end writes what was asked ([`Deployment`]), the
//! service scheduler how far it has come ([`DeploymentState`]).

use crate::ids::ServiceId;
use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What was asked. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Deployment {
    pub service: ServiceId,
    /// 21 letters and digits, unique within the service; the last part of its ARN.
    pub id: Arc<str>,
    pub service_uid: Arc<str>,
    pub created_at: Timestamp,
    /// The slot set that it fills, `ecs-svc/` and 19 digits: the id of what ECS shows as one of the service's `deployments`.
    pub set: Arc<str>,
    /// Revisions that the service ran when it was asked for.
    #[serde(default)]
    pub source: Vec<Arc<str>>,
    pub target: Arc<str>,
    pub configuration: DeploymentConfiguration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopAsk>,
    /// What was answered to its pausing hooks.
    #[serde(default)]
    pub answers: Vec<HookAnswer>,
}

/// A wish to end a deployment before its time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StopAsk {
    pub kind: StopKind,
    pub at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StopKind {
    /// Leave everything as it is.
    Abort,
    /// Go back to the last completed revision.
    Rollback,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct HookAnswer {
    pub hook: Arc<str>,
    pub action: HookAction,
    pub at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookAction {
    Continue,
    Rollback,
}

/// How to get from one revision to the next (ECS API, DeploymentConfiguration), defaults filled in.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct DeploymentConfiguration {
    pub strategy: DeploymentStrategy,
    pub maximum_percent: u32,
    pub minimum_healthy_percent: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Alarms>,
    /// How long both revisions stay once the new one is up; None where it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_minutes: Option<u32>,
    #[serde(default)]
    pub hooks: Vec<Hook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_success: Option<EarlySuccess>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStrategy {
    /// Old tasks go as new ones come, within the bounds.
    Rolling,
    /// The new tasks come beside all old ones; then all traffic moves at once.
    BlueGreen,
    /// As BlueGreen, the traffic in equal steps, in thousandths of all of it.
    Linear { step_permille: u32, step_bake_minutes: u32 },
    /// As BlueGreen, first a little of the traffic, then the rest.
    Canary { permille: u32, bake_minutes: u32 },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Breaker {
    pub enable: bool,
    pub rollback: bool,
    /// Failures count anew when a task becomes healthy; ECS's default is true.
    pub reset_on_healthy_task: bool,
    /// None is ECS's default: half of the desired count, from 3 to 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// Whether `resetOnHealthyTask` was given, and so is echoed.
    #[serde(default)]
    pub reset_given: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Threshold {
    pub kind: ThresholdKind,
    pub value: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThresholdKind {
    Count,
    /// Of the desired count, from 3 to 200.
    BoundedPercent,
    UnboundedPercent,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Alarms {
    pub enable: bool,
    pub rollback: bool,
    pub names: Vec<String>,
}

/// Something that is waited for at stages of a deployment.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Hook {
    pub stages: Vec<Stage>,
    /// Minutes until `on_timeout` happens; ECS's default is 1440.
    pub timeout_minutes: u32,
    pub on_timeout: HookAction,
    /// ECS's DeploymentLifecycleHook as it was given.
    pub document: Value,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct EarlySuccess {
    pub enable: bool,
    /// None is the configuration's minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_up: Option<CleanUp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CleanUp {
    /// The deployment ends when the old tasks have gone.
    Blocking,
    /// The deployment ends first.
    Deferred,
}

/// Lifecycle stages in their order (ECS API, ServiceDeployment `lifecycleStage`). Only advances within one direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

/// How far it has come. Writer: the service scheduler.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct DeploymentState {
    pub status: DeploymentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub stage: Stage,
    /// When the stage, or its present step, was reached.
    pub stage_since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// The slot set that it fills.
    pub set: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Failures that the circuit breaker counts; those of a rollback have a count of their own.
    #[serde(default)]
    pub failures: u32,
    /// At how many it trips.
    #[serde(default)]
    pub failure_threshold: u32,
    #[serde(default)]
    pub breaker_triggered: bool,
    /// Alarms that were on before it began, which do not count; None until it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms_before: Option<Vec<String>>,
    #[serde(default)]
    pub alarms_triggered: Vec<String>,
    #[serde(default)]
    pub hooks: Vec<HookState>,
    /// The share of production traffic that the target has, in thousandths.
    #[serde(default)]
    pub weight_permille: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStatus {
    Pending,
    InProgress,
    StopRequested,
    Stopped,
    Successful,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl DeploymentStatus {
    /// Nothing more happens to it.
    pub fn is_final(self) -> bool {
        use DeploymentStatus::{RollbackFailed, RollbackSuccessful, Stopped, Successful};
        matches!(self, Stopped | Successful | RollbackSuccessful | RollbackFailed)
    }
}

impl DeploymentState {
    /// The count that another failure raises: the deployment's, or once it goes back its rollback's.
    pub fn counting(&mut self) -> &mut u32 {
        match &mut self.rollback {
            Some(rollback) => &mut rollback.failures,
            None => &mut self.failures,
        }
    }

    /// What counts towards the circuit breaker's threshold now.
    pub fn counted(&self) -> u32 {
        self.rollback.as_ref().map_or(self.failures, |rollback| rollback.failures)
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Rollback {
    pub reason: String,
    pub started_at: Timestamp,
    /// Where it goes back to.
    pub revision: Arc<str>,
    /// Its own failures. Those of the deployment that it goes back from stay what they were.
    #[serde(default)]
    pub failures: u32,
}

/// One hook at one stage of one deployment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct HookState {
    /// Unique within the deployment; what ContinueServiceDeployment names.
    pub id: Arc<str>,
    /// Which of the configuration's hooks.
    pub hook: u32,
    pub stage: Stage,
    pub status: HookStatus,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookStatus {
    AwaitingAction,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
}
