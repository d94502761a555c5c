//! Why no node takes a Unit, as data: what each node lacks, and the one reason that stands for all.

use super::address::Exhausted;
use super::field::Field;
use super::filter::{Demand, Lack};
use model::snapshot::fleet::{Berth, ClassId, View};
use model::unit::Refusal;
use model::unit::placement::Shortage;
use model::{Cpu, Memory, NodeId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The refusal of a Unit that no node was looked at for.
pub(super) fn without_nodes() -> Refusal {
    Refusal { nodes: Vec::new(), main: Shortage::NoNode }
}

/// Says what every node lacks, and of some of them which it is; nodes that lack nothing failed for want of an address.
///
/// The main reason is of the step that sorted out the last candidates, as ECS answers RunTask, and of that step the commonest.
pub(super) fn explain<'a>(field: &Field<'a>, demand: &Demand<'a>, no_address: Option<Exhausted>) -> Refusal {
    let subnet = no_address.map(|exhausted| exhausted.subnet).unwrap_or_default();
    let lacking = match &demand.scheduling.node {
        Some(fixed) => Lacking::of_one(field, demand, fixed),
        None => Lacking::of_all(field, demand),
    };
    let last = lacking.by_lack.iter().min_by_key(|(lack, nodes)| (Reverse(lack.step()), Reverse(nodes.count), **lack));
    let Some((&main, nodes)) = last else { return without_nodes() };
    let named = lacking.named(field, demand);
    let first = named.iter().find(|(lack, _)| *lack == main).map_or(nodes.some, |(_, berth)| *berth);
    let told = |(lack, berth)| Some((field.fleet.id(berth)?.clone(), demand.shortage(field, berth, lack, &subnet)));
    Refusal { main: demand.shortage(field, first, main, &subnet), nodes: named.into_iter().filter_map(told).collect() }
}

/// The nodes that were looked at, by the first thing that they lack.
#[derive(Default)]
struct Lacking {
    by_lack: BTreeMap<Lack, Nodes>,
}

struct Nodes {
    count: usize,
    /// One of them.
    some: Berth,
}

impl Lacking {
    fn add(&mut self, lack: Lack, count: usize, some: Berth) {
        if count > 0 {
            self.by_lack.entry(lack).or_insert(Nodes { count: 0, some }).count += count;
        }
    }

    fn of_one<'a>(field: &Field<'a>, demand: &Demand<'a>, id: &NodeId) -> Self {
        let mut lacking = Self::default();
        if let Some(berth) = field.fleet.berth(id).filter(|berth| field.fleet.node(*berth).is_some()) {
            lacking.add(lack(field, demand, berth), 1, berth);
        }
        lacking
    }

    /// By class, so that only those are looked at which have the cpu and the memory, or which the cluster has marked.
    fn of_all<'a>(field: &Field<'a>, demand: &Demand<'a>) -> Self {
        let (fleet, need) = (&field.fleet, demand.reserve());
        let mut lacking = Self::default();
        let mut marked: BTreeMap<ClassId, Vec<(Cpu, Memory)>> = BTreeMap::new();
        for (berth, _) in demand.view.into_iter().flat_map(View::marked) {
            if let Some(class) = fleet.stand(berth).offered() {
                lacking.add(lack(field, demand, berth), 1, berth);
                marked.entry(class).or_default().push(fleet.free(berth));
            }
        }
        let mut away = field.snapshot.nodes.len();
        for (class, of) in fleet.classes() {
            let Some(some) = fleet.member(fleet.members_from(class)) else { continue };
            let (members, marked) = (fleet.members(class), marked.get(&class).map_or(&[][..], Vec::as_slice));
            let less = marked.iter().filter(|(cpu, _)| *cpu < need.cpu).count();
            let less = fleet.by_cpu().with_less(class, need.cpu) - less;
            let of_all = demand.lack_of_all(field, of.attributes());
            let mut roomy = 0;
            for (.., berth) in fleet.by_cpu().with_room(class, need.cpu, need.memory) {
                if demand.view.is_none_or(|view| view.standing(berth).is_none()) {
                    roomy += 1;
                    lacking.add(of_all.unwrap_or_else(|| lack(field, demand, berth)), 1, berth);
                }
            }
            lacking.add(Lack::Cpu, less, some);
            lacking.add(Lack::Memory, members - marked.len() - less - roomy, some);
            away -= members;
        }
        if let Some(some) = field.snapshot.nodes.keys().next().and_then(|id| fleet.berth(id)) {
            lacking.add(Lack::Agent, away, some);
        }
        lacking
    }

    /// As many nodes as a refusal names, those with the commonest lack first and otherwise in the order of their ids.
    fn named<'a>(&self, field: &Field<'a>, demand: &Demand<'a>) -> Vec<(Lack, Berth)> {
        let mut commonest: Vec<(Lack, usize)> = self.by_lack.iter().map(|(lack, nodes)| (*lack, nodes.count)).collect();
        commonest.sort_by_key(|(lack, count)| (Reverse(*count), *lack));
        let mut room = Refusal::MAX_NODES;
        let mut wanted: Vec<(Lack, usize, Vec<Berth>)> = Vec::new();
        for (lack, count) in commonest {
            wanted.push((lack, count.min(room), Vec::new()));
            room -= count.min(room);
        }
        let mut missing = Refusal::MAX_NODES - room;
        let only = demand.scheduling.node.as_ref();
        let nodes = field.snapshot.nodes.keys().filter(|id| only.is_none_or(|only| only == *id));
        for berth in nodes.filter_map(|id| field.fleet.berth(id)) {
            if missing == 0 {
                break;
            }
            let lack = lack(field, demand, berth);
            let of_lack = wanted.iter_mut().find(|(of, count, named)| *of == lack && named.len() < *count);
            if let Some((.., named)) = of_lack {
                named.push(berth);
                missing -= 1;
            }
        }
        wanted.into_iter().flat_map(|(lack, _, named)| named.into_iter().map(move |berth| (lack, berth))).collect()
    }
}

fn lack<'a>(field: &Field<'a>, demand: &Demand<'a>, berth: Berth) -> Lack {
    demand.lack(field, berth).unwrap_or(Lack::Addresses)
}
