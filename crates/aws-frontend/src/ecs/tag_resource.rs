//! TagResource: adds tags to a resource and replaces those of the same key.

use super::tagged::Tagged;
use super::{commit, errors, tags};
use crate::context::Context;
use aws_api::ecs::{TagResourceInput, TagResourceOutput};
use aws_protocol::ServiceError;

pub(crate) async fn tag_resource(context: Context, input: TagResourceInput) -> Result<TagResourceOutput, ServiceError> {
    let added = tags::convert(input.tags.as_deref().unwrap_or_default())?;
    if added.is_empty() {
        return Err(errors::invalid_parameter("tags can not be empty."));
    }
    commit::decide(context.records(), |snapshot, draft| {
        let resource = Tagged::find(snapshot, context.scope(), input.resource_arn.as_deref())?;
        let mut next = resource.tags().clone();
        next.extend(added.clone());
        tags::check_count(&next)?;
        resource.write(snapshot, draft, next)
    })
    .await?;
    Ok(TagResourceOutput {})
}
