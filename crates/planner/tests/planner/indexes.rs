//! What a snapshot's indexes say is what a recount says, whatever has happened and in whatever order.

use crate::safety::{NodeDice, a_node, a_world, add_node};
use crate::world::{NOW, World, cluster};
use model::snapshot::fleet::{ClassId, Fleet, Standing};
use model::unit::spec::Protocol;
use model::unit::{Face, Lifecycle};
use model::{Cpu, Memory, NodeId, Snapshot};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to a Unit or to a node, by its place among them.
#[derive(Clone, Debug)]
enum Event {
    UnitForgotten(usize),
    StopWished(usize),
    UnitStopped(usize),
    UnitSeenStopped(usize),
    NodeChanges(usize, NodeDice),
    NodeGoes(usize),
    MembershipGoes(usize),
}

fn an_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..32usize).prop_map(Event::UnitForgotten),
        (0..32usize).prop_map(Event::StopWished),
        (0..32usize).prop_map(Event::UnitStopped),
        (0..32usize).prop_map(Event::UnitSeenStopped),
        (0..8usize, a_node()).prop_map(|(place, dice)| Event::NodeChanges(place, dice)),
        (0..8usize).prop_map(Event::NodeGoes),
        (0..8usize).prop_map(Event::MembershipGoes),
    ]
}

fn happen(world: &mut World, event: Event) {
    let unit = |world: &World, place: usize| world.snapshot.units.keys().nth(place).cloned();
    match event {
        Event::UnitForgotten(place) => {
            unit(world, place).into_iter().for_each(|name| world.snapshot.set_unit(&name, None));
        }
        Event::StopWished(place) => unit(world, place).into_iter().for_each(|name| world.stop_wish(&name, NOW)),
        Event::UnitStopped(place) => {
            let name = unit(world, place);
            name.into_iter().for_each(|name| world.change(&name, |unit| unit.observed.lifecycle = Lifecycle::Stopped));
        }
        Event::UnitSeenStopped(place) => {
            unit(world, place)
                .into_iter()
                .for_each(|name| world.change(&name, |unit| unit.observed.stopped_at = Some(NOW)));
        }
        Event::NodeChanges(place, dice) => add_node(world, place, &dice),
        Event::NodeGoes(place) => world.snapshot.set_node(&NodeId::new(format!("n{place}")), None),
        Event::MembershipGoes(place) => {
            for of in ["default", "other"] {
                world.snapshot.set_membership(&(cluster(of), NodeId::new(format!("n{place}"))), None);
            }
        }
    }
}

/// The same records, written in another order.
fn rebuilt(snapshot: &Snapshot, nodes_first: bool) -> Snapshot {
    let mut fresh = Snapshot::default();
    fresh.specs = snapshot.specs.clone();
    let nodes = |fresh: &mut Snapshot| {
        snapshot.nodes.iter().rev().for_each(|(id, node)| fresh.set_node(id, Some(node.clone())));
    };
    if nodes_first {
        nodes(&mut fresh);
    }
    snapshot.units.iter().rev().for_each(|(name, unit)| fresh.set_unit(name, Some(unit.clone())));
    snapshot.memberships.iter().for_each(|(id, membership)| fresh.set_membership(id, Some(membership.clone())));
    if !nodes_first {
        nodes(&mut fresh);
    }
    fresh
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_indexes_of_a_snapshot_say_what_a_recount_says(
        world in a_world(),
        seed: u64,
        events in vec(an_event(), 0..40),
        nodes_first: bool,
    ) {
        let mut world = world;
        world.settle(seed);
        events.into_iter().for_each(|event| happen(&mut world, event));
        let fresh = rebuilt(&world.snapshot, nodes_first);
        prop_assert_eq!(indexes(&world.snapshot), indexes(&fresh));
        prop_assert_eq!(fleet(&world.snapshot), fleet(&fresh));
        check_fleet(&world.snapshot);
    }
}

/// All that the indexes over Units answer, as text.
fn indexes(snapshot: &Snapshot) -> String {
    let short = |unit: &model::Versioned<model::Unit>| unit.name.short().to_owned();
    let mut all = format!(
        "{:?} {:?} {:?}",
        snapshot.awaiting_placement().map(short).collect::<Vec<_>>(),
        snapshot.ended_units().map(|(at, unit)| (at, short(unit))).collect::<Vec<_>>(),
        snapshot.refused_units().map(short).collect::<Vec<_>>(),
    );
    for node in (0..8).map(|place| NodeId::new(format!("n{place}"))) {
        let ports: Vec<_> = (80..84)
            .flat_map(|port| [(port, Protocol::Tcp), (port, Protocol::Udp)])
            .filter(|&(port, protocol)| snapshot.host_port_taken(&node, port, protocol))
            .collect();
        let units: Vec<_> = snapshot.units_of_node(&node).map(short).collect();
        all += &format!("\n{node} {:?} {ports:?} {units:?}", snapshot.node_use(&node));
    }
    for unit in snapshot.units.values() {
        let group = snapshot.units_of_group(unit.name.cluster(), &unit.scheduling.group).map(short).collect::<Vec<_>>();
        let address = unit.placement.address().map(|own| snapshot.address_taken(&own.address));
        let Face::Ecs(face) = &unit.face;
        let uses = (snapshot.spec_uses(&unit.spec), snapshot.definition_uses(&face.task_definition));
        all += &format!("\n{} {group:?} {address:?} {uses:?}", short(unit));
    }
    all
}

