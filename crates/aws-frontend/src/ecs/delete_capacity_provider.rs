//! DeleteCapacityProvider: the provider is INACTIVE from then on and describable for a day, unless a cluster has it.

use super::{capacity_provider, commit, errors};
use crate::context::Context;
use aws_api::ecs::{DeleteCapacityProviderInput, DeleteCapacityProviderOutput};
use aws_protocol::ServiceError;
use model::ecs::{CapacityProvider, ProviderChange};

/// Deletes a provider that no cluster has, and so no service either.
///
/// For one that a cluster has ECS answers no error: the provider stays ACTIVE, and its updateStatus DELETE_FAILED says why.
pub(crate) async fn delete_capacity_provider(
    context: Context,
    input: DeleteCapacityProviderInput,
) -> Result<DeleteCapacityProviderOutput, ServiceError> {
    let scope = context.scope();
    let name = capacity_provider::name(scope, input.capacity_provider.as_deref())?;
    if capacity_provider::built_in(scope, name).is_some() {
        return Err(errors::invalid_parameter(format!(
            "The capacity provider {name} is reserved and cannot be deleted."
        )));
    }
    let (deleted, _) = commit::decide(context.records(), |snapshot, draft| {
        // A cluster that is to have it meanwhile expects the provider to be as it was: one of the two commits fails.
        let seen = capacity_provider::active(snapshot, scope, name)?;
        let next = match capacity_provider::holder(snapshot, seen) {
            Some(reason) => CapacityProvider {
                last_change: Some(ProviderChange::DeleteRefused { reason }),
                ..(*seen.value).clone()
            },
            None => CapacityProvider {
                last_change: Some(ProviderChange::Deleted),
                deleted_at: Some(context.now()),
                ..(*seen.value).clone()
            },
        };
        draft.update(&(seen.scope.clone(), seen.name.clone()), seen, &next);
        Ok(next)
    })
    .await?;
    Ok(DeleteCapacityProviderOutput { capacity_provider: Some(capacity_provider::show(&deleted, true)) })
}
