//! UntagResource: takes tags from the log group with an ARN.

use super::{errors, tags};
use crate::context::Context;
use aws_api::logs::{UntagResourceInput, UntagResourceOutput};
use aws_protocol::ServiceError;

pub(super) async fn untag_resource(
    context: Context,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, ServiceError> {
    errors::check(&input)?;
    let name = tags::resource(&context, input.resource_arn.as_deref())?;
    tags::remove(&context, name, input.tag_keys.unwrap_or_default()).await?;
    Ok(UntagResourceOutput {})
}
