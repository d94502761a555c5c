//! Overrides of a call: what they may say, how they are echoed, and a definition with them applied.

use super::Launch;
use crate::ecs::errors;
use crate::ecs::register_task_definition::{cpu_units, fargate_size, memory_mib, misfit};
use aws_api::ecs::{
    ContainerDefinition, ContainerOverride, KeyValuePair, ResourceRequirement, TaskDefinition, TaskOverride,
};
use aws_protocol::ServiceError;
use model::ecs::LaunchType;
use std::collections::BTreeSet;

/// ECS API, TaskOverride: characters of the whole, as JSON.
const LENGTH_MAX: usize = 8192;
/// As for a definition's containers, in MiB.
const MEMORY_MIN: i32 = 6;

fn ensure(fine: bool, message: impl FnOnce() -> String) -> Result<(), ServiceError> {
    if fine { Ok(()) } else { Err(errors::invalid_parameter(message())) }
}

/// Checks overrides and returns them as ECS echoes them: every container named in the definition's order, sizes in units.
pub(super) fn check(
    definition: &TaskDefinition,
    given: &TaskOverride,
    launch: Launch,
) -> Result<TaskOverride, ServiceError> {
    let length = serde_json::to_vec(given).map_or(0, |json| json.len());
    ensure(length <= LENGTH_MAX, || format!("Container Overrides length must be at most {LENGTH_MAX}"))?;
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    let overrides = given.container_overrides.as_deref().unwrap_or_default();
    let mut names = BTreeSet::new();
    for container in overrides {
        let name = container.name.as_deref().unwrap_or_default();
        ensure(containers.iter().any(|c| c.name.as_deref() == Some(name)), || {
            format!("Override for container named {name} is not a container in the TaskDefinition.")
        })?;
        ensure(names.insert(name), || format!("There are two overrides for the container named {name}."))?;
        check_container(name, container)?;
    }
    for accelerator in given.inference_accelerator_overrides.iter().flatten() {
        let known =
            definition.inference_accelerators.iter().flatten().any(|a| a.device_name == accelerator.device_name);
        let device = accelerator.device_name.as_deref().unwrap_or_default();
        ensure(known, || {
            format!("Override for the inference accelerator {device}, which is not in the TaskDefinition.")
        })?;
    }
    check_storage(given, launch)?;
    let echo = |c: &ContainerDefinition| {
        let found = overrides.iter().find(|o| o.name == c.name).cloned();
        found.unwrap_or_else(|| ContainerOverride { name: c.name.clone(), ..Default::default() })
    };
    Ok(TaskOverride {
        container_overrides: Some(containers.iter().map(echo).collect()),
        inference_accelerator_overrides: Some(given.inference_accelerator_overrides.clone().unwrap_or_default()),
        cpu: size("cpu", given.cpu.as_deref(), cpu_units)?,
        memory: size("memory", given.memory.as_deref(), memory_mib)?,
        ..given.clone()
    })
}

fn check_container(name: &str, given: &ContainerOverride) -> Result<(), ServiceError> {
    ensure(given.cpu.is_none_or(|cpu| cpu >= 0), || {
        format!("Invalid override for container '{name}'. 'cpu' must not be negative.")
    })?;
    for (field, value) in [("memory", given.memory), ("memoryReservation", given.memory_reservation)] {
        ensure(value.is_none_or(|mib| mib >= MEMORY_MIN), || {
            format!("Invalid override for container '{name}'. '{field}' must be at least {MEMORY_MIN} MiB.")
        })?;
    }
    for variable in given.environment.iter().flatten() {
        let key = variable.name.as_deref().unwrap_or_default();
        ensure(!key.is_empty() && !key.contains(['=', '\0']), || {
            format!("Invalid override for container '{name}'. '{key}' is not the name of an environment variable.")
        })?;
    }
    Ok(())
}

fn check_storage(given: &TaskOverride, launch: Launch) -> Result<(), ServiceError> {
    let Some(storage) = &given.ephemeral_storage else { return Ok(()) };
    ensure(launch.launch_type == LaunchType::Fargate, || {
        "The ephemeralStorage override is only supported for Fargate tasks.".to_owned()
    })?;
    ensure(storage.size_in_gi_b.is_some_and(|gib| (21..=200).contains(&gib)), || {
        "The ephemeralStorage override must be from 21 to 200 GiB.".to_owned()
    })
}