/// All that the indexes over nodes answer, with names for berths and attributes for classes.
fn fleet(snapshot: &Snapshot) -> BTreeSet<String> {
    let fleet = snapshot.fleet();
    let mut all: BTreeSet<String> = fleet.classes().map(|(id, _)| class(fleet, id)).collect();
    for name in ["default", "other"].map(cluster) {
        let Some(view) = fleet.view(&name) else { continue };
        all.extend(view.classes().map(|id| format!("{} sees {}", name.name, class(fleet, id))));
        all.extend(view.marked().map(|(berth, standing)| match standing {
            Standing::Own(id) => format!("{} sees {:?} as {}", name.name, fleet.id(berth), class(fleet, id)),
            Standing::Out => format!("{} sees {:?} out", name.name, fleet.id(berth)),
        }));
    }
    for unit in snapshot.units.values() {
        let crowd = fleet.crowd(unit.name.cluster(), &unit.scheduling.group);
        let nodes: BTreeMap<_, _> = crowd.nodes().map(|(berth, count)| (fleet.id(berth), count)).collect();
        let held: BTreeSet<_> = crowd.held().map(|(id, count)| (class(fleet, id), count)).collect();
        all.insert(format!("{:?} {}: {nodes:?} {held:?}", unit.name.cluster(), unit.scheduling.group));
    }
    all
}

fn class(fleet: &Fleet, id: ClassId) -> String {
    let class = fleet.class(id).unwrap();
    let free: BTreeSet<_> = fleet
        .by_cpu()
        .with_room(id, Cpu::ZERO, Memory::ZERO)
        .map(|(cpu, memory, berth)| (cpu, memory, fleet.id(berth)))
        .collect();
    format!("{:?} of {:?}: {free:?}", class.attributes(), fleet.class(class.plain()).map(|plain| plain.attributes()))
}

/// The indexes over nodes against the records.
fn check_fleet(snapshot: &Snapshot) {
    let fleet = snapshot.fleet();
    for (id, node) in &snapshot.nodes {
        let berth = fleet.berth(id).unwrap();
        let used = snapshot.node_use(id);
        assert_eq!(fleet.id(berth), Some(id));
        assert_eq!(fleet.free(berth), (node.cpu.saturating_sub(used.cpu), node.memory.saturating_sub(used.memory)));
    }
    let connected = snapshot.nodes.values().filter(|node| node.connected).count();
    assert_eq!(fleet.classes().map(|(id, _)| fleet.members(id)).sum::<usize>(), connected);
    for (id, _) in fleet.classes() {
        let members: Vec<_> =
            (0..fleet.members(id)).map(|at| fleet.member(fleet.members_from(id) + at).unwrap()).collect();
        let by_cpu: Vec<_> = fleet.by_cpu().with_room(id, Cpu::ZERO, Memory::ZERO).collect();
        let by_memory: Vec<_> = fleet.by_memory().with_room(id, Memory::ZERO, Cpu::ZERO).collect();
        assert!(by_cpu.is_sorted() && by_memory.is_sorted());
        assert!(by_cpu.iter().all(|&(cpu, memory, berth)| fleet.free(berth) == (cpu, memory)));
        assert_eq!(by_cpu.iter().map(|all| all.2).collect::<BTreeSet<_>>(), members.iter().copied().collect());
        assert_eq!(by_memory.iter().map(|all| all.2).collect::<BTreeSet<_>>(), members.iter().copied().collect());
        for unit in snapshot.units.values() {
            let crowd = fleet.crowd(unit.name.cluster(), &unit.scheduling.group);
            let on = |berth| crowd.on(berth, fleet.stand(berth));
            let empty: Vec<_> = members.iter().copied().filter(|&berth| on(berth) == 0).collect();
            assert_eq!(fleet.empty(id, &crowd), empty.len());
            let found: Vec<_> = (0..empty.len()).map(|number| fleet.nth_empty(id, &crowd, number).unwrap()).collect();
            assert_eq!(found, empty);
            assert_eq!(crowd.places(id).len(), members.len() - empty.len());
            let least = members.iter().map(|&berth| on(berth)).filter(|&count| count > 0).min();
            assert_eq!(crowd.least(id), least);
            for from in crowd.places(id) {
                let found = crowd.with_at_most(id, least.unwrap(), from).unwrap();
                assert_eq!((on(found), members.contains(&found)), (least.unwrap(), true));
            }
        }
    }
}
