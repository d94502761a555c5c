//! DeleteRetentionPolicy: events of a log group no longer end with time.

use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{DeleteRetentionPolicyInput, DeleteRetentionPolicyOutput};
use aws_protocol::ServiceError;

pub(super) async fn delete_retention_policy(
    context: Context,
    input: DeleteRetentionPolicyInput,
) -> Result<DeleteRetentionPolicyOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    let changed = group::change(&context, &name, |group| {
        group.retention_days = None;
        Ok(())
    });
    let uid = changed.await?.uid;
    group::on_disk(&context.frontend.logs, move |logs| logs.retain(&uid, 0)).await?;
    Ok(DeleteRetentionPolicyOutput {})
}
