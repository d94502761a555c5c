//! From a task definition and a call's overrides to what the engine runs: pure, nothing is looked up or stored here.
//!
//! RunTask, StartTask and every later creator of tasks go through [`lower`]; it answers for the whole task, so that the
//! same words never mean two things. What no node can do yet comes back as [`Lowered::unsupported`], not as an error.

mod container;
mod linux;
mod log;
mod network;
mod overrides;
mod platform;
mod volumes;

use super::errors;
use super::register_task_definition::{cpu_units, memory_mib, requires_attributes, unsupported};
use aws_api::ecs;
use aws_protocol::ServiceError;
use model::ecs::{LaunchType, TaskContainerFace};
use model::unit::Constraint;
use model::unit::spec::{Reserve, UnitLimits};
use model::{Cpu, Memory, UnitSpec};
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

impl DefaultLogMode {
    /// From the setting's value; anything but `blocking` is ECS's default.
    pub(crate) fn from_setting(value: Option<&str>) -> Self {
        if value == Some("blocking") { Self::Blocking } else { Self::NonBlocking }
    }
}

/// Lowers a stored definition with a call's overrides.
///
/// # Errors
/// InvalidParameterException for a launch type that the definition does not support, for overrides that name an unknown
/// container or exceed what the definition allows, and for sizes that Fargate does not have.
pub(crate) fn lower(
    definition: &ecs::TaskDefinition,
    overrides: &ecs::TaskOverride,
    launch: Launch,
) -> Result<Lowered, ServiceError> {
    supports(definition, launch.launch_type)?;
    let overrides = overrides::check(definition, overrides, launch)?;
    let effective = overrides::apply(definition, &overrides);
    overrides::check_sizes(&effective, launch)?;
    let containers = effective.container_definitions.as_deref().unwrap_or_default();
    let size = TaskSize::of(&effective);
    let volumes = volumes::volumes(&effective);
    let spec = UnitSpec {
        network: network::mode(&effective),
        pid: network::namespace(effective.pid_mode.as_deref()),
        ipc: network::namespace(effective.ipc_mode.as_deref()),
        limits: UnitLimits { cpu: size.cpu_limit, memory: size.memory_limit, pids: None },
        reserve: size.reserve,
        containers: containers.iter().map(|c| container::container(&effective, c, &volumes, launch)).collect(),
        volumes,
        role: effective.task_role_arn.clone(),
    };
    let mut unsupported = unsupported(&effective);
    unsupported.extend(platform::unsupported(&effective));
    let mut required_attributes = platform::required(&effective);
    required_attributes.extend(requires_attributes(&effective).into_iter().filter_map(|a| a.name));
    let fargate = launch.launch_type == LaunchType::Fargate;
    Ok(Lowered {
        spec,
        required_attributes,
        unsupported,
        constraints: constraints(&effective),
        containers: containers.iter().map(echo).collect(),
        cpu: size.cpu_echo,
        memory: size.memory_echo,
        ephemeral_storage_gib: fargate.then(|| ephemeral_storage_gib(&effective)),
        task_role_arn: effective.task_role_arn.clone(),
        execution_role_arn: effective.execution_role_arn.clone(),
        overrides,
    })
}

fn supports(definition: &ecs::TaskDefinition, launch_type: LaunchType) -> Result<(), ServiceError> {
    let name = match launch_type {
        LaunchType::Ec2 => "EC2",
        LaunchType::Fargate => "FARGATE",
        LaunchType::External => "EXTERNAL",
    };
    if definition.compatibilities.iter().flatten().any(|fits| fits == name) {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!("Task definition does not support launch_type {name}.")))
}

/// Fargate gives every task 20 GiB (ECS API, EphemeralStorage).
fn ephemeral_storage_gib(definition: &ecs::TaskDefinition) -> u32 {
    let asked = definition.ephemeral_storage.as_ref().and_then(|e| e.size_in_gi_b);
    asked.and_then(|gib| u32::try_from(gib).ok()).unwrap_or(20)
}

fn constraints(definition: &ecs::TaskDefinition) -> Vec<Constraint> {
    let expressions = definition.placement_constraints.iter().flatten().filter_map(|c| c.expression.clone());
    expressions.map(|expression| Constraint::MemberOf { expression }).collect()
}

fn echo(container: &ecs::ContainerDefinition) -> LoweredContainer {
    let text = |number: i32| Arc::<str>::from(number.to_string());
    LoweredContainer {
        name: container.name.as_deref().unwrap_or_default().into(),
        image: container.image.as_deref().unwrap_or_default().into(),
        cpu: text(container.cpu.unwrap_or(0)),
        memory: container.memory.map(text),
        memory_reservation: container.memory_reservation.map(text),
    }
}

/// How much a task may use, how much placement subtracts for it, and what it echoes.
struct TaskSize {
    cpu_limit: Option<Cpu>,
    memory_limit: Option<Memory>,
    reserve: Reserve,
    cpu_echo: Option<Arc<str>>,
    memory_echo: Option<Arc<str>>,
}

impl TaskSize {
    /// The task's own size where it has one, else the sum of its containers'. Of a container's two memory settings the
    /// soft one is reserved (ECS API, ContainerDefinition) and the hard one echoed.
    fn of(definition: &ecs::TaskDefinition) -> Self {
        let containers = definition.container_definitions.as_deref().unwrap_or_default();
        let sum = |of: fn(&ecs::ContainerDefinition) -> Option<i32>| {
            containers.iter().map(|c| of(c).map_or(0, non_negative)).fold(0, u64::saturating_add)
        };
        let cpu = definition.cpu.as_deref().and_then(cpu_units).map(u64::from);
        let memory = definition.memory.as_deref().and_then(memory_mib).map(u64::from);
        let cpu_sum = cpu.unwrap_or_else(|| sum(|c| c.cpu));
        let soft_sum = memory.unwrap_or_else(|| sum(|c| c.memory_reservation.or(c.memory)));
        let hard_sum = memory.unwrap_or_else(|| sum(|c| c.memory.or(c.memory_reservation)));
        Self {
            cpu_limit: cpu.map(Cpu::from_ecs_units),
            memory_limit: memory.map(Memory::from_mib),
            reserve: Reserve { cpu: Cpu::from_ecs_units(cpu_sum), memory: Memory::from_mib(soft_sum) },
            cpu_echo: Some(cpu_sum.to_string().into()),
            memory_echo: Some(hard_sum.to_string().into()),
        }
    }
}

/// A validated number that the API's integer type could make negative.
fn non_negative(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
