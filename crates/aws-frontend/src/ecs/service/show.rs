//! A service as ECS shows it: what was written, and what is counted and derived from one snapshot.

use super::deployments::{self, Set};
use super::{Status, configuration, counts, status, task_sets, word};
use crate::ecs::task::{Tags, launch, time};
use crate::ecs::{arn, capacity, intake, tags};
use aws_api::ecs;
use aws_api::ecs::values::{availability_zone_rebalancing, placement_constraint_type, placement_strategy_type};
use aws_api::ecs::values::{propagate_tags, resource_management_type};
use model::ecs::service::{Controller, ResolvedImage, SchedulingStrategy};
use model::ecs::{LaunchType, Service, ServiceRevision};
use model::unit::placement::BinpackBy;
use model::unit::{Constraint, Strategy};
use model::{ServiceId, Snapshot};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// ECS API, Service: the latest ones.
const EVENTS_MAX: usize = 100;
/// What a Fargate service shows that has not chosen.
const LATEST: &str = "LATEST";

pub(in crate::ecs) fn service(snapshot: &Snapshot, service: &Service, with: Tags) -> ecs::Service {
    let by_set = counts::by_set(snapshot, service);
    let total = counts::total(&by_set);
    let sets = deployments::sets(snapshot, service);
    let current = super::revision(snapshot, service).map(|revision| &*revision.value);
    let is_external = service.controller == Controller::External;
    ecs::Service {
        service_arn: Some(arn::service(&service.id)),
        service_name: Some(service.id.name.to_string()),
        cluster_arn: Some(arn::cluster(&service.id.cluster)),
        load_balancers: Some(Vec::new()),
        service_registries: Some(Vec::new()),
        status: Some(status_word(status(snapshot, service)).to_owned()),
        desired_count: i32::try_from(desired(service, &sets)).ok(),
        running_count: Some(saturated(total.running)),
        pending_count: Some(saturated(total.pending)),
        launch_type: current.and_then(launch_type),
        capacity_provider_strategy: current.and_then(providers),
        platform_version: current
            .filter(|revision| is_fargate(revision))
            .map(|revision| revision.platform_version.as_deref().unwrap_or(LATEST).to_owned()),
        platform_family: current.and_then(platform_family),
        task_definition: current.map(|revision| arn::task_definition(&revision.task_definition)),
        deployment_configuration: Some(configuration::show(&service.configuration, service.controller)),
        task_sets: is_external.then(|| task_sets::all(snapshot, service, &by_set, with)),
        deployments: Some(deployments::show(snapshot, service, &sets, &by_set)),
        role_arn: service.role.clone(),
        events: Some(events(snapshot, service)),
        created_at: time(Some(service.created_at)),
        current_service_deployment: service.deployment.as_deref().map(|id| arn::service_deployment(&service.id, id)),
        current_service_revisions: (!is_external).then(|| current_revisions(&service.id, &sets, &by_set)),
        placement_constraints: Some(service.constraints.iter().map(constraint).collect()),
        placement_strategy: Some(service.strategy.iter().map(strategy).collect()),
        network_configuration: current.and_then(network),
        health_check_grace_period_seconds: service.health_check_grace_s.and_then(|s| i32::try_from(s).ok()),
        scheduling_strategy: word(service.scheduling),
        deployment_controller: Some(ecs::DeploymentController { r#type: word(service.controller) }),
        tags: (with == Tags::Shown).then(|| tags::show(&service.tags)),
        created_by: Some(service.created_by.clone()),
        enable_ecs_managed_tags: Some(service.enable_managed_tags),
        propagate_tags: Some(service.propagate_tags.and_then(word).unwrap_or_else(|| propagate_tags::NONE.to_owned())),
        enable_execute_command: Some(service.enable_execute_command),
        availability_zone_rebalancing: Some(
            match service.zone_rebalancing {
                true => availability_zone_rebalancing::ENABLED,
                false => availability_zone_rebalancing::DISABLED,
            }
            .to_owned(),
        ),
        resource_management_type: Some(resource_management_type::CUSTOMER.to_owned()),
    }
}

/// A revision as DescribeServiceRevisions shows it.
pub(in crate::ecs) fn revision(revision: &ServiceRevision) -> ecs::ServiceRevision {
    let image = |image: &ResolvedImage| ecs::ContainerImage {
        container_name: Some(image.container.to_string()),
        image_digest: Some(image.digest.to_string()),
        image: Some(image.image.to_string()),
    };
    ecs::ServiceRevision {
        service_revision_arn: Some(arn::service_revision(&revision.service, &revision.number)),
        service_arn: Some(arn::service(&revision.service)),
        cluster_arn: Some(arn::cluster(&revision.service.cluster)),
        task_definition: Some(arn::task_definition(&revision.task_definition)),
        capacity_provider_strategy: providers(revision),
        launch_type: launch_type(revision),
        platform_version: platform_version(revision),
        platform_family: platform_family(revision),
        network_configuration: network(revision),
        container_images: Some(revision.images.iter().map(image).collect()),
        guard_duty_enabled: Some(false),
        created_at: time(Some(revision.created_at)),
        ..Default::default()
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE",
        Status::Draining => "DRAINING",
        Status::Inactive => "INACTIVE",
    }
}

/// Of a daemon as many as its scheduler found instances for.
fn desired(service: &Service, sets: &[Set]) -> u32 {
    match service.scheduling {
        SchedulingStrategy::Replica => service.desired_count,
        SchedulingStrategy::Daemon => sets.first().map_or(0, |primary| primary.desired),
    }
}

/// The newest first.
fn events(snapshot: &Snapshot, service: &Service) -> Vec<ecs::ServiceEvent> {
    let range = (service.id.clone(), 0)..=(service.id.clone(), u64::MAX);
    let of_it = snapshot.service_events.range(range).rev().map(|(_, event)| &event.value);
    let shown = of_it.filter(|event| event.service_uid == service.uid).take(EVENTS_MAX);
    shown
        .map(|event| ecs::ServiceEvent {
            id: Some(event.id.to_string()),
            created_at: time(Some(event.at)),
            message: Some(event.message.clone()),
        })
        .collect()
}

/// One for each revision that has a set, in the order of the sets.
fn current_revisions(
    service: &ServiceId,
    sets: &[Set],
    counts: &BTreeMap<Arc<str>, counts::Counts>,
) -> Vec<ecs::ServiceCurrentRevisionSummary> {
    let is_first = |place: usize| sets[..place].iter().all(|before| before.revision != sets[place].revision);
    let revisions = (0..sets.len()).filter(|place| is_first(*place)).map(|place| &sets[place].revision);
    revisions
        .map(|number| {
            let (desired, counts) = deployments::of_revision(sets, counts, number);
            ecs::ServiceCurrentRevisionSummary {
                arn: Some(arn::service_revision(service, number)),
                requested_task_count: i32::try_from(desired).ok(),
                running_task_count: Some(saturated(counts.running)),
                pending_task_count: Some(saturated(counts.pending)),
            }
        })
        .collect()
}

/// None where a strategy stands for it.
pub(super) fn launch_type(revision: &ServiceRevision) -> Option<String> {
    revision.capacity.is_empty().then(|| launch(revision.launch_type).to_owned())
}

/// None where a launch type stands for the strategy.
pub(super) fn providers(revision: &ServiceRevision) -> Option<Vec<ecs::CapacityProviderStrategyItem>> {
    (!revision.capacity.is_empty()).then(|| capacity::show(&revision.capacity))
}

fn is_fargate(revision: &ServiceRevision) -> bool {
    revision.launch_type == LaunchType::Fargate
}

/// The version that the tasks get.
pub(super) fn platform_version(revision: &ServiceRevision) -> Option<String> {
    intake::platform(revision.launch_type, revision.platform_version.as_deref()).ok().flatten()
}

pub(super) fn platform_family(revision: &ServiceRevision) -> Option<String> {
    is_fargate(revision).then(|| "Linux".to_owned())
}

pub(super) fn network(revision: &ServiceRevision) -> Option<ecs::NetworkConfiguration> {
    let stored = revision.network.as_ref()?;
    ecs::NetworkConfiguration::deserialize(stored)
        .inspect_err(|error| tracing::error!(%error, "a stored network configuration is unreadable"))
        .ok()
}

fn constraint(stored: &Constraint) -> ecs::PlacementConstraint {
    let (kind, expression) = match stored {
        Constraint::DistinctInstance => (placement_constraint_type::DISTINCT_INSTANCE, None),
        Constraint::MemberOf { expression } => (placement_constraint_type::MEMBER_OF, Some(expression.clone())),
    };
    ecs::PlacementConstraint { r#type: Some(kind.to_owned()), expression }
}

/// ECS shows a host as an instance's id, and what is packed in capitals.
fn strategy(stored: &Strategy) -> ecs::PlacementStrategy {
    let (kind, field) = match stored {
        Strategy::Random => (placement_strategy_type::RANDOM, None),
        Strategy::Spread { field } if field == "host" => (placement_strategy_type::SPREAD, Some("instanceId")),
        Strategy::Spread { field } => (placement_strategy_type::SPREAD, Some(field.as_str())),
        Strategy::Binpack { by: BinpackBy::Cpu } => (placement_strategy_type::BINPACK, Some("CPU")),
        Strategy::Binpack { by: BinpackBy::Memory } => (placement_strategy_type::BINPACK, Some("MEMORY")),
    };
    ecs::PlacementStrategy { r#type: Some(kind.to_owned()), field: field.map(str::to_owned) }
}

pub(super) fn saturated(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
