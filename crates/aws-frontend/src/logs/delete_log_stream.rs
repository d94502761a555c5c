//! DeleteLogStream: deletes a log stream with all its events.

use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{DeleteLogStreamInput, DeleteLogStreamOutput};
use aws_protocol::ServiceError;

pub(super) async fn delete_log_stream(
    context: Context,
    input: DeleteLogStreamInput,
) -> Result<DeleteLogStreamOutput, ServiceError> {
    errors::check(&input)?;
    let group = group::find(&context.frontend, input.log_group_name.as_deref().unwrap_or_default())?;
    let (uid, stream) = (group.uid.clone(), input.log_stream_name.unwrap_or_default());
    group::on_disk(&context.frontend.logs, move |logs| logs.delete_stream(&uid, &stream)).await?;
    Ok(DeleteLogStreamOutput {})
}
