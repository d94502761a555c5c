//! Validation of what containers say about each other (dependsOn, links, volumesFrom), and that some order starts them all.

use super::validate::{Check, ensure, name};
use aws_api::ecs::ContainerDefinition;
use std::collections::BTreeSet;

pub(super) fn all(containers: &[ContainerDefinition]) -> Check {
    for container in containers {
        depends_on(container, containers)?;
        links(container, containers)?;
        volumes_from(container, containers)?;
    }
    ensure(!has_cycle(containers, dependencies), || "Container dependsOn contains a cycle.".to_owned())?;
    ensure(!has_cycle(containers, sources), || "Container volumesFrom contains a cycle.".to_owned())?;
    let all = |c| dependencies(c).chain(sources(c)).chain(linked(c));
    ensure(!has_cycle(containers, all), || {
        "Containers wait for each other in a cycle of dependsOn, links and volumesFrom.".to_owned()
    })
}

fn dependencies(container: &ContainerDefinition) -> impl Iterator<Item = &str> {
    container.depends_on.iter().flatten().filter_map(|d| d.container_name.as_deref())
}

fn sources(container: &ContainerDefinition) -> impl Iterator<Item = &str> {
    container.volumes_from.iter().flatten().filter_map(|v| v.source_container.as_deref())
}

fn linked(container: &ContainerDefinition) -> impl Iterator<Item = &str> {
    container.links.iter().flatten().map(|link| link.split_once(':').map_or(link.as_str(), |(target, _)| target))
}

fn depends_on(container: &ContainerDefinition, containers: &[ContainerDefinition]) -> Check {
    for dependency in container.depends_on.iter().flatten() {
        let wanted = dependency.container_name.as_deref().unwrap_or_default();
        ensure(wanted != name(container), || format!("Container '{wanted}' cannot depend on itself."))?;
        let target = containers.iter().find(|c| name(c) == wanted);
        ensure(target.is_some(), || format!("Cannot depend on container '{wanted}' because it does not exist"))?;
        let is_essential = target.is_some_and(|t| t.essential != Some(false));
        let has_check = target.is_some_and(|t| t.health_check.is_some());
        match dependency.condition.as_deref() {
            Some("COMPLETE" | "SUCCESS") => ensure(!is_essential, || {
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container".to_owned()
            })?,
            Some("HEALTHY") => ensure(has_check, || {
                "A dependency container with HEALTHY condition must have health check configured".to_owned()
            })?,
            _ => {}
        }
    }
    Ok(())
}

fn links(container: &ContainerDefinition, containers: &[ContainerDefinition]) -> Check {
    for link in container.links.iter().flatten() {
        let (target, alias) = link.split_once(':').map_or((link.as_str(), None), |(t, a)| (t, Some(a)));
        ensure(containers.iter().any(|c| name(c) == target), || {
            format!(
                "Invalid link '{link}' of container '{}': the container '{target}' does not exist.",
                name(container)
            )
        })?;
        ensure(target != name(container), || format!("Container '{target}' cannot be linked to itself."))?;
        ensure(alias.is_none_or(super::validate::is_name), || {
            format!("Invalid link '{link}' of container '{}': write it as name or name:alias.", name(container))
        })?;
    }
    Ok(())
}

fn volumes_from(container: &ContainerDefinition, containers: &[ContainerDefinition]) -> Check {
    for volume in container.volumes_from.iter().flatten() {
        let source = volume.source_container.as_deref().unwrap_or_default();
        ensure(containers.iter().any(|c| name(c) == source), || {
            format!("Invalid 'volumesFrom' setting. Unknown container: '{source}'.")
        })?;
        ensure(source != name(container), || format!("Container '{source}' cannot have volumesFrom itself."))?;
    }
    Ok(())
}

/// Whether containers wait for each other so that none of them can be the first: takes away those that wait for nobody,
/// until none is left or none can go.
fn has_cycle<'a, I: Iterator<Item = &'a str>>(
    containers: &'a [ContainerDefinition],
    waits_for: impl Fn(&'a ContainerDefinition) -> I,
) -> bool {
    let mut left: Vec<(&str, Vec<&str>)> = containers.iter().map(|c| (name(c), waits_for(c).collect())).collect();
    loop {
        let names: BTreeSet<&str> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, waits_for)| waits_for.iter().any(|wanted| names.contains(wanted)));
        if left.len() == before {
            return before > 0;
        }
    }
}
