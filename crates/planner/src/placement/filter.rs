//! What a Unit demands of a node, and the first thing that a node lacks of it.

use super::field::{Field, Spot};
use model::ecs::MembershipStatus;
use model::unit::placement::Shortage;
use model::unit::spec::Protocol;
use model::unit::{Capacity, Constraint, Scheduling, Unit, UnitSpec};
use std::collections::BTreeSet;

/// Attributes that even a node without a membership must have: what its kernel and processor run.
const PLATFORM: [&str; 3] = ["ecs.os-type", "ecs.os-family", "ecs.cpu-architecture"];

/// One Unit's wishes, looked up once.
pub(super) struct Demand<'a> {
    pub(super) unit: &'a Unit,
    pub(super) spec: &'a UnitSpec,
    pub(super) scheduling: &'a Scheduling,
    pub(super) ports: BTreeSet<(u16, Protocol)>,
    /// The view of the Unit's cluster; None where memberships do not count.
    pub(super) cluster: Option<usize>,
    pub(super) group: usize,
    attributes: Vec<Wanted<'a>>,
    constraints: Vec<Check>,
}

/// A constraint, ready to be asked of many nodes.
enum Check {
    Distinct,
    /// The number of the expression.
    MemberOf(usize),
}

/// An attribute by name and, where it matters, value.
struct Wanted<'a> {
    text: &'a str,
    name: &'a str,
    value: Option<&'a str>,
}

/// What a node lacks, in the order in which it is looked for. Numbers are places in the Unit's own lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lack {
    Agent,
    NotActive,
    Cpu,
    Memory,
    Ports,
    Attribute(usize),
    Constraint(usize),
    Addresses,
}

impl Lack {
    /// The step of ECS's order that sorted the node out ("Task placement": what is free, then attributes, then constraints).
    pub(super) fn step(self) -> u8 {
        match self {
            Lack::Agent | Lack::NotActive => 0,
            Lack::Cpu | Lack::Memory | Lack::Ports => 1,
            Lack::Attribute(_) => 2,
            Lack::Constraint(_) => 3,
            Lack::Addresses => 4,
        }
    }
}

impl<'a> Demand<'a> {
    pub(super) fn new(field: &mut Field<'a>, unit: &'a Unit, spec: &'a UnitSpec) -> Self {
        let scheduling = &*unit.scheduling;
        let member = scheduling.capacity == Capacity::Instances;
        let wanted = scheduling.required_attributes.iter().map(|text| match text.split_once('=') {
            Some((name, value)) => Wanted { text, name, value: Some(value) },
            None => Wanted { text, name: text, value: None },
        });
        let check = |constraint: &'a Constraint| match constraint {
            Constraint::DistinctInstance => Check::Distinct,
            Constraint::MemberOf { expression } => Check::MemberOf(field.query(expression)),
        };
        let constraints = scheduling.constraints.iter().map(check).collect();
        Demand {
            constraints,
            unit,
            spec,
            scheduling,
            ports: spec.fixed_host_ports().collect(),
            cluster: member.then(|| field.cluster(unit.name.cluster())),
            group: field.group(unit.name.cluster(), &scheduling.group),
            attributes: wanted.filter(|wanted| member || PLATFORM.contains(&wanted.name)).collect(),
        }
    }

    /// The first thing that a node lacks, None if it takes the Unit.
    pub(super) fn lack(&self, field: &Field<'a>, spot: Spot) -> Option<Lack> {
        let membership = self.cluster.and_then(|cluster| field.membership(cluster, spot));
        if !field.node(spot).connected {
            return Some(Lack::Agent);
        }
        if membership.is_some_and(|membership| membership.status != MembershipStatus::Active) {
            return Some(Lack::NotActive);
        }
        if field.free_cpu(spot) < self.spec.reserve.cpu {
            return Some(Lack::Cpu);
        }
        if field.free_memory(spot) < self.spec.reserve.memory {
            return Some(Lack::Memory);
        }
        if self.ports.iter().any(|&(port, protocol)| field.port_taken(spot, port, protocol)) {
            return Some(Lack::Ports);
        }
        if let Some(missing) = self.attributes.iter().position(|wanted| !self.has(field, spot, wanted)) {
            return Some(Lack::Attribute(missing));
        }
        let fails = |check: &Check| match check {
            Check::Distinct => field.group_counts(self.group).contains_key(&spot),
            Check::MemberOf(query) => !field.satisfies(*query, spot, self.unit.name.cluster(), membership),
        };
        self.constraints.iter().position(fails).map(Lack::Constraint)
    }

    /// A node's value of an attribute as the Unit's cluster sees it: its own attributes hide the node's.
    pub(super) fn attribute(&self, field: &Field<'a>, spot: Spot, name: &str) -> Option<Option<&'a str>> {
        let membership = self.cluster.and_then(|cluster| field.membership(cluster, spot));
        let own = membership.and_then(|membership| membership.attributes.get(name));
        own.or_else(|| field.node(spot).attributes.get(name)).map(Option::as_deref)
    }

    fn has(&self, field: &Field<'a>, spot: Spot, wanted: &Wanted<'_>) -> bool {
        match self.attribute(field, spot, wanted.name) {
            None => false,
            Some(value) => wanted.value.is_none() || wanted.value == value,
        }
    }

    /// A lack of one node in the words of a refusal; `subnet` is the one without room.
    pub(super) fn shortage(&self, field: &Field<'a>, spot: Spot, lack: Lack, subnet: &str) -> Shortage {
        match lack {
            Lack::Agent => Shortage::Agent,
            Lack::NotActive => Shortage::NotActive,
            Lack::Cpu => Shortage::Cpu,
            Lack::Memory => Shortage::Memory,
            Lack::Ports => {
                let taken = self.ports.iter().filter(|&&(port, protocol)| field.port_taken(spot, port, protocol));
                Shortage::Ports { taken: taken.map(|&(port, _)| port).collect() }
            }
            Lack::Attribute(place) => Shortage::Attribute { name: self.attributes[place].text.to_owned() },
            Lack::Constraint(place) => match &self.scheduling.constraints[place] {
                Constraint::DistinctInstance => Shortage::Distinct,
                Constraint::MemberOf { expression } => Shortage::Constraint { expression: expression.clone() },
            },
            Lack::Addresses => Shortage::Addresses { subnet: subnet.into() },
        }
    }
}
