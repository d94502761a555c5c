//! A Unit as ECS shows it: a task. Read from one snapshot; what is stored in ECS's words is echoed, the rest derived here.

mod attachment;
mod container;
pub(crate) mod reference;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use status::{desired_status, is_over};

use super::{arn, instance, tags};
use aws_api::ecs::values::{connectivity, health_status, launch_type, task_stop_code};
use aws_api::ecs::{self, Attribute, EphemeralStorage, TaskEphemeralStorage};
use aws_api::schema;
use model::ecs::{LaunchType, TaskFace};
use model::node::Node;
use model::snapshot::Versioned;
use model::unit::{Face, Health, Lifecycle, Placement, StopCause, Unit};
use model::{Snapshot, Timestamp};
use serde::Deserialize;

const ARCHITECTURE: &str = "ecs.cpu-architecture";
const ZONE: &str = "ecs.availability-zone";

/// Whether a request asked for the tags too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tags {
    Shown,
    Hidden,
}

/// The ECS document of a Unit.
pub(crate) fn face(unit: &Unit) -> &TaskFace {
    let Face::Ecs(face) = &unit.face;
    face
}

/// Fargate's tasks run on nodes that are no container instances.
pub(crate) fn on_fargate(face: &TaskFace) -> bool {
    face.launch_type == LaunchType::Fargate
}

/// A task as ECS shows it; `version` is how often its record was written.
pub(crate) fn convert(snapshot: &Snapshot, unit: &Unit, version: u64, with: Tags) -> ecs::Task {
    let face = face(unit);
    let fargate = on_fargate(face);
    let node = unit.placement.node().and_then(|id| snapshot.nodes.get(id));
    let task_arn = arn::task(&face.cluster, unit.name.short());
    let storage = face.ephemeral_storage_gib.and_then(|gib| i32::try_from(gib).ok());
    let observed = &unit.observed;
    let stop = stop(unit);
    let (connectivity, connectivity_at) = connectivity(unit, node);
    ecs::Task {
        attachments: Some(attachment::attachments(unit, face)),
        attributes: Some(architecture(node)),
        availability_zone: zone(snapshot, unit, node),
        capacity_provider_name: face.capacity_provider.clone(),
        cluster_arn: Some(arn::cluster(&face.cluster)),
        connectivity,
        connectivity_at,
        container_instance_arn: node
            .filter(|_| !fargate)
            .map(|node| arn::container_instance(&face.cluster, &instance::instance_id(&face.cluster, &node.id))),
        containers: Some(container::containers(snapshot, unit, face, &task_arn)),
        cpu: face.cpu.as_deref().map(str::to_owned),
        created_at: time(Some(unit.created_at)),
        desired_status: Some(desired_status(unit).to_owned()),
        enable_execute_command: Some(face.enable_execute_command),
        execution_stopped_at: time(observed.execution_stopped_at),
        group: Some(face.group.to_string()),
        health_status: Some(health(observed.health()).to_owned()),
        inference_accelerators: Some(Vec::new()),
        last_status: Some(status::last_status(unit, face).to_owned()),
        launch_type: Some(launch(face.launch_type).to_owned()),
        memory: face.memory.as_deref().map(str::to_owned),
        // The face was written from this very shape.
        overrides: ecs::TaskOverride::deserialize(&face.overrides).ok(),
        platform_version: face.platform_version.clone(),
        platform_family: fargate.then(|| "Linux".to_owned()),
        pull_started_at: time(observed.pull_started_at),
        pull_stopped_at: time(observed.pull_stopped_at),
        started_at: time(observed.started_at),
        started_by: face.started_by.as_deref().map(str::to_owned),
        stop_code: stop.map(|(cause, _)| stop_code(cause).to_owned()),
        stopped_at: time(status::stopped_at(unit)),
        stopped_reason: stop.map(|(_, reason)| reason.to_owned()),
        stopping_at: time(status::stopping_at(unit)),
        tags: Some(if with == Tags::Shown { tags::show(&face.tags) } else { Vec::new() }),
        task_arn: Some(task_arn),
        task_definition_arn: Some(arn::task_definition(&face.task_definition)),
        version: Some(i64::try_from(version).unwrap_or(i64::MAX)),
        ephemeral_storage: storage.map(|gib| EphemeralStorage { size_in_gi_b: Some(gib) }),
        fargate_ephemeral_storage: storage
            .filter(|_| fargate)
            .map(|gib| TaskEphemeralStorage { size_in_gi_b: Some(gib), kms_key_id: None }),
        trusted_execution_summary: None,
    }
}

