//! PutClusterCapacityProviders: replaces a cluster's providers and its default strategy, both at once.

use super::describe_clusters::{Parts, convert};
use super::task::reference as named;
use super::{capacity, capacity_provider, commit, errors};
use crate::context::Context;
use aws_api::ecs::{PutClusterCapacityProvidersInput, PutClusterCapacityProvidersOutput, errors as shapes};
use aws_protocol::ServiceError;
use model::ecs::Cluster;

pub(crate) async fn put_cluster_capacity_providers(
    context: Context,
    input: PutClusterCapacityProvidersInput,
) -> Result<PutClusterCapacityProvidersOutput, ServiceError> {
    let required = |name: &str| errors::invalid_parameter(format!("{name} is required; it may be an empty list."));
    let reference = input.cluster.as_deref().filter(|reference| !reference.is_empty());
    let reference = reference.ok_or_else(|| errors::invalid_parameter("Cluster can not be blank."))?;
    let providers = input.capacity_providers.ok_or_else(|| required("capacityProviders"))?;
    let strategy = input.default_capacity_provider_strategy;
    let strategy = strategy.ok_or_else(|| required("defaultCapacityProviderStrategy"))?;
    let providers = capacity::providers(&providers)?;
    let strategy = capacity::strategy(&strategy, &providers)?;
    let (updated, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let seen = named::cluster(snapshot, context.scope(), Some(reference))?;
        let mut removed = seen.capacity_providers.iter().filter(|old| !providers.contains(old));
        if removed.any(|provider| capacity_provider::in_use(snapshot, seen, provider)) {
            let message = "The specified capacity provider is in use and cannot be removed.";
            return Err(ServiceError::of(&shapes::RESOURCE_IN_USE, message));
        }
        capacity::keep(snapshot, draft, context.scope(), &providers)?;
        let updated = Cluster {
            capacity_providers: providers.clone(),
            default_strategy: strategy.clone(),
            ..(*seen.value).clone()
        };
        draft.update(&seen.id, seen, &updated);
        Ok(updated)
    })
    .await?;
    Ok(PutClusterCapacityProvidersOutput { cluster: Some(convert(&snapshot, &updated, Parts::WRITTEN)) })
}
