//! UntagLogGroup: takes tags from a log group; UntagResource is its successor.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{UntagLogGroupInput, UntagLogGroupOutput};
use aws_protocol::ServiceError;

pub(super) async fn untag_log_group(
    context: Context,
    input: UntagLogGroupInput,
) -> Result<UntagLogGroupOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    tags::remove(&context, &name, input.tags.unwrap_or_default()).await?;
    Ok(UntagLogGroupOutput {})
}
