//! GetCallerIdentity: who calls; the one operation that everybody with credentials may use.

use crate::context::Context;
use aws_api::sts::{GetCallerIdentityInput, GetCallerIdentityOutput};
use aws_protocol::ServiceError;

pub(crate) async fn get_caller_identity(
    context: Context,
    _input: GetCallerIdentityInput,
) -> Result<GetCallerIdentityOutput, ServiceError> {
    let caller = &context.caller;
    Ok(GetCallerIdentityOutput {
        user_id: Some(caller.user_id.to_string()),
        account: Some(caller.account.to_string()),
        arn: Some(caller.arn.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Caller, Identity};
    use crate::testing;

    #[tokio::test]
    async fn the_root_hears_its_account_as_its_id() {
        let context = testing::context().await;
        let answer = get_caller_identity(context, GetCallerIdentityInput {}).await.unwrap();
        assert_eq!(answer.user_id.as_deref(), Some("000000000000"));
        assert_eq!(answer.account.as_deref(), Some("000000000000"));
        assert_eq!(answer.arn.as_deref(), Some("arn:aws:iam::000000000000:root"));
    }

    #[tokio::test]
    async fn a_tasks_role_hears_its_session() {
        let mut context = testing::context().await;
        let arn = "arn:aws:sts::000000000000:assumed-role/app/00ff";
        context.caller =
            Caller { arn: arn.into(), user_id: "AROAX:00ff".into(), identity: Identity::TaskRole, ..testing::root() };
        let answer = get_caller_identity(context, GetCallerIdentityInput {}).await.unwrap();
        assert_eq!((answer.arn.as_deref(), answer.user_id.as_deref()), (Some(arn), Some("AROAX:00ff")));
    }
}
