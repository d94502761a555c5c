//! ListTagsLogGroup: the tags of a log group; ListTagsForResource is its successor.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{ListTagsLogGroupInput, ListTagsLogGroupOutput};
use aws_protocol::ServiceError;

pub(super) async fn list_tags_log_group(
    context: Context,
    input: ListTagsLogGroupInput,
) -> Result<ListTagsLogGroupOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    Ok(ListTagsLogGroupOutput { tags: Some(tags::of(&context, &name)?) })
}
