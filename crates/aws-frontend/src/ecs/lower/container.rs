//! One container of a definition, overrides applied, in the engine's words.

use super::{Launch, linux, log, network, non_negative, volumes};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use model::unit::spec::{
    ContainerSpec, Dependency, DependencyCondition, HealthCheck, Input, RestartPolicy, VolumeSpec,
};
use model::{Cpu, Memory};
use std::collections::BTreeMap;

/// ECS API, ContainerDefinition: seconds from the stop signal to SIGKILL.
const STOP_TIMEOUT_S: u32 = 30;
/// ECS API, ContainerRestartPolicy: seconds.
const RESTART_ATTEMPT_PERIOD_S: u32 = 300;

pub(super) fn container(
    definition: &TaskDefinition,
    given: &ContainerDefinition,
    volumes: &[VolumeSpec],
    launch: Launch,
) -> ContainerSpec {
    let mib = |size: Option<i32>| size.map(|mib| Memory::from_mib(non_negative(mib)));
    let seconds = |s: Option<i32>| s.and_then(|s| u32::try_from(s).ok());
    ContainerSpec {
        name: given.name.clone().unwrap_or_default(),
        essential: given.essential.unwrap_or(true),
        image: given.image.clone().unwrap_or_default(),
        image_digest: None,
        entrypoint: given.entry_point.clone().filter(|words| !words.is_empty()),
        command: given.command.clone().filter(|words| !words.is_empty()),
        env: env(given),
        working_dir: given.working_directory.clone(),
        user: given.user.clone(),
        hostname: given.hostname.clone(),
        cpu: Cpu::from_ecs_units(given.cpu.map_or(0, non_negative)),
        // On Linux a container's cpu is a weight; only the task's own cpu is a ceiling.
        cpu_ceiling: None,
        memory_hard: mib(given.memory),
        memory_soft: mib(given.memory_reservation),
        ports: network::ports(definition, given),
        mounts: volumes::mounts(given, volumes),
        volumes_from: volumes_from(given),
        links: links(given),
        start_after: start_after(given),
        start_timeout_s: seconds(given.start_timeout),
        stop_timeout_s: seconds(given.stop_timeout).unwrap_or(STOP_TIMEOUT_S),
        health_check: health_check(given),
        restart: restart(given),
        log: log::sink(given, launch),
        interactive: given.interactive.unwrap_or(false),
        tty: given.pseudo_terminal.unwrap_or(false),
        privileged: given.privileged.unwrap_or(false),
        read_only_root: given.readonly_root_filesystem.unwrap_or(false),
        disable_networking: given.disable_networking.unwrap_or(false),
        dns_servers: given.dns_servers.clone().unwrap_or_default(),
        dns_search: given.dns_search_domains.clone().unwrap_or_default(),
        extra_hosts: extra_hosts(given),
        security_options: linux::security_options(given),
        rlimits: linux::rlimits(given),
        sysctls: sysctls(given),
        linux: linux::linux(given),
        labels: labels(definition, given),
    }
}

fn env(container: &ContainerDefinition) -> Vec<(String, Input)> {
    let variables = container.environment.iter().flatten();
    variables.filter_map(|v| Some((v.name.clone()?, Input::literal(v.value.clone().unwrap_or_default())))).collect()
}

fn volumes_from(container: &ContainerDefinition) -> Vec<(String, bool)> {
    let sources = container.volumes_from.iter().flatten();
    sources.filter_map(|v| Some((v.source_container.clone()?, v.read_only.unwrap_or(false)))).collect()
}

fn links(container: &ContainerDefinition) -> Vec<(String, Option<String>)> {
    let links = container.links.iter().flatten();
    links
        .map(|link| match link.split_once(':') {
            Some((target, alias)) => (target.to_owned(), Some(alias.to_owned())),
            None => (link.clone(), None),
        })
        .collect()
}

/// What dependsOn says; a link or volumesFrom waits for its target to start, as Docker does.
fn start_after(container: &ContainerDefinition) -> Vec<Dependency> {
    let said = container.depends_on.iter().flatten().filter_map(|d| {
        let condition = match d.condition.as_deref()? {
            "COMPLETE" => DependencyCondition::Completed,
            "SUCCESS" => DependencyCondition::Succeeded,
            "HEALTHY" => DependencyCondition::Healthy,
            _ => DependencyCondition::Started,
        };
        Some(Dependency { container: d.container_name.clone()?, condition })
    });
    let mut dependencies: Vec<Dependency> = said.collect();
    let linked = links(container).into_iter().map(|(target, _)| target);
    for target in linked.chain(volumes_from(container).into_iter().map(|(source, _)| source)) {
        if !dependencies.iter().any(|d| d.container == target) {
            dependencies.push(Dependency { container: target, condition: DependencyCondition::Started });
        }
    }
    dependencies
}

/// The image's own check never counts (ECS API, HealthCheck).
fn health_check(container: &ContainerDefinition) -> Option<HealthCheck> {
    let check = container.health_check.as_ref()?;
    let (form, rest) = check.command.as_deref()?.split_first()?;
    let command = match form.as_str() {
        "CMD-SHELL" => ["/bin/sh", "-c"].into_iter().map(str::to_owned).chain(rest.iter().cloned()).collect(),
        _ => rest.to_vec(),
    };
    let number = |given: Option<i32>, default: u32| given.and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    Some(HealthCheck {
        command,
        interval_s: number(check.interval, 30),
        timeout_s: number(check.timeout, 5),
        retries: number(check.retries, 3),
        start_period_s: number(check.start_period, 0),
    })
}

fn restart(container: &ContainerDefinition) -> Option<RestartPolicy> {
    let policy = container.restart_policy.as_ref().filter(|p| p.enabled == Some(true))?;
    let period = policy.restart_attempt_period.and_then(|s| u32::try_from(s).ok());
    Some(RestartPolicy {
        ignored_exit_codes: policy.ignored_exit_codes.clone().unwrap_or_default(),
        attempt_period_s: period.unwrap_or(RESTART_ATTEMPT_PERIOD_S),
    })
}

fn extra_hosts(container: &ContainerDefinition) -> Vec<(String, String)> {
    let hosts = container.extra_hosts.iter().flatten();
    hosts.filter_map(|h| Some((h.hostname.clone()?, h.ip_address.clone()?))).collect()
}

fn sysctls(container: &ContainerDefinition) -> BTreeMap<String, String> {
    let controls = container.system_controls.iter().flatten();
    controls.filter_map(|c| Some((c.namespace.clone()?, c.value.clone()?))).collect()
}

/// The user's labels and those of ECS that are equal for every task of the definition; the rest names the task.
fn labels(definition: &TaskDefinition, container: &ContainerDefinition) -> BTreeMap<String, String> {
    let mut labels = container.docker_labels.clone().unwrap_or_default();
    let own = [
        ("container-name", container.name.clone()),
        ("task-definition-family", definition.family.clone()),
        ("task-definition-version", definition.revision.map(|r| r.to_string())),
    ];
    for (name, value) in own {
        labels.insert(format!("com.amazonaws.ecs.{name}"), value.unwrap_or_default());
    }
    labels
}
