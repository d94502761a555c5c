//! ListTagsForResource: the tags of the log group with an ARN.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{ListTagsForResourceInput, ListTagsForResourceOutput};
use aws_protocol::ServiceError;

pub(super) async fn list_tags_for_resource(
    context: Context,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ServiceError> {
    errors::check(&input)?;
    let name = tags::resource(&context, input.resource_arn.as_deref())?;
    Ok(ListTagsForResourceOutput { tags: Some(tags::of(&context, name)?) })
}
