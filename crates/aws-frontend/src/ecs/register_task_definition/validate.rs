//! What RegisterTaskDefinition refuses, with ECS's own sentence where it is known; the document is already normalised.
//!
//! Each file beside this one checks one part. The first thing found is what the caller is told.

use super::{compatibility, containers, graph, linux, logs, ports, size, volumes};
use crate::ecs::errors;
use aws_api::ecs::{ContainerDefinition, RegisterTaskDefinitionInput, TaskDefinition};
use aws_protocol::ServiceError;
use model::Query;
use std::collections::BTreeSet;
use std::fmt::Display;

pub(super) type Check = Result<(), ServiceError>;

/// ECS quota: containers in a task definition.
const CONTAINERS_MAX: usize = 10;
/// ECS quota: bytes of a task definition's JSON.
const DOCUMENT_MAX: usize = 64 * 1024;
/// ECS API, TaskDefinition: CPU units of a task that is not Fargate's.
const TASK_CPU: std::ops::RangeInclusive<u32> = 128..=196_608;
/// ECS API, ContainerDefinition: Docker reserves this much for a container, in MiB.
pub(super) const MEMORY_MIN: i32 = 6;
const CONSTRAINTS_MAX: usize = 10;

/// Fails with a ClientException unless `fine`.
pub(super) fn ensure(fine: bool, message: impl FnOnce() -> String) -> Check {
    if fine { Ok(()) } else { Err(errors::client(message())) }
}

/// Up to 255 letters, digits, hyphens and underscores: families, containers, volumes.
pub(super) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The parts of a request that have to be there and of the right kind before defaults are filled in.
pub(super) fn request(input: &RegisterTaskDefinitionInput) -> Check {
    let family = input.family.as_deref().unwrap_or_default();
    ensure(!family.is_empty(), || "Family should not be null or empty.".to_owned())?;
    ensure(is_name(family), || "Family contains invalid characters.".to_owned())?;
    let containers = input.container_definitions.as_deref().unwrap_or_default();
    ensure(!containers.is_empty(), || "Container list cannot be empty.".to_owned())?;
    for container in containers {
        containers::names(container)?;
    }
    match aws_protocol::validate(input).first() {
        Some(violation) => Err(errors::client(format!("{violation}."))),
        None => Ok(()),
    }
}

/// A whole normalised definition.
pub(super) fn definition(definition: &TaskDefinition) -> Check {
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    ensure(containers.len() <= CONTAINERS_MAX, || {
        format!("Too many containers. A task definition can have at most {CONTAINERS_MAX}, not {}.", containers.len())
    })?;
    let mut names = BTreeSet::new();
    for container in containers {
        let name = container.name.as_deref().unwrap_or_default();
        ensure(names.insert(name), || {
            format!("Container names must be unique within a task definition: '{name}' is used twice.")
        })?;
    }
    ensure(containers.iter().any(|c| c.essential == Some(true)), || {
        "Task definition doesn't have any essential container.".to_owned()
    })?;
    for container in containers {
        containers::container(definition, container)?;
        linux::container(definition, container)?;
        logs::container(container)?;
    }
    logs::firelens(containers)?;
    sizes(definition)?;
    ports::all(definition, containers)?;
    volumes::all(definition, containers)?;
    graph::all(containers)?;
    task(definition, containers)?;
    compatibility::required(definition)?;
    let length = serde_json::to_vec(definition).map_or(0, |json| json.len());
    ensure(length <= DOCUMENT_MAX, || {
        format!("Actual length: '{length}'. Max allowed length is '{DOCUMENT_MAX}' bytes.")
    })
}

/// The task's own size, and that its containers fit into it.
fn sizes(definition: &TaskDefinition) -> Check {
    let cpu = definition.cpu.as_deref().map(|text| size::cpu_units(text).ok_or(text)).transpose();
    let cpu = cpu.map_err(|text| {
        errors::client(format!(
            "Invalid 'cpu' setting for task: '{text}'. Use CPU units or vCPUs, such as '256' or '.25 vCPU'."
        ))
    })?;
    let memory = definition.memory.as_deref().map(|text| size::memory_mib(text).ok_or(text)).transpose();
    let memory = memory.map_err(|text| {
        errors::client(format!(
            "Invalid 'memory' setting for task: '{text}'. Use MiB or GB, such as '512' or '0.5 GB'."
        ))
    })?;
    if let Some(cpu) = cpu {
        ensure(TASK_CPU.contains(&cpu), || {
            format!(
                "Invalid 'cpu' setting for task: {cpu}. It must be from {} to {} CPU units.",
                TASK_CPU.start(),
                TASK_CPU.end()
            )
        })?;
    }
    if let Some(memory) = memory {
        ensure(memory >= MEMORY_MIN as u32, || {
            format!("Invalid 'memory' setting for task: {memory}. It must be at least {MEMORY_MIN} MiB.")
        })?;
    }
    size::misfit(definition).map_or(Ok(()), |why| Err(errors::client(why)))
}

