//! The nodes as one plan sees them: the snapshot, and what the plan itself has handed out so far.
//!
//! Nodes are numbered by their order in the snapshot; a [`Spot`] is such a number. Views of a cluster, a group or an expression
//! are made once a plan, when the first Unit needs them.

use super::address::Addresses;
use super::filter::Demand;
use model::ecs::Membership;
use model::node::Node;
use model::query::{Member, Query, Subject};
use model::snapshot::NodeUse;
use model::unit::spec::Protocol;
use model::{ClusterId, Cpu, Memory, NodeId, Snapshot, Timestamp, Versioned};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

/// A node by its place in the order of node ids.
pub(super) type Spot = usize;

pub(super) struct Field<'a> {
    pub(super) snapshot: &'a Snapshot,
    nodes: Vec<Seen<'a>>,
    clusters: Views<&'a ClusterId, Vec<Option<&'a Membership>>>,
    groups: Views<(&'a ClusterId, &'a str), BTreeMap<Spot, u32>>,
    /// None for an expression that does not parse: no node satisfies it.
    queries: Views<&'a str, Option<Query>>,
    ports: HashSet<(Spot, u16, Protocol)>,
    pub(super) addresses: HashSet<Ipv4Addr>,
}

struct Seen<'a> {
    id: &'a NodeId,
    node: &'a Versioned<Node>,
    /// In use by the snapshot, looked up when first asked for.
    used: Cell<Option<NodeUse>>,
    /// Handed out by this plan.
    given: NodeUse,
    /// Clusters and groups of the Units that this plan gave it as a container instance.
    given_groups: Vec<(&'a ClusterId, &'a str)>,
}

/// What was made once and is asked for by number.
struct Views<K, V> {
    numbers: HashMap<K, usize>,
    views: Vec<V>,
}

impl<K: std::hash::Hash + Eq, V> Views<K, V> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), views: Vec::new() }
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
        let seen =
            |(id, node)| Seen { id, node, used: Cell::new(None), given: NodeUse::default(), given_groups: Vec::new() };
        Field {
            snapshot,
            nodes: snapshot.nodes.iter().map(seen).collect(),
            clusters: Views::new(),
            groups: Views::new(),
            queries: Views::new(),
            ports: HashSet::new(),
            addresses: HashSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, spot: Spot) -> &'a Node {
        &self.nodes[spot].node.value
    }

    pub(super) fn id(&self, spot: Spot) -> &'a NodeId {
        self.nodes[spot].id
    }

    pub(super) fn spot(&self, id: &NodeId) -> Option<Spot> {
        self.nodes.binary_search_by(|seen| seen.id.cmp(id)).ok()
    }

    /// 0 where nothing was ever bound to the node.
    pub(super) fn ledger_revision(&self, spot: Spot) -> u64 {
        self.snapshot.ledgers.get(self.id(spot)).map_or(0, |ledger| ledger.revision)
    }

    pub(super) fn free_cpu(&self, spot: Spot) -> Cpu {
        let seen = &self.nodes[spot];
        seen.node.cpu.saturating_sub(self.used(seen).cpu).saturating_sub(seen.given.cpu)
    }

    pub(super) fn free_memory(&self, spot: Spot) -> Memory {
        let seen = &self.nodes[spot];
        seen.node.memory.saturating_sub(self.used(seen).memory).saturating_sub(seen.given.memory)
    }

    fn used(&self, seen: &Seen<'a>) -> NodeUse {
        seen.used.get().unwrap_or_else(|| {
            let used = self.snapshot.node_use(seen.id);
            seen.used.set(Some(used));
            used
        })
    }

    pub(super) fn port_taken(&self, spot: Spot, port: u16, protocol: Protocol) -> bool {
        self.node(spot).reserved_ports.contains(&port)
            || self.ports.contains(&(spot, port, protocol))
            || self.snapshot.host_port_taken(self.id(spot), port, protocol)
    }

    pub(super) fn address_taken(&self, address: &Ipv4Addr) -> bool {
        self.addresses.contains(address) || self.snapshot.address_taken(address)
    }

    /// The number of a cluster's view: the membership records that were written, by spot.
    pub(super) fn cluster(&mut self, cluster: &'a ClusterId) -> usize {
        let (snapshot, nodes) = (self.snapshot, &self.nodes);
        self.clusters.number(cluster, |cluster| {
            let from = ((*cluster).clone(), NodeId::new(""));
            let mut records = snapshot.memberships.range(from..).take_while(|((c, _), _)| c == *cluster).peekable();
            let of = |seen: &Seen<'a>| {
                while records.next_if(|((_, node), _)| node < seen.id).is_some() {}
                records.next_if(|((_, node), _)| node == seen.id).map(|(_, membership)| &*membership.value)
            };
            nodes.iter().map(of).collect()
        })
    }

    pub(super) fn membership(&self, cluster: usize, spot: Spot) -> Option<&'a Membership> {
        self.clusters.views[cluster][spot]
    }

    /// The number of a group's view: how many of its Units hold resources, by spot.
    pub(super) fn group(&mut self, cluster: &'a ClusterId, group: &'a str) -> usize {
        let (snapshot, nodes) = (self.snapshot, &self.nodes);
        self.groups.number((cluster, group), |_| {
            let mut counts = BTreeMap::new();
            for unit in snapshot.units_of_group(cluster, group).filter(|unit| unit.holds_resources()) {
                let Some(node) = unit.placement.node() else { continue };
                if let Ok(spot) = nodes.binary_search_by(|seen| seen.id.cmp(node)) {
                    *counts.entry(spot).or_default() += 1;
                }
            }
            counts
        })
    }

    pub(super) fn group_counts(&self, group: usize) -> &BTreeMap<Spot, u32> {
        &self.groups.views[group]
    }

    /// The number of an expression.
    pub(super) fn query(&mut self, expression: &'a str) -> usize {
        self.queries.number(expression, |text| Query::parse(text).ok())
    }

    /// Whether a node, as a cluster sees it, satisfies an expression; what this plan gave it counts.
    pub(super) fn satisfies(
        &self,
        query: usize,
        spot: Spot,
        cluster: &'a ClusterId,
        membership: Option<&'a Membership>,
    ) -> bool {
        let member = Member { snapshot: self.snapshot, cluster, id: self.id(spot), node: self.node(spot), membership };
        let candidate = Candidate { member, given: &self.nodes[spot].given_groups };
        self.queries.views[query].as_ref().is_some_and(|query| query.matches(&candidate))
    }

    /// Notes a binding, so that the Units after it see it.
    pub(super) fn hand_out(&mut self, demand: &Demand<'a>, spot: Spot, addresses: &Addresses) {
        let given = &mut self.nodes[spot].given;
        given.cpu = given.cpu.saturating_add(demand.spec.reserve.cpu);
        given.memory = given.memory.saturating_add(demand.spec.reserve.memory);
        if demand.cluster.is_some() {
            self.nodes[spot].given_groups.push((demand.unit.name.cluster(), &demand.scheduling.group));
        }
        self.ports.extend(demand.ports.iter().map(|&(port, protocol)| (spot, port, protocol)));
        self.addresses.extend(addresses.all());
        *self.groups.views[demand.group].entry(spot).or_default() += 1;
    }
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
