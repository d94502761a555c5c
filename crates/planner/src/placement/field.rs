//! The nodes as one plan sees them: the snapshot's indexes, with what the plan itself has handed out so far.
//!
//! What Units ask for again and again (the counts of a group, an expression, the classes that satisfy terms) is looked up once
//! a plan, when the first of them needs it, and is asked for by number afterwards.

use super::address::Addresses;
use super::filter::Demand;
use super::lots::{Lots, Terms};
use foldhash::fast::RandomState;
use model::query::{Member, Query, Subject};
use model::snapshot::fleet::{Attributes, Berth, Crowd, Fleet};
use model::unit::spec::Protocol;
use model::unit::{Refusal, Scheduling, Unit};
use model::{ClusterId, Cpu, Memory, NodeId, Snapshot, SpecHash, Timestamp};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

pub(super) struct Field<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// A copy of the snapshot's, in which the plan notes what it hands out.
    pub(super) fleet: Fleet,
    /// Nodes that its orders still have where they were before this plan, with what they had free then.
    unsorted: HashMap<Berth, (Cpu, Memory)>,
    crowds: Views<(&'a ClusterId, &'a str), Crowd>,
    lots: Views<Terms<'a>, Lots<'a>>,
    /// None for an expression that does not parse: no node satisfies it.
    queries: Views<&'a str, Option<Query>>,
    addresses: HashSet<Ipv4Addr>,
    /// What no node took: as a plan only hands out, none takes it later in the plan either.
    refused: HashMap<Wish<'a>, Refusal>,
    /// Clusters and groups of the Units that this plan gave to container instances.
    given: HashMap<Berth, Vec<(&'a ClusterId, &'a str)>>,
}

/// All that placement knows of a Unit.
type Wish<'a> = (&'a ClusterId, &'a SpecHash, &'a Scheduling);

/// What was made once and is asked for by number.
struct Views<K, V> {
    numbers: HashMap<K, usize>,
    views: Vec<V>,
}

impl<K: std::hash::Hash + Eq, V> Views<K, V> {
    fn new() -> Self {
        Self { numbers: HashMap::default(), views: Vec::new() }
    }

    fn number(&mut self, key: K, make: impl FnOnce(&K) -> V) -> usize {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        self.views.push(make(&key));
        self.numbers.insert(key, self.views.len() - 1);
        self.views.len() - 1
    }
}

