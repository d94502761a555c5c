//! Where a valid definition can run: what each launch type refuses, and `compatibilities` computed from that.

use super::normalise::DEFAULT_NETWORK_MODE;
use super::size;
use super::validate::{Check, ensure, name};
use crate::ecs::errors;
use aws_api::ecs::{ContainerDefinition, TaskDefinition};

/// ECS Developer Guide: the log drivers of Fargate.
const FARGATE_LOG_DRIVERS: [&str; 3] = ["awslogs", "splunk", "awsfirelens"];
/// ECS API, ContainerDefinition: seconds.
const FARGATE_TIMEOUT_MAX: i32 = 120;

/// Holds a definition against the launch types that it says it is for.
pub(super) fn required(definition: &TaskDefinition) -> Check {
    for launch_type in definition.requires_compatibilities.iter().flatten() {
        match launch_type.as_str() {
            "FARGATE" => fargate(definition)?,
            "EXTERNAL" => external(definition)?,
            "MANAGED_INSTANCES" => managed_instances(definition)?,
            _ => {}
        }
    }
    Ok(())
}

/// `compatibilities`, in ECS's order.
pub(super) fn compatibilities(definition: &TaskDefinition) -> Vec<String> {
    let mut fits = Vec::new();
    if external(definition).is_ok() {
        fits.push("EXTERNAL");
    }
    if definition.ephemeral_storage.is_none() {
        fits.push("EC2");
    }
    if managed_instances(definition).is_ok() {
        fits.push("MANAGED_INSTANCES");
    }
    if fargate(definition).is_ok() {
        fits.push("FARGATE");
    }
    fits.into_iter().map(str::to_owned).collect()
}

fn fargate(definition: &TaskDefinition) -> Check {
    ensure(definition.network_mode.as_deref() == Some("awsvpc"), || {
        "Fargate only supports network mode ‘awsvpc’.".to_owned()
    })?;
    fargate_size(definition.cpu.as_deref(), definition.memory.as_deref())?;
    windows_size(definition)?;
    ensure(definition.pid_mode.as_deref() != Some("host"), || {
        "Tasks using the Fargate launch type do not support pidMode 'host'.".to_owned()
    })?;
    fargate_lacks("ipcMode", definition.ipc_mode.is_some())?;
    fargate_lacks("constraints", definition.placement_constraints.iter().flatten().next().is_some())?;
    fargate_lacks("inferenceAccelerators", definition.inference_accelerators.iter().flatten().next().is_some())?;
    for volume in definition.volumes.iter().flatten() {
        fargate_lacks("sourcePath", volume.host.as_ref().is_some_and(|h| h.source_path.is_some()))?;
        fargate_lacks("dockerVolumeConfiguration", volume.docker_volume_configuration.is_some())?;
        fargate_lacks(
            "fsxWindowsFileServerVolumeConfiguration",
            volume.fsx_windows_file_server_volume_configuration.is_some(),
        )?;
    }
    for container in definition.container_definitions.iter().flatten() {
        fargate_container(definition, container)?;
    }
    Ok(())
}

/// Fargate needs a size, and one of its own.
pub(crate) fn fargate_size(cpu: Option<&str>, memory: Option<&str>) -> Check {
    let missing = |what: &str| errors::client(format!("Fargate requires that '{what}' be defined at the task level."));
    let cpu_text = cpu.ok_or_else(|| missing("cpu"))?;
    let memory_text = memory.ok_or_else(|| missing("memory"))?;
    let size = size::cpu_units(cpu_text).zip(size::memory_mib(memory_text));
    ensure(size.is_some_and(|(cpu, memory)| size::fargate_has(cpu, memory)), || {
        format!(
            "No Fargate configuration exists for given values: {cpu_text} CPU, {memory_text} memory. See the Amazon ECS documentation for the valid values."
        )
    })
}

/// Windows needs at least one vCPU.
fn windows_size(definition: &TaskDefinition) -> Check {
    let family = definition.runtime_platform.as_ref().and_then(|p| p.operating_system_family.as_deref());
    let is_windows = family.is_some_and(|family| family.starts_with("WINDOWS"));
    let cpu = definition.cpu.as_deref().and_then(size::cpu_units).unwrap_or(0);
    ensure(!is_windows || cpu >= 1024, || "No Fargate configuration exists for given values.".to_owned())
}

fn fargate_lacks(what: &str, given: bool) -> Check {
    ensure(!given, || format!("Fargate compatible task definitions do not support {what}."))
}

