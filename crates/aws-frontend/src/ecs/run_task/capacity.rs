//! Which capacity each task of a call uses: a launch type, or providers by base and weight.

use crate::ecs::intake::Place;
use crate::ecs::{cluster, errors};
use aws_api::ecs::RunTaskInput;
use aws_protocol::ServiceError;
use model::ecs::{Cluster, LaunchType, StrategyItem};
use model::unit::Capacity;

/// The launch type of a call's tasks and, one for each task, where it is to run.
#[derive(PartialEq, Debug)]
pub(super) struct Choice {
    pub(super) launch_type: LaunchType,
    pub(super) places: Vec<Place>,
}

/// A launch type or a strategy, not both; with neither the cluster's default strategy, and without that EC2.
pub(super) fn choose(input: &RunTaskInput, cluster: &Cluster, count: usize) -> Result<Choice, ServiceError> {
    let given = input.capacity_provider_strategy.as_deref().unwrap_or_default();
    match (input.launch_type.as_deref(), given) {
        (Some(_), [_, ..]) => Err(errors::invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )),
        (Some(name), []) => launch(name, count),
        (None, [_, ..]) => {
            let strategy = cluster::capacity::strategy(given, &cluster.capacity_providers)?;
            by_strategy(&strategy, count, "specified capacity provider strategy")
        }
        (None, []) if cluster.default_strategy.is_empty() => launch("EC2", count),
        (None, []) => by_strategy(&cluster.default_strategy, count, "default capacity provider strategy"),
    }
}

fn launch(name: &str, count: usize) -> Result<Choice, ServiceError> {
    let launch_type = match name {
        "EC2" => LaunchType::Ec2,
        "FARGATE" => LaunchType::Fargate,
        "EXTERNAL" => LaunchType::External,
        _ => return Err(errors::invalid_parameter(format!("The launch type {name} is not supported by RunTask."))),
    };
    Ok(Choice { launch_type, places: vec![Place::Any; count] })
}

fn by_strategy(items: &[StrategyItem], count: usize, which: &str) -> Result<Choice, ServiceError> {
    // ECS API: a weight has to be given only where there is more than one provider.
    if items.len() > 1 && items.iter().all(|item| item.weight == 0) {
        return Err(errors::invalid_parameter(format!(
            "There are no capacity providers with a weight value greater than zero defined in the {which}. At least one \
             capacity provider must have a weight value greater than zero specified."
        )));
    }
    let places: Result<Vec<Place>, ServiceError> = distribute(items, count)
        .into_iter()
        .map(|chosen| Ok(Place::Provider(items[chosen].provider.clone(), capacity(&items[chosen].provider)?)))
        .collect();
    Ok(Choice { launch_type: LaunchType::Fargate, places: places? })
}

/// What a provider gives. Those of a user's own need Auto Scaling groups.
fn capacity(provider: &str) -> Result<Capacity, ServiceError> {
    match provider {
        "FARGATE" => Ok(Capacity::Serverless),
        "FARGATE_SPOT" => Ok(Capacity::ServerlessSpot),
        other => Err(errors::invalid_parameter(format!(
            "The specified capacity provider '{other}' was not found. Bayplan has FARGATE and FARGATE_SPOT."
        ))),
    }
}

/// For each of `count` tasks the place of its provider in `items`: the base first, the rest in the ratio of the weights.
fn distribute(items: &[StrategyItem], count: usize) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count);
    for (place, item) in items.iter().enumerate() {
        let base = usize::try_from(item.base).unwrap_or(usize::MAX).min(count - chosen.len());
        chosen.extend(std::iter::repeat_n(place, base));
    }
    let mut given = vec![0u64; items.len()];
    while chosen.len() < count {
        // The one with the most weight for the next task it would get; the first of equal ones.
        let next = (0..items.len()).reduce(|best, other| {
            let share = |a: usize, b: usize| u64::from(items[a].weight) * (given[b] + 1);
            if share(other, best) > share(best, other) { other } else { best }
        });
        let Some(next) = next else { break };
        given[next] += 1;
        chosen.push(next);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(items: &[(u32, u32)], count: usize) -> Vec<usize> {
        let items: Vec<StrategyItem> =
            items.iter().map(|&(base, weight)| StrategyItem { provider: String::new(), base, weight }).collect();
        let chosen = distribute(&items, count);
        assert_eq!(chosen.len(), count);
        (0..items.len()).map(|place| chosen.iter().filter(|c| **c == place).count()).collect()
    }

    #[test]
    fn the_base_comes_first_and_the_rest_follows_the_weights() {
        assert_eq!(counts(&[(0, 1), (0, 4)], 10), [2, 8]);
        assert_eq!(counts(&[(2, 1), (0, 3)], 10), [4, 6]);
        assert_eq!(counts(&[(20, 1), (0, 3)], 10), [10, 0]);
        assert_eq!(counts(&[(1, 0), (0, 1)], 5), [1, 4]);
        assert_eq!(counts(&[(0, 0)], 3), [3]);
        assert_eq!(counts(&[(0, 1), (0, 1)], 1), [1, 0]);
    }
}
