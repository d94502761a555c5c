//! Capacity providers as the operations on them see one: found by its name, checked, shown; and what uses it.
//!
//! FARGATE and FARGATE_SPOT are always there and have no record. Every other one stands for an Auto Scaling group, of which there
//! is none here: it gives the machines that the cluster shows as container instances, and launches nothing.

mod group;
#[cfg(test)]
mod tests;

pub(super) use group::{complete, merge};

use super::{arn, capacity, cluster, errors, tags, task};
use aws_api::ecs::{self, AutoScalingGroupProvider, values};
use aws_protocol::ServiceError;
use model::ecs::capacity::{FARGATE, FARGATE_SPOT};
use model::ecs::{CapacityProvider, Cluster, ClusterStatus, ProviderChange};
use model::snapshot::Versioned;
use model::{Scope, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

/// ECS API, CreateCapacityProvider.
const NAME_MAX: usize = 255;
const RESERVED: [&str; 3] = ["aws", "ecs", "fargate"];
/// Under this name a provider's document holds what is echoed.
const GROUP: &str = "autoScalingGroupProvider";

pub(super) fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let reserved = RESERVED.iter().any(|word| name.to_ascii_lowercase().starts_with(word));
    if plain && !reserved && (1..=NAME_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!(
        "The capacity provider name '{name:.300}' is not valid. It can have up to {NAME_MAX} letters, digits, underscores and \
         hyphens, and cannot begin with aws, ecs or fargate."
    )))
}

/// Bayplan launches no machines of its own.
pub(super) fn no_managed_instances() -> ServiceError {
    errors::unsupported(
        "Managed Instances capacity providers are not supported: Bayplan launches no machines. Use an autoScalingGroupProvider, \
         which gives the cluster's own container instances.",
    )
}

/// The name in a reference, which may be an ARN.
pub(super) fn name<'a>(scope: &Scope, reference: Option<&'a str>) -> Result<&'a str, ServiceError> {
    let reference = reference.filter(|reference| !reference.is_empty());
    let reference = reference.ok_or_else(|| errors::invalid_parameter("Capacity provider can not be blank."))?;
    arn::resource(scope, "capacity-provider", reference).map_err(|_| not_found())
}

/// The provider that somebody made and nobody deleted.
pub(super) fn active<'a>(
    snapshot: &'a Snapshot,
    scope: &Scope,
    name: &str,
) -> Result<&'a Versioned<CapacityProvider>, ServiceError> {
    let found = snapshot.capacity_providers.get(&(scope.clone(), Arc::from(name)));
    found.filter(|provider| provider.deleted_at.is_none()).ok_or_else(not_found)
}

