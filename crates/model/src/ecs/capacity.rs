//! Which capacity provider each of the next tasks of a strategy uses: the base first, then the rest in the ratio of the weights.
//!
//! RunTask asks it for a whole call at once, the service scheduler for as many tasks as a service lacks at the moment.

use super::StrategyItem;
use crate::unit::Capacity;

/// AWS's own providers: every cluster may use them, nobody makes them.
pub const FARGATE: &str = "FARGATE";
pub const FARGATE_SPOT: &str = "FARGATE_SPOT";

/// What a provider gives. One that somebody made gives the cluster's container instances.
pub fn capacity(provider: &str) -> Capacity {
    match provider {
        FARGATE => Capacity::Serverless,
        FARGATE_SPOT => Capacity::ServerlessSpot,
        _ => Capacity::Instances,
    }
}

/// The provider of each of the next `count` tasks, where `held` says how many tasks a provider has by now.
///
/// A base that is not filled comes first, in the strategy's order. What is beyond the bases follows the weights: as long as it
/// only grows, no provider is ever a whole task away from its exact share of it. A provider of weight 0 takes nothing beyond
/// its base; if none has a weight, the first takes it all. The answer is shorter than `count` only for an empty strategy.
pub fn distribute(strategy: &[StrategyItem], held: impl Fn(&str) -> u32, count: usize) -> Vec<&StrategyItem> {
    let mut chosen = Vec::with_capacity(count);
    let mut beyond = Vec::with_capacity(strategy.len());
    for item in strategy {
        let held = held(&item.provider);
        let lacking = usize::try_from(item.base.saturating_sub(held)).unwrap_or(usize::MAX);
        chosen.extend(std::iter::repeat_n(item, lacking.min(count - chosen.len())));
        beyond.push(u64::from(held.saturating_sub(item.base)));
    }
    while chosen.len() < count {
        let Some(place) = next(strategy, &beyond) else { break };
        beyond[place] += 1;
        chosen.push(&strategy[place]);
    }
    chosen
}

