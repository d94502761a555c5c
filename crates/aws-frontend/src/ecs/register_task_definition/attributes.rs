//! Which node attributes a task definition needs, and which of them our nodes have; placement compares the two.
//!
//! Names are those of ECS (Developer Guide, "Amazon ECS container agent capabilities"; the Docker API versions as seen in
//! answers of ECS). What has no name there begins with `bayplan.capability.`. The rules, in the order of the answer:
//!
//! | field | attribute |
//! | --- | --- |
//! | logConfiguration.logDriver | `com.amazonaws.ecs.capability.logging-driver.<driver>`; Docker API 1.18 (json-file, syslog) or 1.19 |
//! | … awslogs with an execution role | `ecs.capability.execution-role-awslogs` |
//! | … options mode, max-buffer-size; awslogs-create-group | Docker API 1.28; 1.29 |
//! | … secretOptions | `ecs.capability.secrets.<asm or ssm>.bootstrap.log-driver` |
//! | image in ECR; with an execution role | `com.amazonaws.ecs.capability.ecr-auth`; `ecs.capability.execution-role-ecr-pull` |
//! | repositoryCredentials | `ecs.capability.private-registry-authentication.secretsmanager` |
//! | volumes.host with mountPoints | Docker API 1.17 |
//! | dockerLabels, ulimits; memoryReservation | Docker API 1.18; 1.21 |
//! | linuxParameters: tmpfs, sharedMemorySize; initProcessEnabled | Docker API 1.22; 1.25 |
//! | systemControls | Docker API 1.24 |
//! | healthCheck | `ecs.capability.container-health-check`, Docker API 1.24, with startPeriod 1.29 |
//! | dependsOn, startTimeout, stopTimeout | `ecs.capability.container-ordering` |
//! | restartPolicy.enabled | `ecs.capability.container-restart-policy` |
//! | privileged | `com.amazonaws.ecs.capability.privileged-container` |
//! | dockerSecurityOptions | Docker API 1.17, no-new-privileges 1.23; `com.amazonaws.ecs.capability.selinux`, `….apparmor`, or our own |
//! | containerPortRange; too many for bridge | `ecs.capability.container-port-range`; our own |
//! | secrets | `ecs.capability.secrets.<asm or ssm>.environment-variables` |
//! | environmentFiles | `ecs.capability.env-files.s3` |
//! | firelensConfiguration | `ecs.capability.firelens.<type>`, `….options.config.<file or s3>` |
//! | resourceRequirements GPU; NeuronDevice | `ecs.capability.gpu-driver-version`; our own |
//! | inferenceAccelerators | `ecs.capability.task-eia` |
//! | credentialSpecs | `ecs.capability.gmsa` or `….gmsa-domainless` |
//! | volumes: efs; fsx; s3files; configuredAtLaunch | `ecs.capability.efs`, `….efsAuth`, Docker API 1.25; `….fsxWindowsFileServer`; our own; `….storage.ebs-task-volume-attach` |
//! | dockerVolumeConfiguration | `ecs.capability.docker-plugin.<driver>`; driverOpts: our own |
//! | taskRoleArn; with host networking | `com.amazonaws.ecs.capability.task-iam-role`; `….task-iam-role-network-host` |
//! | networkMode awsvpc | `ecs.capability.task-eni`, Docker API 1.18 |
//! | pidMode, ipcMode | `ecs.capability.pid-ipc-namespace-sharing`, ipcMode Docker API 1.32 |
//! | proxyConfiguration | `ecs.capability.aws-appmesh` |
//! | enableFaultInjection; trustedExecutionConfiguration | `ecs.capability.fault-injection`; our own |

use super::ports::ranges_fit;
use crate::ecs::lower::Unsupported;
use aws_api::ecs::{Attribute, ContainerDefinition, LogConfiguration, TaskDefinition, Volume};
use std::collections::BTreeSet;

/// What our nodes offer: the names that a node is registered with.
const NODE_ATTRIBUTES: [&str; 33] = [
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.20",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.23",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.26",
    "com.amazonaws.ecs.capability.docker-remote-api.1.27",
    "com.amazonaws.ecs.capability.docker-remote-api.1.28",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.docker-remote-api.1.30",
    "com.amazonaws.ecs.capability.docker-remote-api.1.31",
    "com.amazonaws.ecs.capability.docker-remote-api.1.32",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.container-port-range",
    "ecs.capability.container-restart-policy",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.increased-task-cpu-limit",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
];

