//! CreateLogGroup: makes an empty log group.

use super::{arn, errors, group, tags};
use crate::context::Context;
use aws_api::logs::{CreateLogGroupInput, CreateLogGroupOutput};
use aws_protocol::ServiceError;
use model::logs::LogGroup;

pub(super) async fn create_log_group(
    context: Context,
    input: CreateLogGroupInput,
) -> Result<CreateLogGroupOutput, ServiceError> {
    errors::check(&input)?;
    let name = input.log_group_name.unwrap_or_default();
    if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/")) {
        return Err(errors::invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    if input.kms_key_id.is_some() {
        let arn = arn::group(context.scope(), &name);
        let message = format!(
            "The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'. Bayplan has no KMS yet."
        );
        return Err(errors::invalid(message));
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(errors::invalid("Bayplan does not protect log groups from deletion yet."));
    }
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let fresh = LogGroup { tags, class: input.log_group_class, ..group::fresh(&name, context.now()) };
    group::create(&context.frontend, &fresh).await?;
    Ok(CreateLogGroupOutput {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;

    fn named(name: &str) -> CreateLogGroupInput {
        CreateLogGroupInput { log_group_name: Some(name.to_owned()), ..Default::default() }
    }

    #[tokio::test]
    async fn a_group_is_made_once() {
        let context = context().await;
        create_log_group(context.clone(), named("/ecs/web")).await.unwrap();
        let error = create_log_group(context.clone(), named("/ecs/web")).await.unwrap_err();
        assert_eq!(error.code, "ResourceAlreadyExistsException");
        assert_eq!(error.message, "The specified log group already exists");
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_refused_and_nothing_is_stored() {
        let context = context().await;
        let tag = |key: &str| Some([(key.to_owned(), "v".to_owned())].into());
        for input in [
            named(""),
            named("a b"),
            named(&"x".repeat(513)),
            named("aws/x"),
            CreateLogGroupInput::default(),
            CreateLogGroupInput { kms_key_id: Some("arn:aws:kms:…".to_owned()), ..named("g") },
            CreateLogGroupInput { deletion_protection_enabled: Some(true), ..named("g") },
            CreateLogGroupInput { log_group_class: Some("CHEAP".to_owned()), ..named("g") },
            CreateLogGroupInput { tags: tag("aws:x"), ..named("g") },
        ] {
            let error = create_log_group(context.clone(), input.clone()).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException", "{input:?}");
        }
        assert!(context.records().current().log_groups.is_empty());
    }
}