/// What is wrong with one container, in ECS's form.
pub(super) fn invalid(container: &ContainerDefinition, why: impl Display) -> String {
    format!("Invalid setting for container '{}'. {why}", name(container))
}

pub(super) fn name(container: &ContainerDefinition) -> &str {
    container.name.as_deref().unwrap_or_default()
}

fn task(definition: &TaskDefinition, containers: &[ContainerDefinition]) -> Check {
    role(definition.task_role_arn.as_deref())?;
    role(definition.execution_role_arn.as_deref())?;
    placement(definition)?;
    proxy(definition, containers)?;
    accelerators(definition)?;
    if let Some(storage) = &definition.ephemeral_storage {
        let size = storage.size_in_gi_b.unwrap_or(0);
        ensure(size >= 21, || "EphemeralStorage size should be at least 21.".to_owned())?;
        ensure(size <= 200, || "EphemeralStorage size should be at most 200.".to_owned())?;
        let required = definition.requires_compatibilities.as_deref().unwrap_or_default();
        ensure(required.is_empty() || required.iter().any(|r| r == "FARGATE"), || {
            "Tasks using the EC2 launch type do not support EphemeralStorage.".to_owned()
        })?;
    }
    if definition.enable_fault_injection == Some(true) {
        ensure(matches!(definition.network_mode.as_deref(), Some("awsvpc" | "host")), || {
            "enableFaultInjection is only supported when networkMode is awsvpc or host.".to_owned()
        })?;
    }
    if definition.trusted_execution_configuration.is_some() {
        let required = definition.requires_compatibilities.as_deref().unwrap_or_default();
        ensure(required.iter().any(|r| r == "MANAGED_INSTANCES"), || {
            "trustedExecutionConfiguration is only supported when requiresCompatibilities has MANAGED_INSTANCES."
                .to_owned()
        })?;
    }
    Ok(())
}

/// An ARN of a role, or a role's short name.
fn role(reference: Option<&str>) -> Check {
    let Some(reference) = reference else { return Ok(()) };
    let short =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c));
    let fine = match reference.strip_prefix("arn:") {
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            matches!(parts.as_slice(), [_, "iam", _, account, resource]
                if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                    && resource.strip_prefix("role/").is_some_and(short))
        }
        None => short(reference),
    };
    ensure(fine, || format!("Role is not valid: '{reference}'. Use arn:aws:iam::<account>:role/<name>."))
}

fn placement(definition: &TaskDefinition) -> Check {
    let constraints = definition.placement_constraints.as_deref().unwrap_or_default();
    ensure(constraints.len() <= CONSTRAINTS_MAX, || {
        format!(
            "A task definition can have at most {CONSTRAINTS_MAX} placement constraints, not {}.",
            constraints.len()
        )
    })?;
    for constraint in constraints {
        ensure(constraint.r#type.as_deref() == Some("memberOf"), || {
            "A placement constraint of a task definition must have the type memberOf.".to_owned()
        })?;
        let expression = constraint.expression.as_deref().unwrap_or_default();
        ensure(!expression.is_empty(), || "A memberOf placement constraint must have an expression.".to_owned())?;
        Query::parse(expression).map_err(|error| {
            errors::client(format!("Invalid expression '{expression:.200}' in a placement constraint: {error}."))
        })?;
    }
    Ok(())
}

/// ECS Developer Guide, "App Mesh": what the proxy has to be told.
fn proxy(definition: &TaskDefinition, containers: &[ContainerDefinition]) -> Check {
    let Some(proxy) = &definition.proxy_configuration else { return Ok(()) };
    ensure(definition.network_mode.as_deref() == Some("awsvpc"), || {
        "APPMESH proxy configuration is only supported in networkMode=awsvpc.".to_owned()
    })?;
    let container = proxy.container_name.as_deref().unwrap_or_default();
    ensure(containers.iter().any(|c| c.name.as_deref() == Some(container)), || {
        format!("Proxy container [{container}] does not exist.")
    })?;
    let has = |name: &str| {
        let properties = proxy.properties.iter().flatten();
        properties
            .into_iter()
            .any(|p| p.name.as_deref() == Some(name) && p.value.as_deref().is_some_and(|v| !v.is_empty()))
    };
    ensure(has("IgnoredUID") || has("IgnoredGID"), || {
        "proxyConfiguration must have the property IgnoredUID or IgnoredGID.".to_owned()
    })?;
    for property in ["AppPorts", "ProxyIngressPort", "ProxyEgressPort"] {
        ensure(has(property), || format!("proxyConfiguration must have the property {property}."))?;
    }
    Ok(())
}

fn accelerators(definition: &TaskDefinition) -> Check {
    let mut names = BTreeSet::new();
    for accelerator in definition.inference_accelerators.iter().flatten() {
        let name = accelerator.device_name.as_deref().unwrap_or_default();
        ensure(!name.is_empty(), || "InferenceAccelerator.deviceName should not be null or empty.".to_owned())?;
        ensure(names.insert(name), || format!("Duplicate inference accelerator device name '{name}'."))?;
    }
    Ok(())
}
