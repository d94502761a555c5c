//! ListTagsForResource: the tags of a resource by key; a stopped task, a deleted service and a deregistered instance still show theirs.

use super::tagged::Tagged;
use super::tags;
use crate::context::Context;
use aws_api::ecs::{ListTagsForResourceInput, ListTagsForResourceOutput};
use aws_protocol::ServiceError;

pub(crate) async fn list_tags_for_resource(
    context: Context,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ServiceError> {
    let snapshot = context.records().current();
    let resource = Tagged::find(&snapshot, context.scope(), input.resource_arn.as_deref())?;
    Ok(ListTagsForResourceOutput { tags: Some(tags::show(resource.tags())) })
}
