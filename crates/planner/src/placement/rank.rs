//! Strategies: which of the nodes that take a Unit gets it.
//!
//! [`search`] finds it without a look at all of them: it goes through tiers of nodes, the best first, by the indexes alone, and
//! draws from a tier until a node takes the Unit. It goes on to the next only where it can tell from a bounded look that nobody
//! does. Where it cannot tell, [`among_all`] looks at every node that has the room.

use super::field::Field;
use super::filter::Demand;
use super::lots::{Held, Lot, Lots};
use model::snapshot::fleet::{Berth, ClassId, Crowd, Order, Resource};
use model::unit::Strategy;
use model::unit::placement::BinpackBy;
use rand::{Rng, RngExt};
use std::collections::BTreeSet;
use std::ops::Range;

/// How often to draw a node before nodes are looked at one after the other.
const DRAWS: usize = 16;
/// How many nodes a search may look at one after the other.
const LOOKS: usize = 64;

/// What a search of some nodes came to.
enum Found {
    /// This one, none of them being better.
    Node(Berth),
    Nobody,
    /// It would take more looks to tell.
    Unsure,
}

impl Found {
    /// Of all nodes that there are.
    fn any_of(takers: &[Berth], rng: &mut impl Rng) -> Self {
        pick(takers, rng).map_or(Found::Nobody, Found::Node)
    }
}

/// The node for a Unit, None if no node takes it.
///
/// Each strategy keeps the equally best of what is left; the last word has chance. Without a strategy that is all, as ECS
/// places standalone tasks (services come with a strategy of their own).
pub(super) fn choose<'a>(field: &Field<'a>, demand: &Demand<'a>, rng: &mut impl Rng) -> Option<Berth> {
    if let Some(fixed) = &demand.scheduling.node {
        let berth = field.fleet.berth(fixed).filter(|berth| field.fleet.node(*berth).is_some());
        return berth.filter(|berth| demand.lack(field, *berth).is_none());
    }
    let search = Search { field, demand };
    let (lots, count) = (field.lots(demand.lots), demand.apart.then_some(0));
    match search.search(&demand.scheduling.strategy, lots, count, rng) {
        Found::Node(berth) => Some(berth),
        Found::Nobody => None,
        Found::Unsure => search.among_all(lots, count, rng),
    }
}

struct Search<'f, 'a> {
    field: &'f Field<'a>,
    demand: &'f Demand<'a>,
}