impl<'a> Field<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Field {
            snapshot,
            fleet: snapshot.fleet().clone(),
            unsorted: HashMap::default(),
            crowds: Views::new(),
            lots: Views::new(),
            queries: Views::new(),
            addresses: HashSet::new(),
            refused: HashMap::default(),
            given: HashMap::default(),
        }
    }

    /// 0 where nothing was ever bound to the node.
    pub(super) fn ledger_revision(&self, node: &NodeId) -> u64 {
        self.snapshot.ledgers.get(node).map_or(0, |ledger| ledger.revision)
    }

    pub(super) fn port_taken(&self, berth: Berth, port: u16, protocol: Protocol) -> bool {
        self.fleet.node(berth).is_some_and(|node| node.reserved_ports.contains(&port))
            || self.fleet.port_taken(berth, port, protocol)
    }

    pub(super) fn address_taken(&self, address: &Ipv4Addr) -> bool {
        self.addresses.contains(address) || self.snapshot.address_taken(address)
    }

    /// The number of a group's counts.
    pub(super) fn crowd_number(&mut self, cluster: &'a ClusterId, group: &'a Arc<str>) -> usize {
        let fleet = self.snapshot.fleet();
        self.crowds.number((cluster, group), |_| fleet.crowd(cluster, group))
    }

    /// How many of a group's Units hold resources, by node.
    pub(super) fn crowd(&self, number: usize) -> &Crowd {
        &self.crowds.views[number]
    }

    /// The number of an expression.
    pub(super) fn query(&mut self, expression: &'a str) -> usize {
        self.queries.number(expression, |text| Query::parse(text).ok())
    }

    /// Whether attributes alone decide about an expression. Nothing else does about one that does not parse.
    pub(super) fn is_of_attributes(&self, query: usize) -> bool {
        self.queries.views[query].as_ref().is_none_or(Query::is_of_attributes)
    }

    /// Whether a node, as a cluster sees it, satisfies an expression; what this plan gave it counts.
    pub(super) fn satisfies(&self, query: usize, berth: Berth, demand: &Demand<'a>) -> bool {
        let (Some(id), Some(node)) = (self.fleet.id(berth), self.fleet.node(berth)) else { return false };
        let cluster = demand.unit.name.cluster();
        let membership = demand.membership(&self.fleet, berth);
        let member = Member { snapshot: self.snapshot, cluster, id, node, membership };
        let given = self.given.get(&berth).map_or(&[][..], |given| given);
        self.queries.views[query].as_ref().is_some_and(|query| query.matches(&Candidate { member, given }))
    }

    /// Whether attributes satisfy an expression that they decide about.
    pub(super) fn satisfy(&self, query: usize, attributes: &Attributes) -> bool {
        satisfy(&self.queries.views, query, attributes)
    }

    /// The number of the classes whose nodes satisfy such terms.
    pub(super) fn lots_number(&mut self, terms: Terms<'a>) -> usize {
        let (fleet, queries) = (self.snapshot.fleet(), &self.queries.views);
        self.lots
            .number(terms, |terms| Lots::new(fleet, terms, |query, attributes| satisfy(queries, query, attributes)))
    }

    pub(super) fn lots(&self, number: usize) -> &Lots<'a> {
        &self.lots.views[number]
    }

    /// Why no node takes a Unit, if this plan has found that out of one with the same wishes.
    pub(super) fn refused(&self, unit: &'a Unit) -> Option<&Refusal> {
        self.refused.get(&wish(unit))
    }

    /// Remembers that no node takes a Unit, unless what other Units are given may change that.
    pub(super) fn refuse(&mut self, demand: &Demand<'a>, refusal: &Refusal) {
        if !demand.asks_each_node() {
            self.refused.insert(wish(demand.unit), refusal.clone());
        }
    }

    /// Makes the fleet's orders exact, for whom a superset of the nodes with room is not enough.
    pub(super) fn sort(&mut self) {
        for (berth, before) in self.unsorted.drain() {
            self.fleet.sort(berth, before);
        }
    }

    /// Notes a binding, so that the Units after it see it.
    pub(super) fn hand_out(&mut self, demand: &Demand<'a>, berth: Berth, addresses: &Addresses) {
        let before = self.fleet.take_unsorted(berth, Some(demand.spec));
        self.unsorted.entry(berth).or_insert(before);
        self.crowds.views[demand.crowd].add(berth, self.fleet.stand(berth));
        if demand.is_member() {
            let group = (demand.unit.name.cluster(), &*demand.scheduling.group);
            self.given.entry(berth).or_default().push(group);
        }
        self.addresses.extend(addresses.all());
    }
}

fn wish(unit: &Unit) -> Wish<'_> {
    (unit.name.cluster(), &unit.spec, &unit.scheduling)
}

fn satisfy(queries: &[Option<Query>], query: usize, attributes: &Attributes) -> bool {
    queries[query].as_ref().is_some_and(|query| query.matches_attributes(attributes))
}

/// A member of a cluster together with what this plan gave it.
struct Candidate<'f, 'a> {
    member: Member<'a>,
    given: &'f [(&'a ClusterId, &'a str)],
}

impl Subject for Candidate<'_, '_> {
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.member.attribute(name)
    }
    fn agent_connected(&self) -> bool {
        self.member.agent_connected()
    }
    fn agent_version(&self) -> &str {
        self.member.agent_version()
    }
    fn instance_id(&self) -> &str {
        self.member.instance_id()
    }
    fn registered_at(&self) -> Timestamp {
        self.member.registered_at()
    }
    fn running_units(&self) -> u64 {
        self.member.running_units()
    }
    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let given = self.given.iter().filter(|(cluster, _)| *cluster == self.member.cluster);
        self.member.any_group(test) || given.into_iter().any(|(_, group)| test(group))
    }
}
