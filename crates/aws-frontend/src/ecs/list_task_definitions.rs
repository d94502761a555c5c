//! ListTaskDefinitions: ARNs of revisions, by family and revision number, in pages.

use super::{arn, describe_task_definition, errors};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{ListTaskDefinitionsInput, ListTaskDefinitionsOutput, values};
use aws_protocol::ServiceError;
use model::TaskDefinitionId;

/// ECS API: at most 100 a page, which is also the default.
pub(super) const PAGE_MAX: i32 = 100;

pub(crate) async fn list_task_definitions(
    context: Context,
    input: ListTaskDefinitionsInput,
) -> Result<ListTaskDefinitionsOutput, ServiceError> {
    let limit = page_limit(input.max_results)?;
    let status = one_of("status", input.status.as_deref(), values::task_definition_status::VALUES)?.unwrap_or("ACTIVE");
    let descending = one_of("sort", input.sort.as_deref(), values::sort_order::VALUES)? == Some("DESC");
    let snapshot = context.records().current();
    let ours = snapshot.task_definitions.values().filter(|stored| stored.id.scope == *context.scope());
    // ECS API: the "prefix" of this operation is a whole family name.
    let of_family =
        ours.filter(|stored| input.family_prefix.as_deref().is_none_or(|family| &*stored.id.family == family));
    let wanted = of_family.filter(|stored| describe_task_definition::status(stored.status) == status);
    let mut ids: Vec<&TaskDefinitionId> = wanted.map(|stored| &stored.id).collect();
    if descending {
        ids.reverse();
    }
    let scope =
        format!("ListTaskDefinitions {status} {descending} {}", input.family_prefix.as_deref().unwrap_or_default());
    let page = page::cut(&scope, ids, |id| sort_key(id, descending), input.next_token.as_deref(), limit)
        .map_err(|_| errors::bad_token())?;
    Ok(ListTaskDefinitionsOutput {
        task_definition_arns: Some(page.items.into_iter().map(arn::task_definition).collect()),
        next_token: page.next_token,
    })
}

/// A text that sorts as the list does: for a descending list every byte is turned round.
fn sort_key(id: &TaskDefinitionId, descending: bool) -> String {
    let mut bytes = id.family.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(id.revision.to_be_bytes());
    if descending {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    hex::encode(bytes)
}

pub(super) fn page_limit(asked: Option<i32>) -> Result<usize, ServiceError> {
    let limit = asked.unwrap_or(PAGE_MAX);
    match usize::try_from(limit) {
        Ok(fine) if (1..=PAGE_MAX).contains(&limit) => Ok(fine),
        _ => Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}."))),
    }
}

/// The value if it is one that the API allows.
pub(super) fn one_of<'a>(
    field: &str,
    value: Option<&'a str>,
    allowed: &[&str],
) -> Result<Option<&'a str>, ServiceError> {
    match value {
        Some(value) if !allowed.contains(&value) => {
            Err(errors::invalid_parameter(format!("{field} must be one of {}, not {value:.100}.", allowed.join(", "))))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, register};

    async fn names(context: &Context, input: ListTaskDefinitionsInput) -> Vec<String> {
        let mut names = Vec::new();
        let mut input = input;
        loop {
            let answer = list_task_definitions(context.clone(), input.clone()).await.unwrap();
            let short = |arn: String| arn.rsplit('/').next().unwrap().to_owned();
            names.extend(answer.task_definition_arns.unwrap().into_iter().map(short));
            match answer.next_token {
                Some(token) => input.next_token = Some(token),
                None => return names,
            }
        }
    }

    #[tokio::test]
    async fn revisions_are_sorted_by_family_and_number_in_both_directions_whatever_the_page() {
        let context = testing::context().await;
        for family in ["web", "a", "web-2", "a", "B"].into_iter().chain(std::iter::repeat_n("web", 10)) {
            register(&context, family).await;
        }
        let ascending: Vec<String> = ["B:1", "a:1", "a:2"]
            .map(String::from)
            .into_iter()
            .chain((1..=11).map(|n| format!("web:{n}")))
            .chain(["web-2:1".to_owned()])
            .collect();
        let descending: Vec<String> = ascending.iter().rev().cloned().collect();
        for max_results in [None, Some(1), Some(2), Some(7)] {
            let input = ListTaskDefinitionsInput { max_results, ..Default::default() };
            assert_eq!(names(&context, input.clone()).await, ascending);
            let input = ListTaskDefinitionsInput { sort: Some("DESC".into()), ..input };
            assert_eq!(names(&context, input).await, descending);
        }
    }

    #[tokio::test]
    async fn a_family_prefix_is_a_whole_family_name() {
        let context = testing::context().await;
        for family in ["web", "web-2"] {
            register(&context, family).await;
        }
        let input = ListTaskDefinitionsInput { family_prefix: Some("web".into()), ..Default::default() };
        assert_eq!(names(&context, input).await, ["web:1"]);
        let input = ListTaskDefinitionsInput { family_prefix: Some("we".into()), ..Default::default() };
        assert_eq!(names(&context, input).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn bad_limits_tokens_and_values_are_refused() {
        let context = testing::context().await;
        let default = ListTaskDefinitionsInput::default;
        for input in [
            ListTaskDefinitionsInput { max_results: Some(0), ..default() },
            ListTaskDefinitionsInput { max_results: Some(101), ..default() },
            ListTaskDefinitionsInput { next_token: Some("x".into()), ..default() },
            ListTaskDefinitionsInput { sort: Some("UP".into()), ..default() },
            ListTaskDefinitionsInput { status: Some("GONE".into()), ..default() },
        ] {
            let error = list_task_definitions(context.clone(), input).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException", "{error}");
        }
    }
}
