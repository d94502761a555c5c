//! UpdateCapacityProvider: replaces what the request names of a provider's document; it takes effect at once.

use super::{capacity_provider, commit, errors};
use crate::context::Context;
use aws_api::ecs::{UpdateCapacityProviderInput, UpdateCapacityProviderOutput};
use aws_protocol::ServiceError;
use model::ecs::{CapacityProvider, ProviderChange};

pub(crate) async fn update_capacity_provider(
    context: Context,
    input: UpdateCapacityProviderInput,
) -> Result<UpdateCapacityProviderOutput, ServiceError> {
    let scope = context.scope();
    let name = capacity_provider::name(scope, input.name.as_deref())?;
    if input.managed_instances_provider.is_some() {
        return Err(capacity_provider::no_managed_instances());
    }
    if capacity_provider::built_in(scope, name).is_some() {
        return Err(errors::invalid_parameter(format!(
            "The capacity provider {name} is reserved and cannot be updated."
        )));
    }
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let change = input.auto_scaling_group_provider.as_ref();
    let change = change.ok_or_else(|| errors::invalid_parameter("autoScalingGroupProvider is required."))?;
    let (updated, _) = commit::decide(context.records(), |snapshot, draft| {
        let seen = capacity_provider::active(snapshot, scope, name)?;
        let group = capacity_provider::merge(capacity_provider::group(seen).unwrap_or_default(), change)?;
        let updated = CapacityProvider {
            document: capacity_provider::document(&group),
            last_change: Some(ProviderChange::Updated),
            ..(*seen.value).clone()
        };
        draft.update(&(seen.scope.clone(), seen.name.clone()), seen, &updated);
        Ok(updated)
    })
    .await?;
    Ok(UpdateCapacityProviderOutput { capacity_provider: Some(capacity_provider::show(&updated, true)) })
}
