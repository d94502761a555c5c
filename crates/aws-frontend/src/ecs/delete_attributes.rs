//! DeleteAttributes: takes custom attributes of container instances away, all or none.

use super::task::reference;
use super::{attributes, commit};
use crate::context::Context;
use aws_api::ecs::{DeleteAttributesInput, DeleteAttributesOutput};
use aws_protocol::ServiceError;

/// Answers with what was taken away. A value in the request names the attribute only with that value; one that the
/// instance does not have is nothing to take away, and no error.
pub(crate) async fn delete_attributes(
    context: Context,
    input: DeleteAttributesInput,
) -> Result<DeleteAttributesOutput, ServiceError> {
    let asked = input.attributes.unwrap_or_default();
    let (shown, _) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let mut targets = attributes::targets(snapshot, &cluster.id, &asked)?;
        let mut memberships = attributes::memberships(snapshot, &cluster.id, &targets);
        targets.retain_mut(|target| {
            let membership = memberships.get_mut(&target.node).expect("every target's membership is in the map");
            let found = membership.attributes.get(&target.name);
            if !found.is_some_and(|value| target.value.is_none() || *value == target.value) {
                return false;
            }
            target.value = membership.attributes.remove(&target.name).flatten();
            true
        });
        if !targets.is_empty() {
            draft.expect(&cluster.id, cluster);
        }
        for (node, membership) in &memberships {
            let key = (cluster.id.clone(), node.clone());
            if let Some(seen) = snapshot.memberships.get(&key).filter(|seen| *seen.value != *membership) {
                draft.update(&key, seen, membership);
            }
        }
        Ok(attributes::show(&cluster.id, targets))
    })
    .await?;
    Ok(DeleteAttributesOutput { attributes: Some(shown) })
}
