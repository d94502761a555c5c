//! What a Unit demands of a node, and the first thing that a node lacks of it.

use super::field::Field;
use super::lots::Terms;
use model::ClusterId;
use model::ecs::Membership;
use model::snapshot::fleet::{Attributes, Berth, ClassId, Fleet, Standing, View};
use model::unit::placement::Shortage;
use model::unit::spec::{Protocol, Reserve};
use model::unit::{Capacity, Constraint, Scheduling, Unit, UnitSpec};
use std::collections::BTreeSet;

/// Attributes that even a node without a membership must have: what its kernel and processor run.
const PLATFORM: [&str; 3] = ["ecs.os-type", "ecs.os-family", "ecs.cpu-architecture"];

/// One Unit's wishes, looked up once.
pub(super) struct Demand<'a> {
    pub(super) unit: &'a Unit,
    pub(super) spec: &'a UnitSpec,
    pub(super) scheduling: &'a Scheduling,
    /// The Unit's cluster; None where memberships do not count.
    cluster: Option<&'a ClusterId>,
    /// The nodes that the cluster has marked.
    pub(super) view: Option<&'a View>,
    /// The number of its group's counts.
    pub(super) crowd: usize,
    /// The number of the lots whose attributes satisfy it.
    pub(super) lots: usize,
    /// Whether it must be alone of its group on its node.
    pub(super) apart: bool,
    ports: BTreeSet<(u16, Protocol)>,
    constraints: Vec<Check>,
}

/// A constraint, ready to be asked of many nodes.
#[derive(Clone, Copy)]
enum Check {
    Distinct,
    /// The number of an expression that attributes decide about.
    Attributes(usize),
    /// The number of one that has to be asked of each node, and each time.
    Node(usize),
}