/// The capabilities that every node of ours offers, by name, sorted: a node is registered with them, without values.
pub fn node_attributes() -> &'static [&'static str] {
    &NODE_ATTRIBUTES
}

/// `requiresAttributes` of a normalised definition, as ECS computes it, each name once.
pub(crate) fn requires_attributes(definition: &TaskDefinition) -> Vec<Attribute> {
    let mut seen = BTreeSet::new();
    let fresh = needs(definition).into_iter().filter(|need| seen.insert(need.attribute.clone()));
    fresh.map(|need| Attribute { name: Some(need.attribute), ..Default::default() }).collect()
}

/// The features of a definition that no node of ours has, each attribute once.
pub(crate) fn unsupported(definition: &TaskDefinition) -> Vec<Unsupported> {
    let mut seen = BTreeSet::new();
    let needs = needs(definition).into_iter();
    needs
        .filter(|need| !NODE_ATTRIBUTES.contains(&need.attribute.as_str()) && seen.insert(need.attribute.clone()))
        .map(|need| Unsupported { attribute: need.attribute, feature: need.feature })
        .collect()
}

/// An attribute that a definition needs and the words for what needs it.
struct Need {
    attribute: String,
    feature: String,
}

fn need(attribute: impl Into<String>, feature: impl Into<String>) -> Need {
    Need { attribute: attribute.into(), feature: feature.into() }
}

fn docker(version: &str, feature: &str) -> Need {
    need(format!("com.amazonaws.ecs.capability.docker-remote-api.{version}"), feature)
}

fn ecs(name: &str, feature: impl Into<String>) -> Need {
    need(format!("ecs.capability.{name}"), feature)
}

fn amazon(name: &str, feature: impl Into<String>) -> Need {
    need(format!("com.amazonaws.ecs.capability.{name}"), feature)
}

/// A feature that ECS knows no attribute for.
fn own(name: &str, feature: impl Into<String>) -> Need {
    need(format!("bayplan.capability.{name}"), feature)
}

fn needs(definition: &TaskDefinition) -> Vec<Need> {
    let has_execution_role = definition.execution_role_arn.is_some();
    let mut needs = Vec::new();
    for container in definition.container_definitions.iter().flatten() {
        if let Some(log) = &container.log_configuration {
            logging(log, has_execution_role, &mut needs);
        }
        image(container, has_execution_role, &mut needs);
        docker_options(container, &mut needs);
        security(container, &mut needs);
        lifecycle(container, &mut needs);
        injected(container, &mut needs);
        devices(container, &mut needs);
    }
    let bridge = matches!(definition.network_mode.as_deref(), None | Some("bridge"));
    if bridge && !definition.container_definitions.iter().flatten().all(ranges_fit) {
        needs.push(own("wide-port-ranges", "more than 1000 ports in the ranges of a container"));
    }
    for volume in definition.volumes.iter().flatten() {
        volume_needs(definition, volume, &mut needs);
    }
    task(definition, &mut needs);
    needs
}

fn logging(log: &LogConfiguration, has_execution_role: bool, needs: &mut Vec<Need>) {
    let driver = log.log_driver.as_deref().unwrap_or_default();
    let option = |name: &str| log.options.as_ref().and_then(|o| o.get(name));
    needs.push(amazon(&format!("logging-driver.{driver}"), format!("the log driver {driver}")));
    needs.push(docker(if matches!(driver, "json-file" | "syslog") { "1.18" } else { "1.19" }, "log drivers"));
    if driver == "awslogs" {
        if has_execution_role {
            needs.push(ecs("execution-role-awslogs", "awslogs with an execution role"));
        }
        if option("awslogs-create-group").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            needs.push(docker("1.29", "awslogs-create-group"));
        }
        if option("awslogs-datetime-format").or(option("awslogs-multiline-pattern")).is_some() {
            needs.push(own("awslogs-multiline", "multi-line events of awslogs"));
        }
        if option("awslogs-endpoint").is_some() {
            needs.push(own("awslogs-endpoint", "another endpoint for awslogs"));
        }
    }
    if option("mode").or(option("max-buffer-size")).is_some() {
        needs.push(docker("1.28", "log delivery modes"));
    }
    for secret in log.secret_options.iter().flatten() {
        let store = secret_store(secret.value_from.as_deref().unwrap_or_default());
        needs.push(ecs(&format!("secrets.{store}.bootstrap.log-driver"), "secrets in log options"));
    }
}

