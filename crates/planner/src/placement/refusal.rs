//! Why no node takes a Unit, as data: what each node lacks, and the one reason that stands for all.

use super::address::Exhausted;
use super::field::{Field, Spot};
use super::filter::{Demand, Lack};
use model::unit::Refusal;
use model::unit::placement::Shortage;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The refusal of a Unit that no node was looked at for.
pub(super) fn without_nodes() -> Refusal {
    Refusal { nodes: Vec::new(), main: Shortage::NoNode }
}

/// Looks at every node again and says what it lacks; nodes that lack nothing failed for want of an address.
///
/// The main reason is of the step that sorted out the last candidates, as ECS answers RunTask, and of that step the commonest.
pub(super) fn explain<'a>(field: &Field<'a>, demand: &Demand<'a>, no_address: Option<Exhausted>) -> Refusal {
    let mut lacking: BTreeMap<Lack, Vec<Spot>> = BTreeMap::new();
    for spot in looked_at(field, demand) {
        lacking.entry(demand.lack(field, spot).unwrap_or(Lack::Addresses)).or_default().push(spot);
    }
    let subnet = no_address.map(|exhausted| exhausted.subnet).unwrap_or_default();
    let shortage = |spot, lack| demand.shortage(field, spot, lack, &subnet);
    let last = lacking.iter().min_by_key(|(lack, spots)| (Reverse(lack.step()), Reverse(spots.len()), **lack));
    let Some(main) = last.map(|(&lack, spots)| shortage(spots[0], lack)) else { return without_nodes() };

    let mut by_frequency: Vec<(Lack, Vec<Spot>)> = lacking.into_iter().collect();
    by_frequency.sort_by_key(|(lack, spots)| (Reverse(spots.len()), *lack));
    let each = by_frequency.iter().flat_map(|(lack, spots)| spots.iter().map(|&spot| (spot, *lack)));
    let nodes =
        each.take(Refusal::MAX_NODES).map(|(spot, lack)| (field.id(spot).clone(), shortage(spot, lack))).collect();
    Refusal { nodes, main }
}

fn looked_at(field: &Field<'_>, demand: &Demand<'_>) -> Vec<Spot> {
    match &demand.scheduling.node {
        Some(fixed) => field.spot(fixed).into_iter().collect(),
        None => (0..field.len()).collect(),
    }
}