impl<'a> Search<'_, 'a> {
    /// Of the nodes of some lots; with a `count`, of those with just so many of the Unit's group.
    fn search(&self, strategies: &[Strategy], lots: &Lots<'a>, count: Option<u32>, rng: &mut impl Rng) -> Found {
        let Some((strategy, rest)) = strategies.split_first() else { return self.draw(lots, count, rng) };
        match strategy {
            Strategy::Random => self.draw(lots, count, rng),
            Strategy::Spread { field } if is_instance(field) => self.over_nodes(rest, lots, count, rng),
            Strategy::Spread { field } => self.over_values(attribute(field), rest, lots, count, rng),
            Strategy::Binpack { by } => self.packed(*by, rest, lots, count, rng),
        }
    }

    /// The tiers are the values of an attribute, by how many of the group are there.
    fn over_values(
        &self,
        name: &str,
        rest: &[Strategy],
        lots: &Lots<'a>,
        count: Option<u32>,
        rng: &mut impl Rng,
    ) -> Found {
        if self.crowd().is_empty() {
            return self.search(rest, lots, count, rng);
        }
        for tier in lots.tiers(self.field, self.demand, name) {
            match self.search(rest, &tier, count, rng) {
                Found::Nobody => {}
                found => return found,
            }
        }
        Found::Nobody
    }

    /// The tiers are nodes with none of the group, and then those with the fewest.
    fn over_nodes(&self, rest: &[Strategy], lots: &Lots<'a>, count: Option<u32>, rng: &mut impl Rng) -> Found {
        if count.is_some() || self.crowd().is_empty() {
            return self.search(rest, lots, count, rng);
        }
        match self.search(rest, lots, Some(0), rng) {
            Found::Nobody => {}
            found => return found,
        }
        let Some(fewest) = plain(lots).into_iter().filter_map(|class| self.crowd().least(class)).min() else {
            return Found::Nobody;
        };
        match self.search(rest, lots, Some(fewest), rng) {
            // There may be nodes with more.
            Found::Nobody => Found::Unsure,
            found => found,
        }
    }
    /// Any of the nodes that take the Unit.
    fn draw(&self, lots: &Lots<'a>, count: Option<u32>, rng: &mut impl Rng) -> Found {
        if let Some(count @ 1..) = count {
            return self.draw_of_crowd(lots, count, rng);
        }
        for _ in 0..DRAWS {
            if let Some(berth) = lots.draw(self.field, self.demand, rng).filter(|berth| self.takes(*berth, count)) {
                return Found::Node(berth);
            }
        }
        let takers = self.of_few_empty(lots, count).or_else(|| self.of_few_with_room(lots, count));
        takers.map_or(Found::Unsure, |takers| Found::any_of(&takers, rng))
    }

    /// All that take the Unit, if few nodes have none of its group and that is asked for.
    fn of_few_empty(&self, lots: &Lots<'a>, count: Option<u32>) -> Option<Vec<Berth>> {
        let (fleet, crowd) = (&self.field.fleet, self.crowd());
        let classes: Vec<_> = plain(lots).into_iter().map(|class| (class, fleet.empty(class, crowd))).collect();
        if count != Some(0) || classes.iter().map(|(_, empty)| empty).sum::<usize>() > LOOKS {
            return None;
        }
        let empty = classes
            .into_iter()
            .flat_map(|(class, empty)| (0..empty).filter_map(move |number| fleet.nth_empty(class, crowd, number)));
        Some(empty.filter(|berth| self.is_of(lots, *berth) && self.takes(*berth, count)).collect())
    }

    /// All that take the Unit, if few nodes have the room.
    fn of_few_with_room(&self, lots: &Lots<'a>, count: Option<u32>) -> Option<Vec<Berth>> {
        let some: Vec<(&Lot<'a>, Berth)> = self.with_room(lots).take(LOOKS + 1).collect();
        (some.len() <= LOOKS).then(|| self.takers(some.into_iter(), count))
    }

    fn with_room<'l>(&'l self, lots: &'l Lots<'a>) -> impl Iterator<Item = (&'l Lot<'a>, Berth)> {
        let reserve = self.demand.reserve();
        lots.iter().flat_map(move |lot| {
            let nodes = self.field.fleet.by_cpu().with_room(lot.class, reserve.cpu, reserve.memory);
            nodes.map(move |(.., berth)| (lot, berth))
        })
    }

    fn takers<'l>(&self, nodes: impl Iterator<Item = (&'l Lot<'a>, Berth)>, count: Option<u32>) -> Vec<Berth>
    where
        'a: 'l,
    {
        let takers = nodes.filter(|(lot, berth)| self.is_in(lot, *berth) && self.takes(*berth, count));
        takers.map(|(_, berth)| berth).collect()
    }

    /// Any of the nodes with so many of the group, which are the fewest that any has.
    fn draw_of_crowd(&self, lots: &Lots<'a>, count: u32, rng: &mut impl Rng) -> Found {
        let crowd = self.crowd();
        let classes: Vec<_> = plain(lots).into_iter().map(|class| (class, crowd.places(class))).collect();
        let total = classes.iter().map(|(_, places)| places.len()).sum::<usize>();
        let takes = |berth: &Berth| self.is_of(lots, *berth) && self.takes(*berth, Some(count));
        if total <= LOOKS {
            let all = classes.into_iter().flat_map(|(_, places)| places.filter_map(|place| crowd.node(place)));
            return Found::any_of(&all.filter(takes).collect::<Vec<_>>(), rng);
        }
        for _ in 0..DRAWS {
            let Some((class, place)) = nth_of(&classes, rng.random_range(0..total)) else { break };
            if let Some(berth) = crowd.with_at_most(class, count, place).filter(takes) {
                return Found::Node(berth);
            }
        }
        Found::Unsure
    }

    /// The tiers are by what is left of a resource, and by what is left of the other where a strategy says so. Whatever else
    /// comes after is left to [`Search::among_all`].
    fn packed(
        &self,
        by: BinpackBy,
        rest: &[Strategy],
        lots: &Lots<'a>,
        count: Option<u32>,
        rng: &mut impl Rng,
    ) -> Found {
        let mut rest = rest.iter().filter(|next| **next != Strategy::Binpack { by });
        let both = match rest.next() {
            None | Some(Strategy::Random) => false,
            Some(Strategy::Binpack { .. })
                if matches!(rest.next(), None | Some(Strategy::Random | Strategy::Binpack { .. })) =>
            {
                true
            }
            Some(_) => return Found::Unsure,
        };
        let (fleet, need) = (&self.field.fleet, self.demand.reserve());
        match by {
            _ if matches!(count, Some(1..)) => Found::Unsure,
            BinpackBy::Cpu => self.packed_in(fleet.by_cpu(), (need.cpu, need.memory), both, lots, count, rng),
            BinpackBy::Memory => self.packed_in(fleet.by_memory(), (need.memory, need.cpu), both, lots, count, rng),
        }
    }

    fn packed_in<A: Resource, B: Resource>(
        &self,
        order: &Order<A, B>,
        need: (A, B),
        both: bool,
        lots: &Lots<'a>,
        count: Option<u32>,
        rng: &mut impl Rng,
    ) -> Found {
        let mut best: Option<(A, B, Berth)> = None;
        let mut looks = 0;
        for lot in lots.iter() {
            for (a, b, berth) in order.with_room(lot.class, need.0, need.1) {
                if best.is_some_and(|(least, then, _)| if both { (a, b) >= (least, then) } else { a >= least }) {
                    break;
                }
                if self.is_in(lot, berth) && self.takes(berth, count) {
                    best = Some((a, b, berth));
                    break;
                }
                looks += 1;
                if looks > LOOKS {
                    return Found::Unsure;
                }
            }
        }
        let Some((a, b, first)) = best else { return Found::Nobody };
        let ties: Vec<_> = lots.iter().map(|lot| (lot, order.tied(lot.class, a, both.then_some(b)))).collect();
        let total = ties.iter().map(|(_, places)| places.len()).sum::<usize>();
        for _ in 0..DRAWS {
            let Some((lot, place)) = nth_of(&ties, rng.random_range(0..total)) else { break };
            let berth = order.nth(place).filter(|berth| self.is_in(lot, *berth) && self.takes(*berth, count));
            if let Some(berth) = berth {
                return Found::Node(berth);
            }
        }
        Found::Node(first)
    }

    /// Looks at every node that has the room.
    fn among_all(&self, lots: &Lots<'a>, count: Option<u32>, rng: &mut impl Rng) -> Option<Berth> {
        let (field, demand) = (self.field, self.demand);
        let mut left = self.takers(self.with_room(lots), count);
        for strategy in &demand.scheduling.strategy {
            match strategy {
                _ if left.len() < 2 => break,
                Strategy::Random => break,
                Strategy::Spread { field: over } if is_instance(over) => {
                    keep_least(&mut left, |berth| demand.on(field, berth))
                }
                Strategy::Spread { field: over } => {
                    let held = Held::new(field, demand, attribute(over));
                    keep_least(&mut left, |berth| held.on_nodes_like(berth));
                }
                Strategy::Binpack { by: BinpackBy::Cpu } => keep_least(&mut left, |berth| field.fleet.free(berth).0),
                Strategy::Binpack { by: BinpackBy::Memory } => keep_least(&mut left, |berth| field.fleet.free(berth).1),
            }
        }
        pick(&left, rng)
    }

    fn crowd(&self) -> &Crowd {
        self.field.crowd(self.demand.crowd)
    }

    fn is_in(&self, lot: &Lot<'a>, berth: Berth) -> bool {
        self.demand.class_of(self.field, berth) == Some(lot.class)
    }

    fn is_of(&self, lots: &Lots<'a>, berth: Berth) -> bool {
        self.demand.class_of(self.field, berth).is_some_and(|class| lots.has(class))
    }

    fn takes(&self, berth: Berth, count: Option<u32>) -> bool {
        self.demand.is_taken_by(self.field, berth, count)
    }
}