fn image(container: &ContainerDefinition, has_execution_role: bool, needs: &mut Vec<Need>) {
    let host = container.image.as_deref().and_then(|i| i.split_once('/')).map_or("", |(host, _)| host);
    if host.contains(".dkr.ecr.") && host.contains(".amazonaws.com") {
        needs.push(amazon("ecr-auth", "images in ECR"));
        if has_execution_role {
            needs.push(ecs("execution-role-ecr-pull", "images in ECR with an execution role"));
        }
    }
    if container.repository_credentials.is_some() {
        needs.push(ecs("private-registry-authentication.secretsmanager", "repositoryCredentials"));
    }
}

fn docker_options(container: &ContainerDefinition, needs: &mut Vec<Need>) {
    let linux = container.linux_parameters.as_ref();
    if container.docker_labels.is_some() || container.ulimits.iter().flatten().next().is_some() {
        needs.push(docker("1.18", "dockerLabels and ulimits"));
    }
    if container.memory_reservation.is_some() {
        needs.push(docker("1.21", "memoryReservation"));
    }
    if linux.is_some_and(|l| l.tmpfs.is_some() || l.shared_memory_size.is_some()) {
        needs.push(docker("1.22", "tmpfs and sharedMemorySize"));
    }
    if linux.and_then(|l| l.init_process_enabled).unwrap_or(false) {
        needs.push(docker("1.25", "initProcessEnabled"));
    }
    if container.system_controls.iter().flatten().next().is_some() {
        needs.push(docker("1.24", "systemControls"));
    }
    if container.port_mappings.iter().flatten().any(|p| p.container_port_range.is_some()) {
        needs.push(ecs("container-port-range", "containerPortRange"));
    }
}

fn security(container: &ContainerDefinition, needs: &mut Vec<Need>) {
    if container.privileged == Some(true) {
        needs.push(amazon("privileged-container", "privileged containers"));
    }
    for option in container.docker_security_options.iter().flatten() {
        let (kind, value) = option.split_once([':', '=']).unwrap_or((option, ""));
        needs.push(docker("1.17", "dockerSecurityOptions"));
        match (kind, value) {
            ("no-new-privileges", _) => needs.push(docker("1.23", "no-new-privileges")),
            ("seccomp", "unconfined") => {}
            ("label", _) => needs.push(amazon("selinux", "SELinux labels in dockerSecurityOptions")),
            ("apparmor", _) => needs.push(amazon("apparmor", "AppArmor profiles in dockerSecurityOptions")),
            ("credentialspec", _) => needs.push(ecs("gmsa", "credential specs in dockerSecurityOptions")),
            ("seccomp", _) => needs.push(own("seccomp-profile", "seccomp profiles in dockerSecurityOptions")),
            _ => needs.push(own("docker-security-options", format!("the dockerSecurityOptions entry {option}"))),
        }
    }
    for spec in container.credential_specs.iter().flatten() {
        let domainless = spec.starts_with("credentialspecdomainless:");
        needs.push(ecs(if domainless { "gmsa-domainless" } else { "gmsa" }, "credentialSpecs"));
    }
}

fn lifecycle(container: &ContainerDefinition, needs: &mut Vec<Need>) {
    if container.health_check.is_some() {
        needs.push(ecs("container-health-check", "health checks"));
        let has_start_period = container.health_check.as_ref().is_some_and(|check| check.start_period.is_some());
        needs.push(docker(if has_start_period { "1.29" } else { "1.24" }, "health checks"));
    }
    let ordered = container.depends_on.iter().flatten().next().is_some();
    if ordered || container.start_timeout.is_some() || container.stop_timeout.is_some() {
        needs.push(ecs("container-ordering", "container ordering"));
    }
    if container.restart_policy.as_ref().and_then(|r| r.enabled) == Some(true) {
        needs.push(ecs("container-restart-policy", "restart policies"));
    }
}

