//! DeleteLogGroup: deletes a log group, its streams and all their events.

use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{DeleteLogGroupInput, DeleteLogGroupOutput};
use aws_protocol::ServiceError;
use records::{CommitError, Draft};
use std::sync::Arc;

pub(super) async fn delete_log_group(
    context: Context,
    input: DeleteLogGroupInput,
) -> Result<DeleteLogGroupOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    let seen = group::find(&context.frontend, &name)?;
    let mut draft = Draft::new();
    draft.delete(&(context.scope().clone(), Arc::from(name.as_str())), &seen);
    match context.records().commit(draft).await {
        Ok(_) => {}
        Err(CommitError::Conflict) => return Err(errors::aborted()),
        Err(error) => return Err(errors::store(error)),
    }
    // A crash before this leaves a folder that no record names: `sweep` takes it away.
    let uid = seen.uid.clone();
    group::on_disk(&context.frontend.logs, move |logs| logs.delete_group(&uid)).await?;
    Ok(DeleteLogGroupOutput {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};

    #[tokio::test]
    async fn a_group_made_anew_does_not_show_what_the_old_one_held() {
        let context = context().await;
        let delete = || delete_log_group(context.clone(), DeleteLogGroupInput { log_group_name: Some("g".to_owned()) });
        assert_eq!(delete().await.unwrap_err().message, "The specified log group does not exist.");
        testing::make_stream(&context, "g", "s").await;
        testing::put(&context, "g", "s", &[(NOW.unix_ms() as i64, "old")]).await.unwrap();
        delete().await.unwrap();
        let gone = testing::put(&context, "g", "s", &[(NOW.unix_ms() as i64, "late")]).await.unwrap_err();
        assert_eq!(gone.code, "ResourceNotFoundException");
        testing::make_stream(&context, "g", "s").await;
        assert!(testing::messages(&context, "g", "s").await.is_empty());
        assert_eq!(context.frontend.logs.groups_on_disk().unwrap().len(), 1);
    }
}
