//! Validation of what containers say about each other: dependsOn, links and volumesFrom, and that they can be started in some order.

use super::validate::{Check, ensure, name};
use aws_api::ecs::ContainerDefinition;

pub(super) fn all(containers: &[ContainerDefinition]) -> Check {
    for container in containers {
        depends_on(container, containers)?;
        links(container, containers)?;
        volumes_from(container, containers)?;
    }
    ensure(!has_cycle(containers, |c| dependencies(c)), || "Container dependsOn contains a cycle.".to_owned())?;
    ensure(!has_cycle(containers, |c| sources(c)), || "Container volumesFrom contains a cycle.".to_owned())?;
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
        ensure(target.is_some(), || format!("Cannot depend on container + '{wanted}' because it does not exist"))?;
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
            format!("Invalid link '{link}' of container '{}': the container '{target}' does not exist.", name(container))
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
            format!("Invalid volumesFrom of container '{}': the container '{source}' does not exist.", name(container))
        })?;
        ensure(source != name(container), || format!("Container '{source}' cannot have volumesFrom itself."))?;
    }
    Ok(())
}

/// Whether containers that wait for each other can never start: takes away those that wait for nobody until none is left.
fn has_cycle<'a, I: Iterator<Item = &'a str>>(
    containers: &'a [ContainerDefinition],
    waits_for: impl Fn(&'a ContainerDefinition) -> I,
) -> bool {
    let mut left: Vec<&ContainerDefinition> = containers.iter().collect();
    loop {
        let waiting = |c: &&ContainerDefinition| waits_for_any(waits_for_names(&waits_for, c), &left);
        let rest: Vec<_> = left.iter().copied().filter(waiting).collect();
        if rest.len() == left.len() {
            return !rest.is_empty();
        }
        left = rest;
    }
}

fn waits_for_names<'a, I: Iterator<Item = &'a str>>(
    waits_for: &impl Fn(&'a ContainerDefinition) -> I,
    container: &&'a ContainerDefinition,
) -> I {
    waits_for(container)
}

fn waits_for_any<'a>(mut names: impl Iterator<Item = &'a str>, left: &[&ContainerDefinition]) -> bool {
    names.any(|wanted| left.iter().any(|c| name(c) == wanted))
}
