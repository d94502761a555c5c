//! Validation of port mappings: each by itself, and all of a task against each other.

use super::normalise::DEFAULT_NETWORK_MODE;
use super::validate::{Check, ensure, name};
use aws_api::ecs::{ContainerDefinition, PortMapping, TaskDefinition};
use std::collections::BTreeSet;

/// ECS API, PortMapping: ranges of a container.
const RANGES_MAX: usize = 100;

pub(super) fn all(definition: &TaskDefinition, containers: &[ContainerDefinition]) -> Check {
    let mode = definition.network_mode.as_deref().unwrap_or(DEFAULT_NETWORK_MODE);
    let mut host_ports = BTreeSet::new();
    let mut names = BTreeSet::new();
    for container in containers {
        let mappings = container.port_mappings.as_deref().unwrap_or_default();
        ensure(mode != "none" || mappings.is_empty(), || {
            "Port mappings are not supported when networkMode=none.".to_owned()
        })?;
        let ranges = mappings.iter().filter(|m| m.container_port_range.is_some()).count();
        ensure(ranges <= RANGES_MAX, || {
            format!(
                "Invalid port mappings of container '{}'. It can have at most {RANGES_MAX} port ranges.",
                name(container)
            )
        })?;
        for mapping in mappings {
            one(container, mapping, mode)?;
            if let Some(port_name) = mapping.name.as_deref() {
                ensure(names.insert(port_name), || format!("The port mapping name is already used: '{port_name}'."))?;
            }
            let protocol = mapping.protocol.as_deref().unwrap_or("tcp");
            for port in fixed_ports(mapping, mode) {
                ensure(host_ports.insert((port, protocol)), || {
                    format!("{} host port '{port}' is mapped multiple times in task.", protocol.to_uppercase())
                })?;
            }
        }
    }
    Ok(())
}

fn one(container: &ContainerDefinition, mapping: &PortMapping, mode: &str) -> Check {
    let label = name(container);
    if let Some(range) = &mapping.container_port_range {
        ensure(mapping.container_port.is_none() && mapping.host_port.is_none(), || {
            format!("Container '{label}' cannot specify both single port and port range.")
        })?;
        ensure(mode != "host", || {
            "containerPortRange is only supported when networkMode is awsvpc or bridge.".to_owned()
        })?;
        ensure(port_range(range).is_some(), || {
            format!(
                "Invalid 'containerPortRange' setting for container '{label}': '{range}'. Use two ports, such as 8000-8010."
            )
        })?;
    } else {
        let port = mapping.container_port.unwrap_or(0);
        ensure((1..=65535).contains(&port), || format!("Invalid 'containerPort' setting for container '{label}'."))?;
        let host = mapping.host_port.unwrap_or(0);
        ensure((0..=65535).contains(&host), || format!("Invalid 'hostPort' setting for container '{label}'."))?;
        ensure(!matches!(mode, "awsvpc" | "host") || host == port, || {
            format!("When networkMode={mode}, the host ports and container ports in port mappings must match.")
        })?;
    }
    if let Some(port_name) = &mapping.name {
        let fine = (1..=64).contains(&port_name.len())
            && !port_name.starts_with('-')
            && port_name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        ensure(fine, || {
            format!(
                "Invalid port mapping name '{port_name}'. Use up to 64 lower-case letters, digits, underscores and hyphens, and no hyphen first."
            )
        })?;
    }
    Ok(())
}

/// More ports in ranges than a node publishes one by one for a container.
const PUBLISHED_RANGE_MAX: usize = 1000;

/// Whether a node can publish a container's ranges; only bridge networking has to.
pub(crate) fn ranges_fit(container: &ContainerDefinition) -> bool {
    let ranges =
        container.port_mappings.iter().flatten().filter_map(|m| port_range(m.container_port_range.as_deref()?));
    ranges.map(|range| range.len()).sum::<usize>() <= PUBLISHED_RANGE_MAX
}

/// The ports of "8000-8010", both inclusive.
pub(crate) fn port_range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (from, to) = text.split_once('-')?;
    let port = |s: &str| s.parse::<u16>().ok().filter(|port| *port > 0 && !s.starts_with('+'));
    let range = port(from)?..=port(to)?;
    (!range.is_empty()).then_some(range)
}

/// The ports of a mapping that nobody else in the task can have; dynamic ones are anybody's.
fn fixed_ports(mapping: &PortMapping, mode: &str) -> Vec<i32> {
    match &mapping.container_port_range {
        Some(range) if mode == "awsvpc" => port_range(range).into_iter().flatten().map(i32::from).collect(),
        Some(_) => Vec::new(),
        None => mapping.host_port.filter(|port| *port != 0).into_iter().collect(),
    }
}
