//! What no plan may break, on random snapshots.

use crate::naive;
use crate::world::{NOW, Wish, World, wish};
use model::ecs::MembershipStatus;
use model::network::Range;
use model::unit::placement::BinpackBy;
use model::unit::spec::Protocol;
use model::unit::{Capacity, Constraint, Placement, Strategy};
use model::{Cpu, Memory, NodeId, Snapshot, invariants};
use planner::placement::{Answer, Plan, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;

/// One node in numbers.
pub(crate) type NodeDice = (u64, u64, bool, u8, u8, Option<u16>);

pub(crate) fn a_node() -> impl proptest::strategy::Strategy<Value = NodeDice> {
    (1..9u64, 1..9u64, prop::bool::weighted(0.9), 0..4u8, 0..8u8, prop::option::weighted(0.2, 80..84u16))
}

fn a_wish() -> impl proptest::strategy::Strategy<Value = Wish> {
    let size = (0..5u64, 0..5u64);
    let network = 0..6u8;
    let port = prop::option::weighted(0.4, 80..84u16);
    let capacity = prop::bool::weighted(0.8);
    let constraints = (prop::bool::weighted(0.2), prop::option::weighted(0.3, 0..5usize));
    let rest = (0..3u8, prop::option::weighted(0.2, 0..3usize), vec(0..6u8, 0..3), prop::option::weighted(0.1, 0..6u8));
    let draw = (size, network, port, capacity, constraints, rest, any::<bool>(), prop::bool::weighted(0.8));
    draw.prop_map(|((cpu, memory), network, port, instances, (distinct, member), rest, patient, default)| {
        let (group, attribute, strategies, only_on) = rest;
        let mut made = wish().size(cpu * 128, memory * 128).group(["a", "b", "c"][usize::from(group)]);
        made = match network {
            0 => made.address(&["subnet-a"]),
            1 => made.address(&["subnet-b", "subnet-c"]),
            2 => made.bridged(2),
            _ => made,
        };
        if let (Some(port), 3..) = (port, network) {
            made = made.port(port, if port % 2 == 0 { Protocol::Tcp } else { Protocol::Udp });
        }
        if !instances {
            made = made.capacity(Capacity::Serverless);
        }
        if distinct {
            made = made.distinct();
        }
        if let Some(expression) = member {
            made = made.member_of(
                [
                    "attribute:zone == z1",
                    "attribute:rack !exists",
                    "task:group == a",
                    "not(task:group in [b, c])",
                    "runningTasksCount < 2",
                ][expression],
            );
        }
        if let Some(attribute) = attribute {
            made = made.needs(["gpu", "ecs.cpu-architecture=arm64", "rack=r1"][attribute]);
        }
        for strategy in strategies {
            made = match strategy {
                0 => made.spread("attribute:zone"),
                1 => made.spread("instanceId"),
                2 => made.spread("attribute:rack"),
                3 => made.by(Strategy::Binpack { by: BinpackBy::Cpu }),
                4 => made.by(Strategy::Binpack { by: BinpackBy::Memory }),
                _ => made.by(Strategy::Random),
            };
        }
        if let Some(node) = only_on {
            made = made.only_on(&format!("n{node}"));
        }
        if patient {
            made = made.patient();
        }
        if default { made } else { made.cluster("other") }
    })
}

/// Up to eight nodes, Units placed by a former plan of which some run, and up to sixteen that await.
pub(crate) fn a_world() -> impl proptest::strategy::Strategy<Value = World> {
    a_world_of(0..8, 0..12, 3)
}

/// More nodes than a search looks at one after the other, and Units enough to fill the better tiers.
fn a_large_world() -> impl proptest::strategy::Strategy<Value = World> {
    a_world_of(70..120, 40..80, 8)
}

/// `spare` bits of address for each subnet.
fn a_world_of(
    nodes: std::ops::Range<usize>,
    former: std::ops::Range<usize>,
    spare: u8,
) -> impl proptest::strategy::Strategy<Value = World> {
    let former = vec((a_wish(), any::<bool>()), former);
    (vec(a_node(), nodes), former, vec(a_wish(), 0..16), any::<u64>()).prop_map(
        move |(nodes, former, awaiting, seed)| {
            let mut world = World::new();
            tighten(&mut world, spare);
            for (place, dice) in nodes.iter().enumerate() {
                add_node(&mut world, place, dice);
            }
            for (place, (wish, _)) in former.iter().enumerate() {
                world.awaits(&format!("old{place}"), wish.clone());
            }
            world.settle(seed);
            for (place, (wish, runs)) in former.iter().enumerate() {
                let name = crate::world::task(wish.cluster, &format!("old{place}"));
                if *runs && world.snapshot.units[&name].placement.node().is_some() {
                    world.change(&name, |unit| unit.observed.lifecycle = model::unit::Lifecycle::Running);
                }
            }
            for (place, wish) in awaiting.into_iter().enumerate() {
                world.awaits(&format!("new{place}"), wish);
            }
            world
        },
    )
}

/// Ranges of 2^spare addresses, so that few run out: of eight, three are left in each subnet; containers have twice as many.
fn tighten(world: &mut World, spare: u8) {
    let mut network = (*world.snapshot.networks[&crate::world::scope()].value).clone();
    for subnet in &mut network.subnets {
        subnet.range = Range::new(subnet.range.base, 32 - spare);
    }
    network.container_range = Range::new(network.container_range.base, 31 - spare);
    world.network(network);
}

pub(crate) fn add_node(world: &mut World, place: usize, &(cpu, memory, connected, zone, traits, reserved): &NodeDice) {
    let id = format!("n{place}");
    world.node(&id, |node| {
        node.cpu = Cpu::from_ecs_units(cpu * 128);
        node.memory = Memory::from_mib(memory * 128);
        node.connected = connected;
        node.reserved_ports = reserved.into_iter().collect();
        if zone > 0 {
            node.attributes.insert("zone".into(), Some(format!("z{zone}")));
        }
        if traits & 1 != 0 {
            node.attributes.insert("gpu".into(), None);
            node.attributes.insert("ecs.cpu-architecture".into(), Some("arm64".into()));
        }
    });
    match traits >> 1 {
        1 => world.membership("default", &id, MembershipStatus::Draining, &[]),
        2 => world.membership("default", &id, MembershipStatus::Active, &[("rack", "r1")]),
        3 => world.membership("other", &id, MembershipStatus::Active, &[("rack", "r2"), ("zone", "z1")]),
        _ => {}
    }
}

/// Applies a plan answer by answer and shows each together with the snapshot that it was to be decided on.
fn walk(mut world: World, plan: &Plan, mut see: impl FnMut(&Snapshot, &Answer)) -> Snapshot {
    for answer in &plan.answers {
        see(&world.snapshot, answer);
        world.apply(answer);
    }
    world.snapshot
}

/// The answers that a naive look at every node does not give.
fn wrong_answers(world: World, seed: u64) -> Vec<Answer> {
    let plan = world.plan(seed);
    let mut wrong = Vec::new();
    walk(world, &plan, |before, answer| {
        let unit = &before.units[answer.unit()];
        let room = naive::has_addresses(before, unit);
        let any = before.nodes.keys().any(|node: &NodeId| naive::takes(before, unit, node));
        let right = match answer {
            Answer::Bind(bind) => {
                room && naive::takes(before, unit, &bind.node) && naive::is_best(before, unit, &bind.node)
            }
            Answer::Refuse(_) | Answer::Wait(_) => !(any && room),
        };
        if !right {
            wrong.push(answer.clone());
        }
    });
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_that_awaits_gets_exactly_one_answer_and_no_other_does(world in a_world(), seed: u64) {
        let awaiting: Vec<_> = world.snapshot.awaiting_placement().map(|unit| unit.name.clone()).collect();
        let all = world.snapshot.units.values().chain(world.snapshot.units.values());
        let plan = plan(&world.snapshot, all, NOW, &mut StdRng::seed_from_u64(seed));
        let answered: Vec<_> = plan.answers.iter().map(|answer| answer.unit().clone()).collect();
        prop_assert_eq!(answered, awaiting);
    }

    #[test]
    fn the_same_seed_gives_the_same_plan(world in a_world(), seed: u64) {
        prop_assert_eq!(world.plan(seed), world.plan(seed));
    }

    #[test]
    fn a_settled_snapshot_breaks_no_invariant(world in a_world(), seed: u64) {
        let plan = world.plan(seed);
        let after = walk(world, &plan, |_, _| {});
        prop_assert_eq!(invariants::check(&after), Vec::<String>::new());
    }

    #[test]
    fn no_node_is_ever_given_more_than_it_has(world in a_world(), seed: u64) {
        let plan = world.plan(seed);
        let after = walk(world, &plan, |_, _| {});
        for (id, node) in &after.nodes {
            let used = after.node_use(id);
            prop_assert!(used.cpu <= node.cpu && used.memory <= node.memory, "{id}: {used:?}");
        }
    }

    #[test]
    fn no_host_port_is_held_twice_nor_taken_from_the_machine(world in a_world(), seed: u64) {
        let plan = world.plan(seed);
        let after = walk(world, &plan, |_, _| {});
        for (id, node) in &after.nodes {
            let ports: Vec<_> =
                after.units_of_node(id).flat_map(|unit| after.specs[&unit.spec].fixed_host_ports().collect::<Vec<_>>()).collect();
            prop_assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
            prop_assert!(ports.iter().all(|(port, _)| !node.reserved_ports.contains(port)));
        }
    }

    #[test]
    fn no_address_is_held_twice_and_each_is_of_a_subnet_that_the_unit_named(world in a_world(), seed: u64) {
        let plan = world.plan(seed);
        let after = walk(world, &plan, |_, _| {});
        let held: Vec<_> = after.nodes.keys().flat_map(|node| naive::addresses_on(&after, node)).collect();
        prop_assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len());
        for unit in after.units.values() {
            let Some(own) = unit.placement.address() else { continue };
            let subnet = after.networks[&crate::world::scope()].subnet(&own.subnet).unwrap().clone();
            prop_assert!(unit.scheduling.subnets.contains(&own.subnet) && subnet.range.contains(own.address));
        }
    }

    #[test]
    fn units_that_ask_to_be_apart_from_their_group_are_when_they_come(world in a_world(), seed: u64) {
        let plan = world.plan(seed);
        let mut together = Vec::new();
        walk(world, &plan, |before, answer| {
            let Answer::Bind(bind) = answer else { return };
            let unit = &before.units[&bind.unit];
            if unit.scheduling.constraints.contains(&Constraint::DistinctInstance)
                && naive::group_on(before, unit, &bind.node) > 0
            {
                together.push(bind.clone());
            }
        });
        prop_assert_eq!(together, vec![]);
    }

    #[test]
    fn a_unit_is_bound_where_a_naive_look_finds_the_best_node_and_refused_only_where_it_finds_none(
        world in a_world(),
        seed: u64,
    ) {
        prop_assert_eq!(wrong_answers(world, seed), vec![]);
    }

    #[test]
    fn a_refusal_names_each_node_that_was_looked_at_once(world in a_world(), seed: u64) {
        for answer in &world.plan(seed).answers {
            let (Answer::Refuse(refuse) | Answer::Wait(refuse)) = answer else { continue };
            let fixed = world.snapshot.units[&refuse.unit].scheduling.node.clone();
            let looked_at: BTreeSet<_> =
                world.snapshot.nodes.keys().filter(|node| fixed.as_ref().is_none_or(|only| only == *node)).collect();
            prop_assert_eq!(refuse.refusal.nodes.len(), looked_at.len());
            prop_assert_eq!(refuse.refusal.nodes.iter().map(|(node, _)| node).collect::<BTreeSet<_>>(), looked_at);
        }
    }

    #[test]
    fn commit_sized_runs_hold_every_answer_in_order_within_the_limit(world in a_world(), seed: u64, limit in 2..8usize) {
        let plan = world.plan(seed);
        let batches: Vec<_> = plan.batches(limit).collect();
        prop_assert_eq!(batches.concat(), plan.answers.clone());
        for batch in batches {
            let binds: Vec<_> = batch.iter().filter_map(|a| if let Answer::Bind(bind) = a { Some(&bind.node) } else { None }).collect();
            let refusals = batch.iter().filter(|answer| matches!(answer, Answer::Refuse(_))).count();
            let nodes = binds.iter().collect::<BTreeSet<_>>().len();
            prop_assert!(binds.len() + nodes + refusals <= limit);
        }
    }

    #[test]
    fn bindings_carry_the_ledger_and_time_that_they_were_decided_on(world in a_world(), seed: u64) {
        for answer in &world.plan(seed).answers {
            let Answer::Bind(bind) = answer else { continue };
            let ledger = world.snapshot.ledgers.get(&bind.node).map_or(0, |ledger| ledger.revision);
            prop_assert_eq!(bind.ledger_revision, ledger);
            let Placement::Bound { node, at, .. } = &bind.placement else { panic!("{bind:?}") };
            prop_assert_eq!((node, *at), (&bind.node, NOW));
        }
    }

    #[test]
    fn no_hole_in_a_snapshot_makes_the_planner_panic(world in a_world(), seed: u64, holes in vec(0..6u8, 1..4)) {
        let mut snapshot = world.snapshot;
        for hole in holes {
            match hole {
                0 => snapshot.set_node(&NodeId::new("n0"), None),
                1 => snapshot.specs.clear(),
                2 => snapshot.networks.clear(),
                3 => snapshot.clusters.clear(),
                4 => snapshot.ledgers.clear(),
                _ => snapshot.nodes.clone().keys().for_each(|node| snapshot.set_node(node, None)),
            }
        }
        let awaiting = snapshot.awaiting_placement().count();
        let plan = World { snapshot }.plan(seed);
        prop_assert_eq!(plan.answers.len(), awaiting);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_it_is_among_more_nodes_than_a_search_looks_at(world in a_large_world(), seed: u64) {
        prop_assert_eq!(wrong_answers(world, seed), vec![]);
    }
}
