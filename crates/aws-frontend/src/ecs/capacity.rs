//! Where tasks are to run: a launch type, or a strategy over a cluster's capacity providers, checked alike for RunTask, services
//! and task sets; which task uses which provider is `model::ecs::capacity`.

use super::errors;
use aws_api::ecs::CapacityProviderStrategyItem;
use aws_protocol::ServiceError;
use model::ecs::capacity::capacity;
use model::ecs::{Cluster, LaunchType, StrategyItem};
use model::unit::Capacity;
use model::{Scope, Snapshot};
use records::Draft;
use std::collections::BTreeSet;
use std::sync::Arc;

/// ECS API: providers of a cluster, and items of a strategy.
const PROVIDERS_MAX: usize = 20;
/// ECS API, CapacityProviderStrategyItem.
const WEIGHT_MAX: i32 = 1_000;
const BASE_MAX: i32 = 100_000;

/// What a request says of where its tasks run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Choice {
    /// Of the providers' kind where there is a strategy.
    pub(crate) launch_type: LaunchType,
    /// Empty where a launch type was given or implied.
    pub(crate) strategy: Vec<StrategyItem>,
}

/// A launch type or a strategy, not both; with neither the cluster's default strategy, and without that EC2.
///
/// # Errors
/// InvalidParameterException for both, for a launch type that there is not, and for what no task could be run by.
pub(crate) fn choose(
    cluster: &Cluster,
    launch_type: Option<&str>,
    strategy: Option<&[CapacityProviderStrategyItem]>,
) -> Result<Choice, ServiceError> {
    match (launch_type, strategy.unwrap_or_default()) {
        (Some(_), [_, ..]) => Err(errors::invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )),
        (Some(name), []) => Ok(Choice { launch_type: launch(name)?, strategy: Vec::new() }),
        (None, given @ [_, ..]) => {
            by_strategy(self::strategy(given, &cluster.capacity_providers)?, "specified capacity provider strategy")
        }
        (None, []) if cluster.default_strategy.is_empty() => {
            Ok(Choice { launch_type: LaunchType::Ec2, strategy: Vec::new() })
        }
        (None, []) => by_strategy(cluster.default_strategy.clone(), "default capacity provider strategy"),
    }
}

fn launch(name: &str) -> Result<LaunchType, ServiceError> {
    match name {
        "EC2" => Ok(LaunchType::Ec2),
        "FARGATE" => Ok(LaunchType::Fargate),
        "EXTERNAL" => Ok(LaunchType::External),
        _ => Err(errors::invalid_parameter(format!(
            "The launch type {name:.50} is not supported; use EC2, FARGATE or EXTERNAL."
        ))),
    }
}

fn by_strategy(strategy: Vec<StrategyItem>, which: &str) -> Result<Choice, ServiceError> {
    // ECS API: a weight has to be given only where there is more than one provider.
    if strategy.len() > 1 && strategy.iter().all(|item| item.weight == 0) {
        return Err(errors::invalid_parameter(format!(
            "There are no capacity providers with a weight value greater than zero defined in the {which}. At least one \
             capacity provider must have a weight value greater than zero specified."
        )));
    }
    let fargate = strategy.iter().any(|item| is_fargate(&item.provider));
    Ok(Choice { launch_type: if fargate { LaunchType::Fargate } else { LaunchType::Ec2 }, strategy })
}

pub(super) fn is_fargate(provider: &str) -> bool {
    capacity(provider) != Capacity::Instances
}

/// The names of a cluster's providers, each once; whether there are such providers is told by [`keep`].
///
/// # Errors
/// InvalidParameterException for a provider that is named twice, or too many.
pub(super) fn providers(names: &[String]) -> Result<Vec<String>, ServiceError> {
    if names.len() > PROVIDERS_MAX {
        return Err(errors::invalid_parameter(format!(
            "A cluster can have at most {PROVIDERS_MAX} capacity providers."
        )));
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(errors::invalid_parameter(format!("The capacity provider {twice:.300} is named twice."))),
        None => Ok(names.to_vec()),
    }
}

/// Adds to a draft that the providers it names are there: the deletion of one of them, decided meanwhile, and the draft exclude
/// each other.
///
/// # Errors
/// InvalidParameterException for a provider that there is not.
pub(super) fn keep(
    snapshot: &Snapshot,
    draft: &mut Draft,
    scope: &Scope,
    names: &[String],
) -> Result<(), ServiceError> {
    for name in names.iter().filter(|name| !is_fargate(name)) {
        let id = (scope.clone(), Arc::from(name.as_str()));
        let found = snapshot.capacity_providers.get(&id).filter(|provider| provider.deleted_at.is_none());
        let provider = found.ok_or_else(|| {
            errors::invalid_parameter(
                "The specified capacity provider was not found. Specify a valid capacity provider and try again.",
            )
        })?;
        draft.expect(&id, provider);
    }
    Ok(())
}

/// A strategy over providers that the cluster has.
///
/// # Errors
/// InvalidParameterException for a provider that is not the cluster's or is named twice, Fargate beside others, more than one
/// base, or numbers out of bounds.
pub(super) fn strategy(
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
        strategy.push(StrategyItem {
            provider: provider.to_owned(),
            base: within("base", item.base, BASE_MAX)?,
            weight: within("weight", item.weight, WEIGHT_MAX)?,
        });
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        return refuse("Only one capacity provider of a strategy can have a base greater than zero.".to_owned());
    }
    let fargate = strategy.iter().filter(|item| is_fargate(&item.provider)).count();
    if fargate > 0 && fargate < strategy.len() {
        return refuse(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and \
             Fargate providers. Specify one or the other and try again."
                .to_owned(),
        );
    }
    Ok(strategy)
}

fn within(field: &str, value: Option<i32>, max: i32) -> Result<u32, ServiceError> {
    match value.unwrap_or(0) {
        value if (0..=max).contains(&value) => Ok(value.unsigned_abs()),
        value => Err(errors::invalid_parameter(format!("{field} must be between 0 and {max}, not {value}."))),
    }
}

/// A strategy as ECS shows it.
pub(crate) fn show(strategy: &[StrategyItem]) -> Vec<CapacityProviderStrategyItem> {
    let item = |item: &StrategyItem| CapacityProviderStrategyItem {
        capacity_provider: Some(item.provider.clone()),
        weight: i32::try_from(item.weight).ok(),
        base: i32::try_from(item.base).ok(),
    };
    strategy.iter().map(item).collect()
}
