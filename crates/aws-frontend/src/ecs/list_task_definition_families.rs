//! ListTaskDefinitionFamilies: families that have a revision, by name, in pages.

use super::errors;
use super::list_task_definitions::{one_of, page_limit};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{ListTaskDefinitionFamiliesInput, ListTaskDefinitionFamiliesOutput, values};
use aws_protocol::ServiceError;
use model::ecs::TaskDefinitionStatus;
use std::collections::BTreeMap;

pub(crate) async fn list_task_definition_families(
    context: Context,
    input: ListTaskDefinitionFamiliesInput,
) -> Result<ListTaskDefinitionFamiliesOutput, ServiceError> {
    let limit = page_limit(input.max_results)?;
    let status = one_of("status", input.status.as_deref(), values::task_definition_family_status::VALUES)?;
    let prefix = input.family_prefix.as_deref().unwrap_or_default();
    let snapshot = context.records().current();
    let mut families: BTreeMap<&str, bool> = BTreeMap::new();
    for stored in snapshot.task_definitions.values().filter(|stored| stored.id.scope == *context.scope()) {
        *families.entry(&stored.id.family).or_default() |= stored.status == TaskDefinitionStatus::Active;
    }
    let wanted = families.into_iter().filter(|(family, is_active)| {
        // ECS API: a family is active as long as one of its revisions is; without a status all are listed.
        let fits = match status {
            Some("ACTIVE") => *is_active,
            Some("INACTIVE") => !*is_active,
            _ => true,
        };
        fits && family.starts_with(prefix)
    });
    let names = wanted.map(|(family, _)| family.to_owned());
    let scope = format!("ListTaskDefinitionFamilies {} {prefix}", status.unwrap_or_default());
    let page =
        page::cut(&scope, names, Clone::clone, input.next_token.as_deref(), limit).map_err(|_| errors::bad_token())?;
    Ok(ListTaskDefinitionFamiliesOutput { families: Some(page.items), next_token: page.next_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, deregister, register};

    async fn families(context: &Context, prefix: Option<&str>, status: Option<&str>) -> Vec<String> {
        let input = ListTaskDefinitionFamiliesInput {
            family_prefix: prefix.map(str::to_owned),
            status: status.map(str::to_owned),
            ..Default::default()
        };
        list_task_definition_families(context.clone(), input).await.unwrap().families.unwrap()
    }

    #[tokio::test]
    async fn a_family_is_active_as_long_as_one_of_its_revisions_is() {
        let context = testing::context().await;
        for family in ["web", "web", "worker", "db"] {
            register(&context, family).await;
        }
        deregister(&context, "web:1").await;
        deregister(&context, "db:1").await;
        assert_eq!(families(&context, None, Some("ACTIVE")).await, ["web", "worker"]);
        assert_eq!(families(&context, None, Some("INACTIVE")).await, ["db"]);
        assert_eq!(families(&context, None, Some("ALL")).await, ["db", "web", "worker"]);
        assert_eq!(families(&context, Some("w"), None).await, ["web", "worker"]);
    }
}
