//! PutRetentionPolicy: after how many days events of a log group end; they are hidden at once and deleted by `sweep`.

use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{PutRetentionPolicyInput, PutRetentionPolicyOutput};
use aws_protocol::ServiceError;

/// CloudWatch Logs API: PutRetentionPolicy.
const DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) async fn put_retention_policy(
    context: Context,
    input: PutRetentionPolicyInput,
) -> Result<PutRetentionPolicyOutput, ServiceError> {
    errors::check(&input)?;
    let days = input.retention_in_days.unwrap_or_default();
    if !DAYS.contains(&days) {
        let message = format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {DAYS:?}"
        );
        return Err(errors::invalid(message));
    }
    let name = input.log_group_name.unwrap_or_default();
    group::change(&context, &name, |group| {
        group.retention_days = Some(days.unsigned_abs());
        Ok(())
    })
    .await?;
    Ok(PutRetentionPolicyOutput {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::delete_retention_policy::delete_retention_policy;
    use crate::logs::group::find;
    use crate::logs::testing;
    use crate::testing::context;

    #[tokio::test]
    async fn retention_is_one_of_the_known_numbers_of_days_and_can_be_taken_away() {
        let context = context().await;
        testing::make_group(&context, "g").await;
        let put = |days| {
            let input = PutRetentionPolicyInput { log_group_name: Some("g".to_owned()), retention_in_days: Some(days) };
            put_retention_policy(context.clone(), input)
        };
        put(14).await.unwrap();
        assert_eq!(find(&context.frontend, "g").unwrap().retention_days, Some(14));
        for days in [0, -1, 2, 4000] {
            assert_eq!(put(days).await.unwrap_err().code, "InvalidParameterException", "{days}");
        }
        let input = aws_api::logs::DeleteRetentionPolicyInput { log_group_name: Some("g".to_owned()) };
        delete_retention_policy(context.clone(), input).await.unwrap();
        assert_eq!(find(&context.frontend, "g").unwrap().retention_days, None);
    }

    #[tokio::test]
    async fn events_beyond_the_retention_are_not_shown() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        let now_ms = crate::testing::NOW.unix_ms() as i64;
        testing::put(&context, "g", "s", &[(now_ms - 2 * group::DAY_MS, "old")]).await.unwrap();
        testing::put(&context, "g", "s", &[(now_ms, "new")]).await.unwrap();
        assert_eq!(testing::messages(&context, "g", "s").await, ["old", "new"]);
        let input = PutRetentionPolicyInput { log_group_name: Some("g".to_owned()), retention_in_days: Some(1) };
        put_retention_policy(context.clone(), input).await.unwrap();
        assert_eq!(testing::messages(&context, "g", "s").await, ["new"]);
    }
}