/// An attribute by name and, where it matters, value.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Wanted { name, value: Some(value) },
            None => Wanted { name: text, value: None },
        }
    }

    /// Whether a node has to have it, as a member of the Unit's cluster or not.
    pub(super) fn counts(&self, member: bool) -> bool {
        member || PLATFORM.contains(&self.name)
    }

    pub(super) fn is_in(&self, attributes: &Attributes) -> bool {
        let found = attributes.get(self.name);
        found.is_some_and(|value| self.value.is_none() || self.value == value.as_deref())
    }
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
        let cluster = Some(unit.name.cluster()).filter(|_| scheduling.capacity == Capacity::Instances);
        let mut check = |constraint: &'a Constraint| match constraint {
            Constraint::DistinctInstance => Check::Distinct,
            Constraint::MemberOf { expression } => match field.query(expression) {
                query if field.is_of_attributes(query) => Check::Attributes(query),
                query => Check::Node(query),
            },
        };
        let constraints: Vec<Check> = scheduling.constraints.iter().map(&mut check).collect();
        let of_attributes = |check: &Check| if let Check::Attributes(query) = check { Some(*query) } else { None };
        let queries = constraints.iter().filter_map(of_attributes).collect();
        Demand {
            unit,
            spec,
            scheduling,
            cluster,
            view: cluster.and_then(|cluster| field.snapshot.fleet().view(cluster)),
            crowd: field.crowd_number(unit.name.cluster(), &scheduling.group),
            lots: field.lots_number(Terms { cluster, attributes: &scheduling.required_attributes, queries }),
            apart: constraints.iter().any(|check| matches!(check, Check::Distinct)),
            ports: spec.fixed_host_ports().collect(),
            constraints,
        }
    }

    pub(super) fn is_member(&self) -> bool {
        self.cluster.is_some()
    }

    /// Whether it has a constraint that is about more than a node's attributes.
    pub(super) fn asks_each_node(&self) -> bool {
        self.constraints.iter().any(|check| matches!(check, Check::Node(_)))
    }

    pub(super) fn reserve(&self) -> Reserve {
        self.spec.reserve
    }

    /// The class of a node as the Unit's cluster sees it; None if it is not active there.
    pub(super) fn class_of(&self, field: &Field<'a>, berth: Berth) -> Option<ClassId> {
        match self.view.and_then(|view| view.standing(berth)) {
            None => field.fleet.stand(berth).class(),
            Some(Standing::Own(class)) => Some(class),
            Some(Standing::Out) => None,
        }
    }

    /// Whether a connected node of one of the Unit's lots takes it. With a `count`, only if just so many of its group are there.
    pub(super) fn is_taken_by(&self, field: &Field<'a>, berth: Berth, count: Option<u32>) -> bool {
        self.has_room(field, berth)
            && count.is_none_or(|count| self.on(field, berth) == count)
            && !self.ports_taken(field, berth)
            && self.constraints.iter().all(|check| match check {
                Check::Node(query) => field.satisfies(*query, berth, self),
                Check::Distinct | Check::Attributes(_) => true,
            })
    }

    fn has_room(&self, field: &Field<'a>, berth: Berth) -> bool {
        let (cpu, memory) = field.fleet.free(berth);
        cpu >= self.reserve().cpu && memory >= self.reserve().memory
    }

    /// How many of its group are on a node.
    pub(super) fn on(&self, field: &Field<'a>, berth: Berth) -> u32 {
        field.crowd(self.crowd).on(berth, field.fleet.stand(berth))
    }

    fn ports_taken(&self, field: &Field<'a>, berth: Berth) -> bool {
        self.ports.iter().any(|&(port, protocol)| field.port_taken(berth, port, protocol))
    }

    /// The first thing that a registered node lacks, None if it takes the Unit.
    pub(super) fn lack(&self, field: &Field<'a>, berth: Berth) -> Option<Lack> {
        if !field.fleet.node(berth).is_some_and(|node| node.connected) {
            return Some(Lack::Agent);
        }
        if self.view.is_some_and(|view| view.standing(berth) == Some(Standing::Out)) {
            return Some(Lack::NotActive);
        }
        let (cpu, memory) = field.fleet.free(berth);
        if cpu < self.reserve().cpu {
            return Some(Lack::Cpu);
        }
        if memory < self.reserve().memory {
            return Some(Lack::Memory);
        }
        if self.ports_taken(field, berth) {
            return Some(Lack::Ports);
        }
        let attributes =
            self.class_of(field, berth).and_then(|class| field.snapshot.fleet().class(class))?.attributes();
        let fails = |check: &Check| match *check {
            Check::Distinct => self.on(field, berth) > 0,
            Check::Attributes(query) => !field.satisfy(query, attributes),
            Check::Node(query) => !field.satisfies(query, berth, self),
        };
        let missing = self.missing(attributes);
        missing.or_else(|| self.constraints.iter().position(fails).map(Lack::Constraint))
    }

    /// What every node with such attributes lacks, if it lacks nothing that comes before attributes and if they decide.
    pub(super) fn lack_of_all(&self, field: &Field<'a>, attributes: &Attributes) -> Option<Lack> {
        let first_fails = || {
            let (place, check) = self.constraints.iter().enumerate().find(|(_, check)| match **check {
                Check::Attributes(query) => !field.satisfy(query, attributes),
                Check::Distinct | Check::Node(_) => true,
            })?;
            matches!(check, Check::Attributes(_)).then_some(Lack::Constraint(place))
        };
        self.missing(attributes).or_else(first_fails).filter(|_| self.ports.is_empty())
    }

    fn missing(&self, attributes: &Attributes) -> Option<Lack> {
        let has = |text: &String| {
            let wanted = Wanted::new(text);
            !wanted.counts(self.is_member()) || wanted.is_in(attributes)
        };
        self.scheduling.required_attributes.iter().position(|text| !has(text)).map(Lack::Attribute)
    }

    /// What the cluster keeps of a node that makes it another one there.
    pub(super) fn membership<'f>(&self, fleet: &'f Fleet, berth: Berth) -> Option<&'f Membership> {
        self.cluster.and_then(|cluster| fleet.membership(cluster, berth))
    }

    /// A lack of one node in the words of a refusal; `subnet` is the one without room.
    pub(super) fn shortage(&self, field: &Field<'a>, berth: Berth, lack: Lack, subnet: &str) -> Shortage {
        match lack {
            Lack::Agent => Shortage::Agent,
            Lack::NotActive => Shortage::NotActive,
            Lack::Cpu => Shortage::Cpu,
            Lack::Memory => Shortage::Memory,
            Lack::Ports => {
                let taken = self.ports.iter().filter(|&&(port, protocol)| field.port_taken(berth, port, protocol));
                Shortage::Ports { taken: taken.map(|&(port, _)| port).collect() }
            }
            Lack::Attribute(place) => Shortage::Attribute { name: self.scheduling.required_attributes[place].clone() },
            Lack::Constraint(place) => match &self.scheduling.constraints[place] {
                Constraint::DistinctInstance => Shortage::Distinct,
                Constraint::MemberOf { expression } => Shortage::Constraint { expression: expression.clone() },
            },
            Lack::Addresses => Shortage::Addresses { subnet: subnet.into() },
        }
    }
}