fn fargate_container(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    ensure(container.privileged != Some(true), || {
        format!("Fargate requires that the 'privileged' setting be 'false' for container '{}'.", name(container))
    })?;
    fargate_lacks("dockerSecurityOptions", container.docker_security_options.iter().flatten().next().is_some())?;
    ensure(container.resource_requirements.iter().flatten().next().is_none(), || {
        "Tasks using the Fargate launch type do not support GPU resource requirements.".to_owned()
    })?;
    for (field, value) in [("start", container.start_timeout), ("stop", container.stop_timeout)] {
        ensure(value.is_none_or(|s| s <= FARGATE_TIMEOUT_MAX), || {
            format!(
                "Tasks using the Fargate launch type must have a container {field} timeout of at most {FARGATE_TIMEOUT_MAX} seconds."
            )
        })?;
    }
    if let Some(linux) = &container.linux_parameters {
        fargate_lacks("devices", linux.devices.iter().flatten().next().is_some())?;
        fargate_lacks("sharedMemorySize", linux.shared_memory_size.is_some())?;
        fargate_lacks("maxSwap", linux.max_swap.is_some())?;
        fargate_lacks("swappiness", linux.swappiness.is_some())?;
        for added in linux.capabilities.iter().flat_map(|c| c.add.iter().flatten()) {
            ensure(added == "SYS_PTRACE", || format!("{added} is not allowed on Fargate."))?;
        }
    }
    let has_role = definition.execution_role_arn.is_some();
    let image = container.image.as_deref().unwrap_or_default();
    ensure(has_role || !image.contains(".dkr.ecr."), || {
        "Fargate requires task definition to have execution role ARN to support ECR images.".to_owned()
    })?;
    let Some(log) = &container.log_configuration else { return Ok(()) };
    let driver = log.log_driver.as_deref().unwrap_or_default();
    ensure(FARGATE_LOG_DRIVERS.contains(&driver), || {
        format!("{driver} is not a valid log driver. Must be one of [{}]", FARGATE_LOG_DRIVERS.join(", "))
    })?;
    ensure(has_role || driver != "awslogs", || {
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.".to_owned()
    })?;
    let has_prefix = log.options.as_ref().is_some_and(|o| o.contains_key("awslogs-stream-prefix"));
    ensure(has_prefix || driver != "awslogs", || {
        "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs."
            .to_owned()
    })
}

/// ECS Developer Guide, "ECS Anywhere": what external instances lack.
fn external(definition: &TaskDefinition) -> Check {
    let no = |what: &str| format!("Tasks using the External launch type do not support {what}.");
    let mode = definition.network_mode.as_deref().unwrap_or(DEFAULT_NETWORK_MODE);
    ensure(mode != "awsvpc", || no("network mode 'awsvpc'"))?;
    ensure(definition.proxy_configuration.is_none(), || no("proxyConfiguration"))?;
    ensure(definition.ephemeral_storage.is_none(), || no("ephemeralStorage"))?;
    ensure(definition.enable_fault_injection != Some(true), || no("enableFaultInjection"))?;
    ensure(definition.trusted_execution_configuration.is_none(), || no("trustedExecutionConfiguration"))?;
    for volume in definition.volumes.iter().flatten() {
        let managed = volume.efs_volume_configuration.is_some()
            || volume.s3files_volume_configuration.is_some()
            || volume.fsx_windows_file_server_volume_configuration.is_some()
            || volume.configured_at_launch == Some(true);
        ensure(!managed, || no("volumes of AWS services"))?;
    }
    let mut ports = definition.container_definitions.iter().flatten().flat_map(|c| c.port_mappings.iter().flatten());
    ensure(!ports.any(|p| p.app_protocol.is_some()), || no("Service Connect port mappings"))
}

/// ECS Developer Guide, "Task definition parameters for Managed Instances".
fn managed_instances(definition: &TaskDefinition) -> Check {
    let no = |what: &str| format!("Tasks using Managed Instances do not support {what}.");
    let mode = definition.network_mode.as_deref().unwrap_or(DEFAULT_NETWORK_MODE);
    ensure(matches!(mode, "awsvpc" | "host"), || no("a network mode other than awsvpc and host"))?;
    ensure(definition.cpu.is_some() && definition.memory.is_some(), || {
        "Managed Instances require that 'cpu' and 'memory' be defined at the task level.".to_owned()
    })?;
    ensure(definition.ephemeral_storage.is_none(), || no("ephemeralStorage"))?;
    for volume in definition.volumes.iter().flatten() {
        ensure(volume.docker_volume_configuration.is_none(), || no("dockerVolumeConfiguration"))?;
    }
    Ok(())
}