/// Why it ended or is to end: what the node saw, else what somebody asked for.
fn stop(unit: &Unit) -> Option<(StopCause, &str)> {
    let seen = unit.observed.stop.as_ref().map(|stop| (stop.cause, stop.reason.as_str()));
    seen.or_else(|| unit.intent.stop.as_ref().map(|stop| (stop.by, stop.reason.as_str())))
}

fn stop_code(cause: StopCause) -> &'static str {
    match cause {
        StopCause::FailedToStart => task_stop_code::TASK_FAILED_TO_START,
        StopCause::EssentialContainerExited => task_stop_code::ESSENTIAL_CONTAINER_EXITED,
        StopCause::UserInitiated => task_stop_code::USER_INITIATED,
        StopCause::SchedulerInitiated => task_stop_code::SERVICE_SCHEDULER_INITIATED,
        StopCause::CapacityReclaimed => task_stop_code::SPOT_INTERRUPTION,
        StopCause::NodeFailure => task_stop_code::INFRASTRUCTURE_HEALTH,
    }
}

pub(crate) fn launch(launch_type: LaunchType) -> &'static str {
    match launch_type {
        LaunchType::Ec2 => launch_type::EC2,
        LaunchType::Fargate => launch_type::FARGATE,
        LaunchType::External => launch_type::EXTERNAL,
    }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => health_status::UNKNOWN,
        Health::Healthy => health_status::HEALTHY,
        Health::Unhealthy => health_status::UNHEALTHY,
    }
}

fn architecture(node: Option<&Versioned<Node>>) -> Vec<Attribute> {
    let value = node.and_then(|node| node.attributes.get(ARCHITECTURE)?.clone());
    let attribute = |value| Attribute { name: Some(ARCHITECTURE.to_owned()), value: Some(value), ..Default::default() };
    value.map(attribute).into_iter().collect()
}

/// A task with an address is where its subnet is, any other one where its node is.
fn zone(snapshot: &Snapshot, unit: &Unit, node: Option<&Versioned<Node>>) -> Option<String> {
    let subnet = attachment::subnet(unit).and_then(|subnet| {
        let network = snapshot.networks.get(&unit.name.cluster().scope)?;
        Some(network.subnet(subnet)?.zone.to_string())
    });
    subnet.or_else(|| node.and_then(|node| node.attributes.get(ZONE)?.clone()))
}

/// Whether the task's node answers. Since when is known only where it has answered ever since it got the task.
fn connectivity(unit: &Unit, node: Option<&Versioned<Node>>) -> (Option<String>, Option<schema::Timestamp>) {
    match (&unit.placement, node) {
        (Placement::Bound { at, .. }, Some(node)) if unit.observed.lifecycle > Lifecycle::Accepted => {
            match node.connected {
                true => (Some(connectivity::CONNECTED.to_owned()), time(Some(*at))),
                false => (Some(connectivity::DISCONNECTED.to_owned()), None),
            }
        }
        _ => (None, None),
    }
}

pub(crate) fn time(at: Option<Timestamp>) -> Option<schema::Timestamp> {
    at.map(|at| schema::Timestamp::from_millis(i64::try_from(at.unix_ms()).unwrap_or(i64::MAX)))
}