fn not_found() -> ServiceError {
    errors::client("The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
}

pub(super) fn document(group: &AutoScalingGroupProvider) -> Value {
    json!({ GROUP: group })
}

/// What a provider says of its group; it was written from the same shape.
pub(super) fn group(provider: &CapacityProvider) -> Option<AutoScalingGroupProvider> {
    let group = provider.document.get(GROUP)?.clone();
    serde_json::from_value(group)
        .inspect_err(|error| tracing::error!(%error, "a stored capacity provider is unreadable"))
        .ok()
}

/// A provider as ECS shows it.
pub(super) fn show(provider: &CapacityProvider, with_tags: bool) -> ecs::CapacityProvider {
    use values::capacity_provider_update_status as update;
    let active = provider.deleted_at.is_none();
    let (update_status, reason) = match &provider.last_change {
        None => (None, None),
        Some(ProviderChange::Updated) => (Some(update::UPDATE_COMPLETE), None),
        Some(ProviderChange::Deleted) => (Some(update::DELETE_COMPLETE), None),
        Some(ProviderChange::DeleteRefused { reason }) => (Some(update::DELETE_FAILED), Some(reason.clone())),
    };
    ecs::CapacityProvider {
        capacity_provider_arn: Some(arn::capacity_provider(&provider.scope, &provider.name)),
        name: Some(provider.name.to_string()),
        status: Some(if active { "ACTIVE" } else { "INACTIVE" }.to_owned()),
        auto_scaling_group_provider: group(provider),
        update_status: update_status.map(str::to_owned),
        update_status_reason: reason,
        tags: Some(if with_tags { tags::show(&provider.tags) } else { Vec::new() }),
        r#type: Some(values::capacity_provider_type::EC2_AUTOSCALING.to_owned()),
        ..Default::default()
    }
}

/// One of the two that are always there; None for any other name.
pub(super) fn built_in(scope: &Scope, name: &str) -> Option<ecs::CapacityProvider> {
    let kind = match name {
        FARGATE => values::capacity_provider_type::FARGATE,
        FARGATE_SPOT => values::capacity_provider_type::FARGATE_SPOT,
        _ => return None,
    };
    Some(ecs::CapacityProvider {
        capacity_provider_arn: Some(arn::capacity_provider(scope, name)),
        name: Some(name.to_owned()),
        status: Some("ACTIVE".to_owned()),
        tags: Some(Vec::new()),
        r#type: Some(kind.to_owned()),
        ..Default::default()
    })
}

/// Why a provider cannot be deleted: a cluster has it.
pub(super) fn holder(snapshot: &Snapshot, provider: &CapacityProvider) -> Option<String> {
    let mut clusters = snapshot.clusters.values().filter(|cluster| cluster.id.scope == provider.scope);
    let holder = clusters.find(|cluster| {
        cluster.status == ClusterStatus::Active
            && cluster.capacity_providers.iter().any(|name| **name == *provider.name)
    })?;
    Some(format!(
        "The capacity provider cannot be deleted because it is associated with cluster: {}. Remove the capacity provider from \
         the cluster and try again.",
        holder.id.name
    ))
}

/// Whether a task that is not over came from a cluster's provider, or a service that was not deleted names it.
pub(super) fn in_use(snapshot: &Snapshot, cluster: &Cluster, provider: &str) -> bool {
    let mut live = snapshot.units_of_cluster(&cluster.id).filter(|(_, unit)| cluster::is_live(unit));
    live.any(|(_, unit)| task::face(unit).capacity_provider.as_deref() == Some(provider))
        || named_by_service(snapshot, cluster, provider)
}

/// Of a service those revisions count that it runs, is to run, or has a task set of.
fn named_by_service(snapshot: &Snapshot, cluster: &Cluster, provider: &str) -> bool {
    let of_cluster = |id: &model::ServiceId| id.cluster == cluster.id;
    let active = snapshot.services.iter().filter(|(id, service)| of_cluster(id) && service.deleted_at.is_none());
    let names = |id: &model::ServiceId, number: &Arc<str>| {
        let revision = snapshot.service_revisions.get(&(id.clone(), number.clone()));
        revision.is_some_and(|revision| revision.capacity.iter().any(|item| item.provider == provider))
    };
    active.into_iter().any(|(id, service)| {
        let deployment = service.deployment.clone().and_then(|of| snapshot.deployments.get(&(id.clone(), of)));
        let state = snapshot.service_states.get(id).filter(|state| state.service_uid == service.uid);
        let sets = snapshot.task_sets.iter().filter(|((of, _), set)| of == id && set.deleted_at.is_none());
        deployment.is_some_and(|deployment| names(id, &deployment.target))
            || state.is_some_and(|state| state.sets.iter().any(|set| names(id, &set.revision)))
            || sets.into_iter().any(|(_, set)| names(id, &set.value.revision))
    })
}

/// Whether a task waits for room that a provider does not have: with managed scaling ECS would launch machines for it.
pub(super) fn waits_for_room(snapshot: &Snapshot, scope: &Scope, provider: &str) -> bool {
    if capacity::is_fargate(provider) {
        return false;
    }
    let found = snapshot.capacity_providers.get(&(scope.clone(), Arc::from(provider)));
    let scaling = found.and_then(|provider| group(provider)?.managed_scaling?.status);
    scaling.as_deref() == Some(values::managed_scaling_status::ENABLED)
}
