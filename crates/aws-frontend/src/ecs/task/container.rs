//! The containers of a task as ECS shows them.

use super::{attachment, health, is_over, time};
use crate::ecs::arn;
use aws_api::ecs::values::{health_status, managed_agent_name};
use aws_api::ecs::{Container, ManagedAgent, NetworkBinding};
use model::Snapshot;
use model::ecs::{TaskContainerFace, TaskFace};
use model::unit::spec::{NetworkMode, Protocol};
use model::unit::{ContainerObserved, ContainerState, PortBinding, Unit};
use std::net::{IpAddr, Ipv4Addr};

/// Said of a container that the kernel killed, where the node says no more (ECS: OutOfMemoryError).
const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";

pub(super) fn containers(snapshot: &Snapshot, unit: &Unit, face: &TaskFace, task_arn: &str) -> Vec<Container> {
    let over = is_over(unit);
    let each = face.containers.iter().enumerate();
    each.map(|(place, container)| {
        let seen = observed(unit, place, &container.name);
        let status = if over { "STOPPED" } else { status(seen) };
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        Container {
            container_arn: Some(arn::container(&face.cluster, unit.name.short(), &container.id)),
            task_arn: Some(task_arn.to_owned()),
            name: Some(container.name.to_string()),
            image: Some(container.image.to_string()),
            image_digest: seen.and_then(|c| text(&c.image_digest)),
            runtime_id: seen.and_then(|c| text(&c.runtime_id)),
            last_status: Some(status.to_owned()),
            exit_code: seen.and_then(|c| c.exit_code),
            reason: seen.and_then(reason),
            network_bindings: Some(bindings(snapshot, unit, face, container, seen)),
            network_interfaces: Some(attachment::interfaces(unit, face)),
            health_status: Some(seen.and_then(|c| c.health).map_or(health_status::UNKNOWN, health).to_owned()),
            managed_agents: face.enable_execute_command.then(|| vec![execute_command_agent(seen, status)]),
            cpu: Some(container.cpu.to_string()),
            memory: text(&container.memory),
            memory_reservation: text(&container.memory_reservation),
            ..Default::default()
        }
    })
    .collect()
}

/// Nodes report containers in the definition's order; a name is looked for only where they do not.
fn observed<'a>(unit: &'a Unit, place: usize, name: &str) -> Option<&'a ContainerObserved> {
    let seen = &unit.observed.containers;
    seen.get(place).filter(|c| &*c.name == name).or_else(|| seen.iter().find(|c| &*c.name == name))
}

fn status(seen: Option<&ContainerObserved>) -> &'static str {
    match seen.map(|c| c.state).unwrap_or_default() {
        ContainerState::Pending | ContainerState::Created => "PENDING",
        ContainerState::Running => "RUNNING",
        ContainerState::Stopped => "STOPPED",
    }
}

fn reason(seen: &ContainerObserved) -> Option<String> {
    seen.reason.clone().or_else(|| seen.oom_killed.then(|| OUT_OF_MEMORY.to_owned()))
}

/// The ports that answer on the host. In the host's own network they are those of the definition, once the container runs.
fn bindings(
    snapshot: &Snapshot,
    unit: &Unit,
    face: &TaskFace,
    container: &TaskContainerFace,
    seen: Option<&ContainerObserved>,
) -> Vec<NetworkBinding> {
    let Some(seen) = seen.filter(|_| face.attachment_id.is_none()) else { return Vec::new() };
    if !seen.ports.is_empty() || seen.started_at.is_none() {
        return seen.ports.iter().map(binding).collect();
    }
    let host = snapshot.specs.get(&unit.spec).filter(|spec| spec.network == NetworkMode::Host);
    let ports = host.and_then(|spec| spec.container(&container.name)).map(|c| c.ports.as_slice()).unwrap_or_default();
    let bound = |port: &model::unit::spec::PortSpec| PortBinding {
        host_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host_port: port.container_port,
        container_port: port.container_port,
        protocol: port.protocol,
    };
    ports.iter().map(bound).map(|port| binding(&port)).collect()
}

fn binding(port: &PortBinding) -> NetworkBinding {
    NetworkBinding {
        bind_ip: Some(port.host_ip.to_string()),
        container_port: Some(port.container_port.into()),
        host_port: Some(port.host_port.into()),
        protocol: Some(match port.protocol {
            Protocol::Tcp => "tcp".to_owned(),
            Protocol::Udp => "udp".to_owned(),
        }),
        ..Default::default()
    }
}

/// The agent is part of the node, so it is there as long as the container runs.
fn execute_command_agent(seen: Option<&ContainerObserved>, status: &str) -> ManagedAgent {
    ManagedAgent {
        name: Some(managed_agent_name::EXECUTE_COMMAND_AGENT.to_owned()),
        last_status: Some(status.to_owned()),
        last_started_at: time(seen.and_then(|c| c.started_at)),
        reason: None,
    }
}
