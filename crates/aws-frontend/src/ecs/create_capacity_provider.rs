//! CreateCapacityProvider: a name for the cluster's own machines, as an Auto Scaling group would be; Managed Instances are refused.

use super::{capacity_provider, commit, errors, tags};
use crate::context::Context;
use aws_api::ecs::{CreateCapacityProviderInput, CreateCapacityProviderOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::CapacityProvider;
use std::sync::Arc;

pub(crate) async fn create_capacity_provider(
    context: Context,
    input: CreateCapacityProviderInput,
) -> Result<CreateCapacityProviderOutput, ServiceError> {
    let made = read(&context, &input)?;
    let id = (made.scope.clone(), made.name.clone());
    let (made, _) = commit::decide(context.records(), |snapshot, draft| {
        let seen = snapshot.capacity_providers.get(&id);
        if seen.is_some_and(|provider| provider.deleted_at.is_none()) {
            return Err(errors::client(
                "The specified capacity provider already exists. To change the configuration of an existing capacity provider, \
                 update the capacity provider.",
            ));
        }
        unique_group(snapshot, &made)?;
        draft.upsert(&id, seen, &made);
        Ok(made.clone())
    })
    .await?;
    Ok(CreateCapacityProviderOutput { capacity_provider: Some(capacity_provider::show(&made, true)) })
}

fn read(context: &Context, input: &CreateCapacityProviderInput) -> Result<CapacityProvider, ServiceError> {
    let name = input.name.as_deref().unwrap_or_default();
    capacity_provider::check_name(name)?;
    let group = match (&input.auto_scaling_group_provider, &input.managed_instances_provider) {
        (_, Some(_)) => return Err(capacity_provider::no_managed_instances()),
        (None, None) => return Err(errors::invalid_parameter("autoScalingGroupProvider is required.")),
        (Some(group), None) => group,
    };
    if input.cluster.as_deref().is_some_and(|cluster| !cluster.is_empty()) {
        return Err(errors::invalid_parameter(
            "cluster cannot be given with an autoScalingGroupProvider, which any cluster may use: associate it with \
             PutClusterCapacityProviders.",
        ));
    }
    if let Some(violation) = aws_protocol::validate(input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    Ok(CapacityProvider {
        scope: context.scope().clone(),
        name: Arc::from(name),
        cluster: None,
        document: capacity_provider::document(&capacity_provider::complete(group)?),
        created_at: context.now(),
        tags: tags::convert(input.tags.as_deref().unwrap_or_default())?,
        last_change: None,
        deleted_at: None,
    })
}

fn unique_group(snapshot: &Snapshot, made: &CapacityProvider) -> Result<(), ServiceError> {
    let arn = |provider: &CapacityProvider| capacity_provider::group(provider)?.auto_scaling_group_arn;
    let mut others = snapshot.capacity_providers.values().filter(|other| other.deleted_at.is_none());
    if others.any(|other| other.scope == made.scope && arn(other) == arn(made)) {
        return Err(errors::client(
            "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto \
             Scaling group ARN and try again.",
        ));
    }
    Ok(())
}
