//! Network mode, shared namespaces and published ports.

use crate::ecs::register_task_definition::{DEFAULT_NETWORK_MODE, port_range, ranges_fit};
use aws_api::ecs::{ContainerDefinition, PortMapping, TaskDefinition};
use model::unit::spec::{NamespaceScope, NetworkMode, PortSpec, Protocol};

pub(super) fn mode(definition: &TaskDefinition) -> NetworkMode {
    match definition.network_mode.as_deref().unwrap_or(DEFAULT_NETWORK_MODE) {
        "awsvpc" => NetworkMode::Unit,
        "host" => NetworkMode::Host,
        "none" => NetworkMode::None,
        _ => NetworkMode::PerContainer,
    }
}

/// `pidMode` and `ipcMode`; pidMode has no `none`.
pub(super) fn namespace(mode: Option<&str>) -> NamespaceScope {
    match mode {
        Some("host") => NamespaceScope::Host,
        Some("task") => NamespaceScope::Unit,
        Some("none") => NamespaceScope::Private,
        _ => NamespaceScope::Container,
    }
}

/// The ports to publish. A task with its own address is reached there, so nothing of it is published; ranges too wide for
/// a node are a feature that no node has.
pub(super) fn ports(definition: &TaskDefinition, container: &ContainerDefinition) -> Vec<PortSpec> {
    let published = matches!(mode(definition), NetworkMode::PerContainer | NetworkMode::Host);
    let fits = ranges_fit(container);
    let mappings = container.port_mappings.iter().flatten();
    let mappings = mappings.filter(|m| published && (fits || m.container_port_range.is_none()));
    mappings.flat_map(port).collect()
}

/// One mapping; a range is that many dynamic ones.
fn port(mapping: &PortMapping) -> Vec<PortSpec> {
    let protocol = if mapping.protocol.as_deref() == Some("udp") { Protocol::Udp } else { Protocol::Tcp };
    if let Some(range) = mapping.container_port_range.as_deref().and_then(port_range) {
        return range.map(|container_port| PortSpec { container_port, host_port: 0, protocol }).collect();
    }
    let number = |port: Option<i32>| port.and_then(|p| u16::try_from(p).ok());
    let host_port = number(mapping.host_port).unwrap_or(0);
    number(mapping.container_port)
        .map(|container_port| PortSpec { container_port, host_port, protocol })
        .into_iter()
        .collect()
}