/// What comes into a container from elsewhere when it starts.
fn injected(container: &ContainerDefinition, needs: &mut Vec<Need>) {
    for secret in container.secrets.iter().flatten() {
        let store = secret_store(secret.value_from.as_deref().unwrap_or_default());
        needs.push(ecs(&format!("secrets.{store}.environment-variables"), "secrets"));
    }
    if container.environment_files.iter().flatten().next().is_some() {
        needs.push(ecs("env-files.s3", "environmentFiles"));
    }
    if let Some(firelens) = &container.firelens_configuration {
        let kind = firelens.r#type.as_deref().unwrap_or_default();
        needs.push(ecs(&format!("firelens.{kind}"), "FireLens"));
        if let Some(source) = firelens.options.as_ref().and_then(|o| o.get("config-file-type")) {
            needs.push(ecs(&format!("firelens.options.config.{source}"), "FireLens configuration files"));
        }
    }
}

fn devices(container: &ContainerDefinition, needs: &mut Vec<Need>) {
    for requirement in container.resource_requirements.iter().flatten() {
        needs.push(match requirement.r#type.as_deref() {
            Some("GPU") => ecs("gpu-driver-version", "GPUs"),
            Some("InferenceAccelerator") => ecs("task-eia", "inference accelerators"),
            _ => own("neuron-device", "Neuron devices"),
        });
    }
}

fn volume_needs(definition: &TaskDefinition, volume: &Volume, needs: &mut Vec<Need>) {
    let mounts = definition.container_definitions.iter().flatten().flat_map(|c| c.mount_points.iter().flatten());
    if volume.host.is_some() && mounts.into_iter().any(|m| m.source_volume == volume.name) {
        needs.push(docker("1.17", "host volumes"));
    }
    if volume.efs_volume_configuration.is_some() {
        needs.push(ecs("efs", "EFS volumes"));
        needs.push(ecs("efsAuth", "EFS volumes"));
        needs.push(docker("1.25", "EFS volumes"));
    }
    if volume.fsx_windows_file_server_volume_configuration.is_some() {
        needs.push(ecs("fsxWindowsFileServer", "FSx for Windows File Server volumes"));
    }
    if volume.s3files_volume_configuration.is_some() {
        needs.push(own("s3files", "S3 Files volumes"));
    }
    if volume.configured_at_launch == Some(true) {
        needs.push(ecs("storage.ebs-task-volume-attach", "volumes configured at launch"));
    }
    if let Some(docker) = &volume.docker_volume_configuration {
        let driver = docker.driver.as_deref().unwrap_or("local");
        needs.push(ecs(&format!("docker-plugin.{driver}"), format!("the Docker volume driver {driver}")));
        if docker.driver_opts.as_ref().is_some_and(|o| !o.is_empty()) {
            needs.push(own("docker-volume-driver-opts", "options of Docker volume drivers"));
        }
    }
}

fn task(definition: &TaskDefinition, needs: &mut Vec<Need>) {
    let network_mode = definition.network_mode.as_deref();
    if definition.task_role_arn.is_some() {
        needs.push(amazon("task-iam-role", "task roles"));
        if network_mode == Some("host") {
            needs.push(amazon("task-iam-role-network-host", "task roles with host networking"));
        }
    }
    if network_mode == Some("awsvpc") {
        needs.push(docker("1.18", "awsvpc networking"));
        needs.push(ecs("task-eni", "awsvpc networking"));
    }
    if definition.pid_mode.is_some() || definition.ipc_mode.is_some() {
        needs.push(ecs("pid-ipc-namespace-sharing", "pidMode and ipcMode"));
    }
    if definition.ipc_mode.is_some() {
        needs.push(docker("1.32", "ipcMode"));
    }
    if definition.proxy_configuration.is_some() {
        needs.push(ecs("aws-appmesh", "proxyConfiguration"));
    }
    if definition.inference_accelerators.iter().flatten().next().is_some() {
        needs.push(ecs("task-eia", "inference accelerators"));
    }
    if definition.enable_fault_injection == Some(true) {
        needs.push(ecs("fault-injection", "fault injection"));
    }
    if definition.trusted_execution_configuration.is_some() {
        needs.push(own("trusted-execution", "trusted execution"));
    }
}

/// ECS API, Secret: an ARN of Secrets Manager, else an SSM parameter by ARN or name.
fn secret_store(value_from: &str) -> &'static str {
    let secrets_manager =
        value_from.strip_prefix("arn:").is_some_and(|a| a.split(':').nth(1) == Some("secretsmanager"));
    if secrets_manager { "asm" } else { "ssm" }
}
