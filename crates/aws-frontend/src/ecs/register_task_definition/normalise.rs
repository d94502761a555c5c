//! From a request to the document that ECS would store: defaults filled in, spellings made one; nothing is refused here.

use super::size;
use aws_api::ecs::{
    ContainerDefinition, HealthCheck, HostVolumeProperties, PortMapping, RegisterTaskDefinitionInput, TaskDefinition,
    Volume,
};

/// What a definition means when it names no network mode (ECS on Linux).
pub(crate) const DEFAULT_NETWORK_MODE: &str = "bridge";

/// The stored form of a request, without what its place in the family adds. Normalising twice changes nothing.
pub(crate) fn normalise(input: RegisterTaskDefinitionInput) -> TaskDefinition {
    let network_mode = input.network_mode.as_deref().unwrap_or(DEFAULT_NETWORK_MODE);
    let containers = input.container_definitions.unwrap_or_default();
    let containers = containers.into_iter().map(|c| container(c, network_mode)).collect();
    TaskDefinition {
        container_definitions: Some(containers),
        family: input.family,
        task_role_arn: input.task_role_arn,
        execution_role_arn: input.execution_role_arn,
        volumes: Some(input.volumes.unwrap_or_default().into_iter().map(volume).collect()),
        placement_constraints: Some(input.placement_constraints.unwrap_or_default()),
        runtime_platform: input.runtime_platform,
        requires_compatibilities: input.requires_compatibilities,
        cpu: input.cpu.map(|text| in_units(text, size::cpu_units)),
        memory: input.memory.map(|text| in_units(text, size::memory_mib)),
        inference_accelerators: input.inference_accelerators,
        pid_mode: input.pid_mode,
        ipc_mode: input.ipc_mode,
        proxy_configuration: input.proxy_configuration,
        ephemeral_storage: input.ephemeral_storage,
        enable_fault_injection: input.enable_fault_injection,
        trusted_execution_configuration: input.trusted_execution_configuration,
        network_mode: input.network_mode,
        ..Default::default()
    }
}

/// "1 vCPU" becomes "1024"; what is no size stays, for the validation to name it.
fn in_units(text: String, read: fn(&str) -> Option<u32>) -> String {
    read(&text).map_or(text, |units| units.to_string())
}

fn container(given: ContainerDefinition, network_mode: &str) -> ContainerDefinition {
    let ports = given.port_mappings.unwrap_or_default();
    ContainerDefinition {
        cpu: Some(given.cpu.unwrap_or(0)),
        port_mappings: Some(ports.into_iter().map(|p| port(p, network_mode)).collect()),
        essential: Some(given.essential.unwrap_or(true)),
        environment: Some(given.environment.unwrap_or_default()),
        mount_points: Some(given.mount_points.unwrap_or_default()),
        volumes_from: Some(given.volumes_from.unwrap_or_default()),
        system_controls: Some(given.system_controls.unwrap_or_default()),
        health_check: given.health_check.map(health_check),
        ..given
    }
}

/// ECS API, PortMapping: the host port is the container's where both share a namespace, else a dynamic one, which is 0.
fn port(given: PortMapping, network_mode: &str) -> PortMapping {
    let default = match network_mode {
        "host" | "awsvpc" => given.container_port,
        _ => Some(0),
    };
    let host_port = if given.container_port_range.is_some() { given.host_port } else { given.host_port.or(default) };
    PortMapping { host_port, protocol: Some(given.protocol.unwrap_or_else(|| "tcp".to_owned())), ..given }
}

/// ECS API, HealthCheck: every 30 s, 5 s each, three in a row; the start period has no default.
fn health_check(given: HealthCheck) -> HealthCheck {
    HealthCheck {
        interval: Some(given.interval.unwrap_or(30)),
        timeout: Some(given.timeout.unwrap_or(5)),
        retries: Some(given.retries.unwrap_or(3)),
        ..given
    }
}

/// A volume of no kind is a host volume without a path: a folder that ends with the task.
fn volume(given: Volume) -> Volume {
    let bare = given.host.is_none()
        && given.docker_volume_configuration.is_none()
        && given.efs_volume_configuration.is_none()
        && given.s3files_volume_configuration.is_none()
        && given.fsx_windows_file_server_volume_configuration.is_none()
        && given.configured_at_launch != Some(true);
    let mut volume = given;
    if bare {
        volume.host = Some(HostVolumeProperties::default());
    }
    if let Some(efs) = &mut volume.efs_volume_configuration {
        efs.root_directory.get_or_insert_with(|| "/".to_owned());
    }
    volume
}