/// ECS API: PlacementStrategy, `field` of `spread`.
fn is_instance(field: &str) -> bool {
    field == "instanceId" || field == "host"
}

fn attribute(field: &str) -> &str {
    field.strip_prefix("attribute:").unwrap_or(field)
}

/// The classes of the same nodes as they are.
fn plain(lots: &Lots<'_>) -> BTreeSet<ClassId> {
    lots.iter().map(|lot| lot.plain).collect()
}

/// A place of several ranges by its number among all of them, with what is said of the range.
fn nth_of<T: Copy>(ranges: &[(T, Range<usize>)], mut number: usize) -> Option<(T, usize)> {
    ranges.iter().find_map(|(of, places)| {
        let found = places.clone().nth(number);
        number = number.saturating_sub(places.len());
        found.map(|place| (*of, place))
    })
}

fn pick(left: &[Berth], rng: &mut impl Rng) -> Option<Berth> {
    (!left.is_empty()).then(|| left[rng.random_range(0..left.len())])
}

fn keep_least<C: Ord + Copy>(left: &mut Vec<Berth>, cost: impl Fn(Berth) -> C) {
    let costs: Vec<C> = left.iter().map(|&berth| cost(berth)).collect();
    let Some(least) = costs.iter().min() else { return };
    let mut each = costs.iter();
    left.retain(|_| each.next() == Some(least));
}
