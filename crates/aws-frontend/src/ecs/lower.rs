//! From a task definition and a call's overrides to what the engine runs: pure, nothing is looked up or stored here.
//!
//! RunTask, StartTask and every later creator of tasks go through [`lower`]; it answers for the whole task, so that the
//! same words never mean two things. What no node can do yet comes back as [`Lowered::unsupported`], not as an error.

use aws_api::ecs;
use aws_protocol::ServiceError;
use model::UnitSpec;
use model::ecs::{LaunchType, TaskContainerFace};
use model::unit::Constraint;
use std::sync::Arc;

/// What a task is launched with, besides its definition and its overrides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Launch {
    pub launch_type: LaunchType,
    /// The account setting `defaultLogDriverMode`.
    pub default_log_mode: DefaultLogMode,
}

/// How an awslogs container without the option `mode` treats a full buffer (account setting `defaultLogDriverMode`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum DefaultLogMode {
    Blocking,
    /// ECS: the default since June 2025, with a buffer of 10 MiB.
    #[default]
    NonBlocking,
}

/// A feature of a task definition that no node has yet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Unsupported {
    /// The attribute that a node would need, in ECS's name where it has one.
    pub attribute: String,
    /// What the user wrote, for a sentence: "EFS volumes".
    pub feature: String,
}

/// A task, ready to become a Unit.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Lowered {
    pub spec: UnitSpec,
    /// For `Scheduling`: node attributes that the task needs, unsupported ones included.
    pub required_attributes: Vec<String>,
    /// What no node can do: EC2 answers ATTRIBUTE, a Fargate task stops with ResourceInitializationError.
    pub unsupported: Vec<Unsupported>,
    /// The definition's own placement constraints, to be joined with the call's; empty on Fargate.
    pub constraints: Vec<Constraint>,
    /// The overrides as ECS echoes them: every container is named, in the definition's order.
    pub overrides: ecs::TaskOverride,
    /// What the task echoes of its containers, in the definition's order.
    pub containers: Vec<LoweredContainer>,
    /// The task's size as it is echoed, in CPU units and MiB.
    pub cpu: Option<Arc<str>>,
    pub memory: Option<Arc<str>>,
    /// Fargate only: 20 GiB unless said otherwise.
    pub ephemeral_storage_gib: Option<u32>,
    /// The definition's unless overridden.
    pub task_role_arn: Option<String>,
    pub execution_role_arn: Option<String>,
}

/// What a task echoes of one container; sizes in CPU units and MiB, overrides applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LoweredContainer {
    pub name: Arc<str>,
    pub image: Arc<str>,
    pub cpu: Arc<str>,
    pub memory: Option<Arc<str>>,
    pub memory_reservation: Option<Arc<str>>,
}

impl LoweredContainer {
    /// The stored form, with the id that containerArn will end in.
    pub(crate) fn face(&self, id: impl Into<Arc<str>>) -> TaskContainerFace {
        TaskContainerFace {
            name: self.name.clone(),
            id: id.into(),
            image: self.image.clone(),
            cpu: self.cpu.clone(),
            memory: self.memory.clone(),
            memory_reservation: self.memory_reservation.clone(),
        }
    }
}

/// Lowers a stored definition with a call's overrides.
///
/// # Errors
/// InvalidParameterException for overrides that name an unknown container or exceed what the definition allows,
/// ClientException for sizes that Fargate does not have.
pub(crate) fn lower(
    definition: &ecs::TaskDefinition,
    overrides: &ecs::TaskOverride,
    launch: Launch,
) -> Result<Lowered, ServiceError> {
    let _ = (definition, overrides, launch);
    Err(super::errors::client("Tasks cannot be lowered yet."))
}
