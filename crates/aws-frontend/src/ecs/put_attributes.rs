//! PutAttributes: sets custom attributes of container instances, all or none.

use super::task::reference;
use super::{attributes, commit};
use crate::context::Context;
use aws_api::ecs::{PutAttributesInput, PutAttributesOutput, errors as shapes};
use aws_protocol::ServiceError;
use model::ecs::Membership;

pub(crate) async fn put_attributes(
    context: Context,
    input: PutAttributesInput,
) -> Result<PutAttributesOutput, ServiceError> {
    let asked = input.attributes.unwrap_or_default();
    let (shown, _) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let targets = attributes::targets(snapshot, &cluster.id, &asked)?;
        let mut memberships = attributes::memberships(snapshot, &cluster.id, &targets);
        for target in &targets {
            let membership = memberships.get_mut(&target.node).expect("every target's membership is in the map");
            membership.attributes.insert(target.name.clone(), target.value.clone());
        }
        draft.expect(&cluster.id, cluster);
        for (node, membership) in &memberships {
            check_count(membership)?;
            let key = (cluster.id.clone(), node.clone());
            draft.upsert(&key, snapshot.memberships.get(&key), membership);
        }
        Ok(attributes::show(&cluster.id, targets))
    })
    .await?;
    Ok(PutAttributesOutput { attributes: Some(shown) })
}

fn check_count(membership: &Membership) -> Result<(), ServiceError> {
    let (count, max) = (membership.attributes.len(), attributes::ATTRIBUTES_MAX);
    if count <= max {
        return Ok(());
    }
    let message = format!("A container instance can have at most {max} custom attributes, not {count}.");
    Err(ServiceError::of(&shapes::ATTRIBUTE_LIMIT_EXCEEDED, message))
}
