//! The capacity providers of a cluster and its default strategy over them.

use crate::ecs::errors;
use aws_api::ecs::CapacityProviderStrategyItem;
use aws_protocol::ServiceError;
use model::ecs::StrategyItem;
use std::collections::BTreeSet;

/// The providers that exist until groups of machines can be made into others.
const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];
/// ECS API: providers of a cluster, and items of a strategy.
const PROVIDERS_MAX: usize = 20;
/// ECS API, CapacityProviderStrategyItem.
const WEIGHT_MAX: i32 = 1_000;
const BASE_MAX: i32 = 100_000;

/// # Errors
/// InvalidParameterException for a provider that there is not, one named twice, or too many.
pub(in crate::ecs) fn providers(names: &[String]) -> Result<Vec<String>, ServiceError> {
    if names.len() > PROVIDERS_MAX {
        return Err(errors::invalid_parameter(format!(
            "A cluster can have at most {PROVIDERS_MAX} capacity providers."
        )));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if !PROVIDERS.contains(&name.as_str()) {
            return Err(errors::invalid_parameter(
                "The specified capacity provider was not found. Specify a valid capacity provider and try again.",
            ));
        }
        if !seen.insert(name) {
            return Err(errors::invalid_parameter(format!("The capacity provider {name} is named twice.")));
        }
    }
    Ok(names.to_vec())
}

/// A strategy over providers that the cluster has.
///
/// # Errors
/// InvalidParameterException for a provider that is not the cluster's or is named twice, more than one base, or numbers
/// out of bounds.
pub(crate) fn strategy(
    items: &[CapacityProviderStrategyItem],
    providers: &[String],
) -> Result<Vec<StrategyItem>, ServiceError> {
    let refuse = |message: String| Err(errors::invalid_parameter(message));
    if items.len() > PROVIDERS_MAX {
        return refuse(format!("A capacity provider strategy can have at most {PROVIDERS_MAX} items."));
    }
    let mut seen = BTreeSet::new();
    let mut strategy = Vec::with_capacity(items.len());
    for item in items {
        let provider = item.capacity_provider.as_deref().unwrap_or_default();
        if !providers.iter().any(|p| p == provider) {
            return refuse(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with \
                 the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and \
                 try again."
                    .to_owned(),
            );
        }
        if !seen.insert(provider) {
            return refuse(format!("The capacity provider strategy names {provider} twice."));
        }
        let within = |field: &str, value: Option<i32>, max: i32| match value.unwrap_or(0) {
            value if (0..=max).contains(&value) => Ok(value.unsigned_abs()),
            value => Err(errors::invalid_parameter(format!("{field} must be between 0 and {max}, not {value}."))),
        };
        strategy.push(StrategyItem {
            provider: provider.to_owned(),
            base: within("base", item.base, BASE_MAX)?,
            weight: within("weight", item.weight, WEIGHT_MAX)?,
        });
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        return refuse("Only one capacity provider of a strategy can have a base greater than zero.".to_owned());
    }
    Ok(strategy)
}
