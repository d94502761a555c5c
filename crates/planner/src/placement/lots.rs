//! The classes of nodes that may take a Unit, by their attributes: what a search goes through instead of nodes.

use super::field::Field;
use super::filter::{Demand, Wanted};
use model::ClusterId;
use model::snapshot::fleet::{Attributes, Berth, Class, ClassId, Fleet};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// What of a Unit's wishes depends on a node's attributes alone.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Terms<'a> {
    /// The cluster as which to see nodes; None where memberships do not count.
    pub(super) cluster: Option<&'a ClusterId>,
    pub(super) attributes: &'a [String],
    /// Numbers of expressions that attributes decide about.
    pub(super) queries: Vec<usize>,
}

/// The connected nodes of one class.
#[derive(Clone, Copy)]
pub(super) struct Lot<'a> {
    pub(super) class: ClassId,
    /// The class of the same nodes as they are.
    pub(super) plain: ClassId,
    pub(super) attributes: &'a Attributes,
    /// The place of the first of them among the fleet's members.
    from: usize,
    nodes: usize,
    /// How many nodes this lot and those before it have.
    upto: usize,
}

/// Classes in the order of their ids, each with the place that it has in a draw among all their nodes.
#[derive(Clone, Default)]
pub(super) struct Lots<'a> {
    all: Vec<Lot<'a>>,
}

impl<'a> Lots<'a> {
    pub(super) fn new(fleet: &'a Fleet, terms: &Terms<'a>, satisfy: impl Fn(usize, &Attributes) -> bool) -> Self {
        let wanted: Vec<Wanted<'a>> = terms.attributes.iter().map(|text| Wanted::new(text)).collect();
        let member = terms.cluster.is_some();
        let own = terms.cluster.and_then(|cluster| fleet.view(cluster)).into_iter().flat_map(|view| view.classes());
        let own = own.filter_map(|id| Some((id, fleet.class(id)?)));
        let fits = |class: &Class| {
            let has = |wanted: &Wanted<'_>| !wanted.counts(member) || wanted.is_in(class.attributes());
            wanted.iter().all(has) && terms.queries.iter().all(|&query| satisfy(query, class.attributes()))
        };
        let classes = fleet.classes().chain(own).filter(|(_, class)| fits(class));
        let lot = |(id, class): (ClassId, &'a Class)| Lot {
            class: id,
            plain: class.plain(),
            attributes: class.attributes(),
            from: fleet.members_from(id),
            nodes: fleet.members(id),
            upto: 0,
        };
        let mut all: Vec<Lot<'a>> = classes.map(lot).collect();
        all.sort_by_key(|lot| lot.class);
        let mut lots = Self::default();
        all.into_iter().for_each(|lot| lots.push(lot));
        lots
    }

    fn push(&mut self, lot: Lot<'a>) {
        let upto = self.len() + lot.nodes;
        self.all.push(Lot { upto, ..lot });
    }

    /// How many nodes there are, with those that the cluster has marked where it sees them otherwise.
    pub(super) fn len(&self) -> usize {
        self.all.last().map_or(0, |lot| lot.upto)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lot<'a>> {
        self.all.iter()
    }

    pub(super) fn has(&self, class: ClassId) -> bool {
        self.all.binary_search_by_key(&class, |lot| lot.class).is_ok()
    }

    /// Any of the nodes, each with the same chance; None where there are none or where the cluster sees it as another one.
    pub(super) fn draw(&self, field: &Field<'a>, demand: &Demand<'a>, rng: &mut impl Rng) -> Option<Berth> {
        if self.len() == 0 {
            return None;
        }
        let place = rng.random_range(0..self.len());
        let lot = &self.all[self.all.partition_point(|lot| lot.upto <= place)];
        let berth = field.fleet.member(lot.from + place - (lot.upto - lot.nodes))?;
        (demand.class_of(field, berth) == Some(lot.class)).then_some(berth)
    }

    /// The lots apart by how many Units of the group are on nodes with the same value of an attribute, the fewest first.
    pub(super) fn tiers(&self, field: &Field<'a>, demand: &Demand<'a>, name: &str) -> Vec<Lots<'a>> {
        let held = Held::new(field, demand, name);
        let mut tiers: BTreeMap<u64, Lots<'a>> = BTreeMap::new();
        for lot in &self.all {
            tiers.entry(held.with(lot.attributes)).or_default().push(*lot);
        }
        tiers.into_values().collect()
    }
}

/// How many Units of a group are on nodes with each value of an attribute, whether such nodes could take another or not. Nodes
/// without the attribute count as one value.
pub(super) struct Held<'f, 'a> {
    field: &'f Field<'a>,
    demand: &'f Demand<'a>,
    name: &'f str,
    by_value: BTreeMap<Option<&'a str>, u64>,
}

impl<'f, 'a> Held<'f, 'a> {
    pub(super) fn new(field: &'f Field<'a>, demand: &'f Demand<'a>, name: &'f str) -> Self {
        let (fleet, crowd) = (field.snapshot.fleet(), field.crowd(demand.crowd));
        let mut by_value: BTreeMap<Option<&'a str>, u64> = BTreeMap::new();
        if demand.view.is_some_and(|view| view.gives(name)) {
            // The cluster's own values are in the way: node by node.
            for (berth, count) in crowd.nodes() {
                let Some(node) = fleet.node(berth) else { continue };
                let own = demand.membership(fleet, berth).and_then(|own| own.attributes.get(name));
                let value = own.or_else(|| node.attributes.get(name)).and_then(Option::as_deref);
                *by_value.entry(value).or_default() += u64::from(count);
            }
        } else {
            for (class, count) in crowd.held() {
                let value = fleet.class(class).and_then(|class| value(class.attributes(), name));
                *by_value.entry(value).or_default() += count;
            }
        }
        Held { field, demand, name, by_value }
    }

    /// On nodes with the same value as these attributes have.
    fn with(&self, attributes: &Attributes) -> u64 {
        self.by_value.get(&value(attributes, self.name)).copied().unwrap_or(0)
    }

    /// On nodes with the same value as one that the Unit's cluster sees.
    pub(super) fn on_nodes_like(&self, berth: Berth) -> u64 {
        let class = self.demand.class_of(self.field, berth).and_then(|class| self.field.snapshot.fleet().class(class));
        class.map_or(0, |class| self.with(class.attributes()))
    }
}

fn value<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Option::as_deref)
}