fn size(field: &str, text: Option<&str>, read: fn(&str) -> Option<u32>) -> Result<Option<String>, ServiceError> {
    let Some(text) = text else { return Ok(None) };
    match read(text).filter(|units| *units > 0) {
        Some(units) => Ok(Some(units.to_string())),
        None => Err(errors::invalid_parameter(format!("Invalid '{field}' setting for task: '{text}'."))),
    }
}

/// The definition as the overrides make it for one task.
pub(super) fn apply(definition: &TaskDefinition, overrides: &TaskOverride) -> TaskDefinition {
    let containers = definition.container_definitions.iter().flatten().map(|container| {
        let found = overrides.container_overrides.iter().flatten().find(|o| o.name == container.name);
        found.map_or_else(|| container.clone(), |given| apply_to_container(container, given))
    });
    TaskDefinition {
        container_definitions: Some(containers.collect()),
        cpu: overrides.cpu.clone().or_else(|| definition.cpu.clone()),
        memory: overrides.memory.clone().or_else(|| definition.memory.clone()),
        task_role_arn: overrides.task_role_arn.clone().or_else(|| definition.task_role_arn.clone()),
        execution_role_arn: overrides.execution_role_arn.clone().or_else(|| definition.execution_role_arn.clone()),
        ephemeral_storage: overrides.ephemeral_storage.clone().or_else(|| definition.ephemeral_storage.clone()),
        ..definition.clone()
    }
}

fn apply_to_container(container: &ContainerDefinition, given: &ContainerOverride) -> ContainerDefinition {
    ContainerDefinition {
        command: given.command.clone().or_else(|| container.command.clone()),
        environment: Some(merge_environment(container.environment.as_deref(), given.environment.as_deref())),
        environment_files: given.environment_files.clone().or_else(|| container.environment_files.clone()),
        cpu: given.cpu.or(container.cpu),
        memory: given.memory.or(container.memory),
        memory_reservation: given.memory_reservation.or(container.memory_reservation),
        resource_requirements: merge_requirements(
            container.resource_requirements.as_deref(),
            given.resource_requirements.as_deref(),
        ),
        ..container.clone()
    }
}

/// A variable of the same name takes the place of the definition's; a new one comes after them.
fn merge_environment(defined: Option<&[KeyValuePair]>, given: Option<&[KeyValuePair]>) -> Vec<KeyValuePair> {
    let mut merged = defined.unwrap_or_default().to_vec();
    for variable in given.unwrap_or_default() {
        match merged.iter_mut().find(|v| v.name == variable.name) {
            Some(same) => same.value = variable.value.clone(),
            None => merged.push(variable.clone()),
        }
    }
    merged
}

fn merge_requirements(
    defined: Option<&[ResourceRequirement]>,
    given: Option<&[ResourceRequirement]>,
) -> Option<Vec<ResourceRequirement>> {
    let Some(given) = given else { return defined.map(<[_]>::to_vec) };
    let kept = defined.unwrap_or_default().iter().filter(|d| !given.iter().any(|g| g.r#type == d.r#type));
    Some(kept.chain(given).cloned().collect())
}

/// Whether the sizes still fit each other with the overrides applied.
pub(super) fn check_sizes(effective: &TaskDefinition, launch: Launch) -> Result<(), ServiceError> {
    if launch.launch_type == LaunchType::Fargate {
        fargate_size(effective.cpu.as_deref(), effective.memory.as_deref())
            .map_err(|error| errors::invalid_parameter(error.message))?;
    }
    let containers = effective.container_definitions.as_deref().unwrap_or_default();
    for container in containers {
        let fits = container.memory.zip(container.memory_reservation).is_none_or(|(hard, soft)| hard >= soft);
        ensure(fits, || {
            let name = container.name.as_deref().unwrap_or_default();
            format!(
                "Invalid override for container '{name}'. 'memory' must be greater than or equal to 'memoryReservation'."
            )
        })?;
    }
    misfit(effective).map_or(Ok(()), |why| Err(errors::invalid_parameter(why)))
}
