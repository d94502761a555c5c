//! TagLogGroup: sets tags of a log group; TagResource is its successor.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{TagLogGroupInput, TagLogGroupOutput};
use aws_protocol::ServiceError;

pub(super) async fn tag_log_group(
    context: Context,
    input: TagLogGroupInput,
) -> Result<TagLogGroupOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    tags::add(&context, &name, input.tags.unwrap_or_default()).await?;
    Ok(TagLogGroupOutput {})
}
