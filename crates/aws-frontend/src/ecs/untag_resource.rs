//! UntagResource: takes tags of a resource away by their keys; a key that it does not have is no error.

use super::tagged::Tagged;
use super::{commit, errors, tags};
use crate::context::Context;
use aws_api::ecs::{UntagResourceInput, UntagResourceOutput};
use aws_protocol::ServiceError;

pub(crate) async fn untag_resource(
    context: Context,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, ServiceError> {
    let keys = input.tag_keys.unwrap_or_default();
    if keys.is_empty() {
        return Err(errors::invalid_parameter("tagKeys can not be empty."));
    }
    for key in &keys {
        tags::check_key(key)?;
    }
    commit::decide(context.records(), |snapshot, draft| {
        let resource = Tagged::find(snapshot, context.scope(), input.resource_arn.as_deref())?;
        let mut next = resource.tags().clone();
        next.retain(|key, _| !keys.contains(key));
        resource.write(snapshot, draft, next)
    })
    .await?;
    Ok(UntagResourceOutput {})
}
