//! DescribeLogGroups: log groups by name, all or some, in pages.

use super::{arn, errors, group};
use crate::context::Context;
use crate::page;
use aws_api::logs::values::log_group_class::{ESSENTIALS, INFREQUENT_ACCESS, STANDARD};
use aws_api::logs::{self, DescribeLogGroupsInput, DescribeLogGroupsOutput};
use aws_protocol::ServiceError;
use model::logs::LogGroup;
use std::sync::Arc;

const MOST: usize = 50;

pub(super) async fn describe_log_groups(
    context: Context,
    input: DescribeLogGroupsInput,
) -> Result<DescribeLogGroupsOutput, ServiceError> {
    errors::check(&input)?;
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    let pattern = input.log_group_name_pattern.unwrap_or_default();
    let class = input.log_group_class.as_deref();
    if !prefix.is_empty() && !pattern.is_empty() {
        return Err(errors::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let identifiers = names(&context, input.log_group_identifiers.as_deref())?;
    if identifiers.is_some() && (!prefix.is_empty() || !pattern.is_empty() || class.is_some()) {
        return Err(errors::invalid("logGroupIdentifiers cannot be combined with another filter."));
    }
    let snapshot = context.records().current();
    let from = (context.scope().clone(), Arc::from(prefix.as_str()));
    let groups = snapshot
        .log_groups
        .range(from..)
        .map(|(id, group)| (id, group.value.clone()))
        .take_while(|((scope, name), _)| scope == context.scope() && name.starts_with(&prefix))
        .map(|(_, group)| group)
        .filter(|group| group.name.contains(&pattern) && is_of_class(group, class))
        .filter(|group| identifiers.as_ref().is_none_or(|names| names.iter().any(|name| **name == *group.name)));
    let limit = input.limit.map_or(MOST, |limit| limit.unsigned_abs() as usize);
    let scope = format!("logs:DescribeLogGroups:{prefix}:{pattern}:{}:{identifiers:?}", class.unwrap_or_default());
    let page = page::cut(&scope, groups, |group| group.name.to_string(), input.next_token.as_deref(), limit)
        .map_err(|_| errors::bad_token())?;
    let mut found = Vec::with_capacity(page.items.len());
    for group in &page.items {
        found.push(convert(&context, group, !pattern.is_empty()).await?);
    }
    Ok(DescribeLogGroupsOutput { log_groups: Some(found), next_token: page.next_token })
}

fn names<'a>(context: &Context, identifiers: Option<&'a [String]>) -> Result<Option<Vec<&'a str>>, ServiceError> {
    let name = |identifier: &'a String| arn::named(context.scope(), None, Some(identifier));
    identifiers.map(|all| all.iter().map(name).collect()).transpose()
}

/// CloudWatch Logs API, DescribeLogGroups: the two cheap classes are asked for together.
fn is_of_class(group: &LogGroup, asked: Option<&str>) -> bool {
    let class = group.class.as_deref().unwrap_or(STANDARD);
    match asked {
        None => true,
        Some(INFREQUENT_ACCESS | ESSENTIALS) => matches!(class, INFREQUENT_ACCESS | ESSENTIALS),
        Some(asked) => asked == class,
    }
}

/// `brief`: as in the answer to a search by pattern.
async fn convert(context: &Context, group: &LogGroup, brief: bool) -> Result<logs::LogGroup, ServiceError> {
    let plain = arn::group(context.scope(), &group.name);
    let found = logs::LogGroup {
        log_group_name: Some(group.name.to_string()),
        creation_time: Some(group.created_at.unix_ms() as i64),
        arn: Some(format!("{plain}:*")),
        ..Default::default()
    };
    if brief {
        return Ok(found);
    }
    let uid = group.uid.clone();
    let stored = group::on_disk(&context.frontend.logs, move |logs| logs.stored_bytes(&uid)).await?;
    Ok(logs::LogGroup {
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        stored_bytes: Some(i64::try_from(stored).unwrap_or(i64::MAX)),
        log_group_class: Some(group.class.clone().unwrap_or_else(|| STANDARD.to_owned())),
        log_group_arn: Some(plain),
        deletion_protection_enabled: Some(false),
        ..found
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};

    async fn names_of(context: &Context, input: DescribeLogGroupsInput) -> Vec<String> {
        let mut input = input;
        let mut names = Vec::new();
        loop {
            let page = describe_log_groups(context.clone(), input.clone()).await.unwrap();
            names.extend(page.log_groups.unwrap().into_iter().map(|g| g.log_group_name.unwrap()));
            input.next_token = page.next_token;
            if input.next_token.is_none() {
                return names;
            }
        }
    }

    #[tokio::test]
    async fn groups_are_found_by_prefix_substring_and_identifier_in_pages() {
        let context = context().await;
        for name in ["/ecs/web", "/ecs/db", "/lambda/web", "plain"] {
            testing::make_group(&context, name).await;
        }
        let all = DescribeLogGroupsInput { limit: Some(2), ..Default::default() };
        assert_eq!(names_of(&context, all.clone()).await, ["/ecs/db", "/ecs/web", "/lambda/web", "plain"]);
        let prefix = DescribeLogGroupsInput { log_group_name_prefix: Some("/ecs/".to_owned()), ..all.clone() };
        assert_eq!(names_of(&context, prefix.clone()).await, ["/ecs/db", "/ecs/web"]);
        let pattern = DescribeLogGroupsInput { log_group_name_pattern: Some("web".to_owned()), ..all.clone() };
        assert_eq!(names_of(&context, pattern.clone()).await, ["/ecs/web", "/lambda/web"]);
        let arn = arn::group(context.scope(), "/ecs/db");
        let identifiers = Some(vec!["plain".to_owned(), arn]);
        let named = DescribeLogGroupsInput { log_group_identifiers: identifiers.clone(), ..all.clone() };
        assert_eq!(names_of(&context, named).await, ["/ecs/db", "plain"]);
        let rare = DescribeLogGroupsInput { log_group_class: Some("INFREQUENT_ACCESS".to_owned()), ..all.clone() };
        assert!(names_of(&context, rare).await.is_empty());
        for wrong in [
            DescribeLogGroupsInput { log_group_name_pattern: Some("web".to_owned()), ..prefix.clone() },
            DescribeLogGroupsInput { log_group_identifiers: identifiers, ..prefix },
            DescribeLogGroupsInput { next_token: Some("x".to_owned()), ..all.clone() },
            DescribeLogGroupsInput { limit: Some(51), ..all },
        ] {
            let error = describe_log_groups(context.clone(), wrong).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
        }
    }

    #[tokio::test]
    async fn a_group_says_what_it_stores_and_how_it_is_called() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        testing::put(&context, "g", "s", &[(NOW.unix_ms() as i64, "four")]).await.unwrap();
        let page = describe_log_groups(context.clone(), DescribeLogGroupsInput::default()).await.unwrap();
        let group = &page.log_groups.unwrap()[0];
        assert_eq!(group.stored_bytes, Some(30));
        assert_eq!(group.creation_time, Some(NOW.unix_ms() as i64));
        assert_eq!(group.arn.as_deref(), Some("arn:aws:logs:us-east-1:000000000000:log-group:g:*"));
        assert_eq!(group.log_group_arn.as_deref(), Some("arn:aws:logs:us-east-1:000000000000:log-group:g"));
        assert_eq!((group.log_group_class.as_deref(), group.retention_in_days), (Some("STANDARD"), None));
    }
}
