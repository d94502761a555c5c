//! Strategies: which of the nodes that take a Unit gets it.

use super::field::{Field, Spot};
use super::filter::Demand;
use model::unit::Strategy;
use model::unit::placement::BinpackBy;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// How often to draw a node before all of them are looked at.
const DRAWS: usize = 16;

/// The node for a Unit, None if no node takes it.
///
/// Each strategy keeps the equally best of what is left; the last word has chance. Without a strategy that is all, as ECS
/// places standalone tasks (services come with a strategy of their own).
pub(super) fn choose<'a>(field: &Field<'a>, demand: &Demand<'a>, rng: &mut impl Rng) -> Option<Spot> {
    let takes = |spot: &Spot| demand.lack(field, *spot).is_none();
    if let Some(fixed) = &demand.scheduling.node {
        return field.spot(fixed).filter(takes);
    }
    let strategies = &demand.scheduling.strategy[..];
    if matches!(strategies, [] | [Strategy::Random, ..])
        && let Some(spot) = draw(field, takes, rng)
    {
        return Some(spot);
    }
    let mut left: Vec<Spot> = (0..field.len()).filter(takes).collect();
    for strategy in strategies {
        if left.len() < 2 {
            break;
        }
        match strategy {
            Strategy::Random => left = pick(&left, rng).into_iter().collect(),
            Strategy::Spread { field: over } => spread(field, demand, over, &mut left),
            Strategy::Binpack { by: BinpackBy::Cpu } => keep_least(&mut left, |spot| field.free_cpu(spot)),
            Strategy::Binpack { by: BinpackBy::Memory } => keep_least(&mut left, |spot| field.free_memory(spot)),
        }
    }
    pick(&left, rng)
}

/// Draws nodes until one takes the Unit, which leaves every node that does the same chance without a look at all of them.
fn draw(field: &Field<'_>, takes: impl Fn(&Spot) -> bool, rng: &mut impl Rng) -> Option<Spot> {
    if field.len() == 0 {
        return None;
    }
    (0..DRAWS).map(|_| rng.random_range(0..field.len())).find(takes)
}

fn pick(left: &[Spot], rng: &mut impl Rng) -> Option<Spot> {
    (!left.is_empty()).then(|| left[rng.random_range(0..left.len())])
}

/// Keeps the nodes where the fewest Units of the group are, by node or by the value of an attribute. Nodes without the
/// attribute count as one value.
fn spread<'a>(field: &Field<'a>, demand: &Demand<'a>, over: &str, left: &mut Vec<Spot>) {
    let counts = field.group_counts(demand.group);
    if over == "instanceId" || over == "host" {
        keep_least(left, |spot| counts.get(&spot).copied().unwrap_or(0));
        return;
    }
    let name = over.strip_prefix("attribute:").unwrap_or(over);
    let value = |spot| demand.attribute(field, spot, name).flatten();
    let mut held: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    for (&spot, &count) in counts {
        *held.entry(value(spot)).or_default() += u64::from(count);
    }
    keep_least(left, |spot| held.get(&value(spot)).copied().unwrap_or(0));
}

fn keep_least<C: Ord + Copy>(left: &mut Vec<Spot>, cost: impl Fn(Spot) -> C) {
    let costs: Vec<C> = left.iter().map(|&spot| cost(spot)).collect();
    let Some(least) = costs.iter().min() else { return };
    let mut each = costs.iter();
    left.retain(|_| each.next() == Some(least));
}