/// Whose turn it is, given what each has beyond its base: of those that one more task does not bring past their share of a
/// total that is one larger, rounded up, the one that would first fall behind its share, rounded down; the first of equal ones.
///
/// This is the quota method of apportionment (Balinski and Young): its counts stay within both roundings at every total.
fn next(strategy: &[StrategyItem], beyond: &[u64]) -> Option<usize> {
    let weight = |place: usize| u64::from(strategy[place].weight);
    let all: u64 = (0..strategy.len()).map(weight).sum();
    if all == 0 {
        return (!strategy.is_empty()).then_some(0);
    }
    let total = beyond.iter().sum::<u64>() + 1;
    let has_room = |place: &usize| beyond[*place] * all < weight(*place) * total;
    let due_sooner =
        |place: usize, than: usize| (beyond[place] + 1) * weight(than) < (beyond[than] + 1) * weight(place);
    (0..strategy.len()).filter(has_room).reduce(|first, other| if due_sooner(other, first) { other } else { first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A provider for each pair of base and weight, named by its place.
    fn strategy(items: &[(u32, u32)]) -> Vec<StrategyItem> {
        let item =
            |(place, &(base, weight)): (usize, &(u32, u32))| StrategyItem { provider: place.to_string(), base, weight };
        items.iter().enumerate().map(item).collect()
    }

    fn place(provider: &str) -> usize {
        provider.parse().unwrap()
    }

    /// What each provider has after one call for `count` tasks.
    fn counts(items: &[(u32, u32)], count: usize) -> Vec<u32> {
        let mut held = vec![0; items.len()];
        add(&strategy(items), &mut held, count);
        held
    }

    fn add(strategy: &[StrategyItem], held: &mut [u32], count: usize) {
        let before = held.to_vec();
        for item in distribute(strategy, |provider| before[place(provider)], count) {
            held[place(&item.provider)] += 1;
        }
    }

    #[test]
    fn the_base_comes_first_and_the_rest_follows_the_weights() {
        assert_eq!(counts(&[(0, 1), (0, 4)], 10), [2, 8]);
        assert_eq!(counts(&[(2, 1), (0, 3)], 10), [4, 6]);
        assert_eq!(counts(&[(20, 1), (0, 3)], 10), [10, 0]);
        assert_eq!(counts(&[(1, 0), (0, 1)], 5), [1, 4]);
        assert_eq!(counts(&[(0, 0)], 3), [3]);
        assert_eq!(counts(&[(0, 1), (0, 1)], 1), [1, 0]);
        assert_eq!(counts(&[], 3), [0u32; 0]);
    }

    #[test]
    fn a_large_weight_does_not_take_more_than_its_share_from_many_small_ones() {
        let mut items = vec![(0, 1); 20];
        items[0].1 = 60;
        assert_eq!(counts(&items, 79)[0], 60);
        assert!((30..=31).contains(&counts(&items, 40)[0]), "of 40 tasks 30.4 are its share");
    }

    #[test]
    fn tasks_that_are_there_already_count() {
        let items = strategy(&[(2, 1), (0, 1)]);
        let providers = |held: [u32; 2], count| -> Vec<usize> {
            distribute(&items, |provider| held[place(provider)], count)
                .iter()
                .map(|item| place(&item.provider))
                .collect()
        };
        assert_eq!(providers([1, 0], 3), [0, 0, 1], "one of the base is missing");
        assert_eq!(providers([2, 3], 3), [0, 0, 0], "the second has all that is beyond the base");
        assert_eq!(providers([6, 0], 2), [1, 1]);
    }

    #[test]
    fn a_provider_gives_what_its_name_says() {
        assert_eq!(capacity(FARGATE), Capacity::Serverless);
        assert_eq!(capacity(FARGATE_SPOT), Capacity::ServerlessSpot);
        assert_eq!(capacity("my-machines"), Capacity::Instances);
    }

    /// Strategies as ECS allows them: up to 20 providers, one base at most, some weight.
    fn sound() -> impl Strategy<Value = Vec<StrategyItem>> {
        let weights = prop::collection::vec(prop_oneof![Just(0u32), 1..10u32, 1..=1000u32], 1..=20);
        (weights, prop_oneof![Just(0u32), 1..50u32], any::<prop::sample::Index>())
            .prop_filter("some weight", |(weights, ..)| weights.iter().any(|weight| *weight > 0))
            .prop_map(|(weights, base, at)| {
                let mut items: Vec<(u32, u32)> = weights.into_iter().map(|weight| (0, weight)).collect();
                let at = at.index(items.len());
                items[at].0 = base;
                strategy(&items)
            })
    }

    proptest! {
        #[test]
        fn however_tasks_are_added_no_provider_is_a_whole_task_off_its_share_and_the_base_is_filled_first(
            strategy in sound(),
            calls in prop::collection::vec(0..40usize, 1..12),
        ) {
            let mut held = vec![0u32; strategy.len()];
            let all: i64 = strategy.iter().map(|item| i64::from(item.weight)).sum();
            for count in calls {
                let before: u32 = held.iter().sum();
                add(&strategy, &mut held, count);
                let tasks: u32 = held.iter().sum();
                prop_assert_eq!(tasks as usize, before as usize + count, "every task has a provider");
                let base: u32 = strategy.iter().map(|item| item.base).sum();
                let rest = i64::from(tasks.saturating_sub(base));
                for (item, held) in strategy.iter().zip(&held) {
                    prop_assert!(*held >= item.base.min(tasks), "{} has {held} of {tasks}", item.provider);
                    let beyond = i64::from(held.saturating_sub(item.base));
                    let off = beyond * all - i64::from(item.weight) * rest;
                    prop_assert!(off.abs() < all, "{} has {beyond} of {rest} beyond the base", item.provider);
                }
            }
        }

        #[test]
        fn one_call_for_many_tasks_and_many_calls_for_one_come_to_the_same(strategy in sound(), count in 0..60usize) {
            let mut at_once = vec![0; strategy.len()];
            add(&strategy, &mut at_once, count);
            let mut one_by_one = vec![0; strategy.len()];
            for _ in 0..count {
                add(&strategy, &mut one_by_one, 1);
            }
            prop_assert_eq!(at_once, one_by_one);
        }

        #[test]
        fn whatever_was_there_a_provider_above_its_share_gets_nothing(
            strategy in sound(),
            held in prop::collection::vec(0..100u32, 20),
        ) {
            let all: u64 = strategy.iter().map(|item| u64::from(item.weight)).sum();
            let beyond = |place: usize| u64::from(held[place].saturating_sub(strategy[place].base));
            let total: u64 = (0..strategy.len()).map(beyond).sum();
            for item in distribute(&strategy, |provider| held[place(provider)], 1) {
                let at = place(&item.provider);
                let fills_base = held[at] < item.base;
                prop_assert!(fills_base || beyond(at) * all < u64::from(item.weight) * (total + 1));
            }
        }
    }
}
