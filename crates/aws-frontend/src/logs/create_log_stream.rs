//! CreateLogStream: makes an empty log stream.

use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{CreateLogStreamInput, CreateLogStreamOutput};
use aws_protocol::ServiceError;

pub(super) async fn create_log_stream(
    context: Context,
    input: CreateLogStreamInput,
) -> Result<CreateLogStreamOutput, ServiceError> {
    errors::check(&input)?;
    let group = group::find(&context.frontend, input.log_group_name.as_deref().unwrap_or_default())?;
    let (uid, stream) = (group.uid.clone(), input.log_stream_name.unwrap_or_default());
    let now_ms = context.now().unix_ms() as i64;
    group::on_disk(&context.frontend.logs, move |logs| logs.create_stream(&uid, &stream, now_ms)).await?;
    Ok(CreateLogStreamOutput {})
}
