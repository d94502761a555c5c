//! DescribeCapacityProviders: those that are named, or all in pages; FARGATE and FARGATE_SPOT among them.

use super::task::reference;
use super::{arn, capacity_provider, errors};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{self, DescribeCapacityProvidersInput, DescribeCapacityProvidersOutput, Failure, values};
use aws_protocol::ServiceError;
use model::ecs::capacity::{FARGATE, FARGATE_SPOT};
use model::{Scope, Snapshot};
use std::sync::Arc;

/// ECS API: names in one call, and providers of a page, which is also the default.
const REFERENCES_MAX: usize = 100;
const PAGE_MAX: i32 = 10;

pub(crate) async fn describe_capacity_providers(
    context: Context,
    input: DescribeCapacityProvidersInput,
) -> Result<DescribeCapacityProvidersOutput, ServiceError> {
    let references = input.capacity_providers.unwrap_or_default();
    if references.len() > REFERENCES_MAX {
        return Err(errors::invalid_parameter(format!("capacityProviders can have at most {REFERENCES_MAX} items.")));
    }
    let with_tags = tags_asked(&input.include.unwrap_or_default())?;
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let snapshot = context.records().current();
    let of_cluster = match input.cluster.as_deref().filter(|cluster| !cluster.is_empty()) {
        Some(cluster) => Some(&reference::cluster(&snapshot, context.scope(), Some(cluster))?.capacity_providers),
        None => None,
    };
    let shelf = Shelf { snapshot: &snapshot, scope: context.scope(), of_cluster, with_tags };
    match references.as_slice() {
        [] => shelf.page(input.next_token.as_deref(), limit.unsigned_abs() as usize),
        references => Ok(shelf.named(references)),
    }
}

/// The providers that a call may see.
struct Shelf<'a> {
    snapshot: &'a Snapshot,
    scope: &'a Scope,
    /// Only those of a cluster.
    of_cluster: Option<&'a Vec<String>>,
    with_tags: bool,
}

impl Shelf<'_> {
    fn find(&self, name: &str) -> Option<ecs::CapacityProvider> {
        if self.of_cluster.is_some_and(|providers| !providers.iter().any(|provider| provider == name)) {
            return None;
        }
        capacity_provider::built_in(self.scope, name).or_else(|| {
            let made = self.snapshot.capacity_providers.get(&(self.scope.clone(), Arc::from(name)))?;
            Some(capacity_provider::show(made, self.with_tags))
        })
    }

    fn named(&self, references: &[String]) -> DescribeCapacityProvidersOutput {
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for reference in references {
            let name = arn::resource(self.scope, "capacity-provider", reference).ok();
            match name.and_then(|name| self.find(name)) {
                Some(provider) => found.push(provider),
                None => failures.push(Failure {
                    arn: Some(name.map_or(reference.clone(), |name| arn::capacity_provider(self.scope, name))),
                    reason: Some("MISSING".to_owned()),
                    ..Default::default()
                }),
            }
        }
        DescribeCapacityProvidersOutput { capacity_providers: Some(found), failures: Some(failures), next_token: None }
    }

    /// All there are, by name; deleted ones too while they are remembered.
    fn page(&self, token: Option<&str>, limit: usize) -> Result<DescribeCapacityProvidersOutput, ServiceError> {
        let made = self.snapshot.capacity_providers.values().filter(|provider| provider.scope == *self.scope);
        let mut names: Vec<&str> = made.map(|provider| &*provider.name).chain([FARGATE, FARGATE_SPOT]).collect();
        names.sort_unstable();
        let all = names.into_iter().filter_map(|name| self.find(name));
        let name = |provider: &ecs::CapacityProvider| provider.name.clone().unwrap_or_default();
        let page = page::cut("DescribeCapacityProviders", all, name, token, limit).map_err(|_| errors::bad_token())?;
        Ok(DescribeCapacityProvidersOutput {
            capacity_providers: Some(page.items),
            failures: Some(Vec::new()),
            next_token: page.next_token,
        })
    }
}

fn tags_asked(include: &[String]) -> Result<bool, ServiceError> {
    let known = values::capacity_provider_field::VALUES;
    if include.iter().any(|name| !known.contains(&name.as_str())) {
        return Err(errors::invalid_parameter(format!("include should be one of [{}]", known.join(","))));
    }
    Ok(!include.is_empty())
}
