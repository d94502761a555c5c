//! TagResource: sets tags of the log group with an ARN.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{TagResourceInput, TagResourceOutput};
use aws_protocol::ServiceError;

pub(super) async fn tag_resource(context: Context, input: TagResourceInput) -> Result<TagResourceOutput, ServiceError> {
    errors::check(&input)?;
    let name = tags::resource(&context, input.resource_arn.as_deref())?;
    tags::add(&context, name, input.tags.unwrap_or_default()).await?;
    Ok(TagResourceOutput {})
}
