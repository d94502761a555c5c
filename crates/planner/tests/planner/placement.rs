//! Each rule of placement as a sentence.

use crate::world::{NOW, World, at, cluster, nodes_of, refusal_of, task, wish};
use model::ecs::{ClusterStatus, MembershipStatus};
use model::network::{Network, Range};
use model::unit::placement::{BinpackBy, Shortage, UnitAddress};
use model::unit::spec::Protocol;
use model::unit::{Capacity, Lifecycle, Placement, Refusal, Strategy};
use model::{Cpu, Memory, NodeId};
use planner::placement::{Answer, plan};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod what_a_node_must_have {
    use super::*;

    #[test]
    fn cpu_and_memory_for_all_that_it_holds() {
        let mut world = World::new();
        world.nodes(&["n1", "n2"]).runs("old", "n1", wish().size(600, 64)).awaits("new", wish().size(500, 64));
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
        world.runs("old2", "n2", wish().size(64, 1000));
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
    }

    #[test]
    fn exactly_enough_is_enough() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish().size(1024, 1024));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn what_a_stopped_unit_held_is_free_again_but_not_what_a_stopping_one_holds() {
        let mut world = World::new();
        world.nodes(&["n1"]).runs("old", "n1", wish().size(1024, 64)).awaits("new", wish());
        world.change(&task("default", "old"), |unit| unit.observed.lifecycle = Lifecycle::Stopping);
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Cpu);
        world.change(&task("default", "old"), |unit| unit.observed.lifecycle = Lifecycle::Stopped);
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn a_connected_agent() {
        let mut world = World::new();
        world.node("n1", |node| node.connected = false).awaits("new", wish());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Agent);
    }

    #[test]
    fn an_active_membership_of_the_units_own_cluster() {
        for status in [MembershipStatus::Draining, MembershipStatus::Inactive] {
            let mut world = World::new();
            world.nodes(&["n1"]);
            world.membership("default", "n1", status, &[]);
            world.awaits("new", wish());
            assert_eq!(refusal_of(&world.plan(1)), Shortage::NotActive);
        }
        let mut world = World::new();
        world.nodes(&["n1"]);
        world.membership("other", "n1", MembershipStatus::Draining, &[]);
        assert_eq!(nodes_of(&world.awaits("new", wish()).plan(1)), ["n1"]);
    }

    #[test]
    fn its_fixed_host_ports_free_of_units_and_of_the_machines_own() {
        let web = || wish().port(80, Protocol::Tcp);
        let mut world = World::new();
        world.nodes(&["n1"]).runs("old", "n1", web()).awaits("new", web());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Ports { taken: vec![80] });
        world.node("n2", |node| node.reserved_ports = vec![22, 80]);
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
        world.nodes(&["n3"]);
        assert_eq!(nodes_of(&world.plan(1)), ["n3"]);
    }

    #[test]
    fn a_port_of_the_other_protocol_is_another_port() {
        let mut world = World::new();
        world.nodes(&["n1"]).runs("old", "n1", wish().port(53, Protocol::Tcp));
        world.awaits("new", wish().port(53, Protocol::Udp));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn required_attributes_by_name_from_the_node_or_from_the_membership() {
        let mut world = World::new();
        world.nodes(&["n1", "n2", "n3"]);
        world.node("n2", |node| drop(node.attributes.insert("gpu".into(), None)));
        world.awaits("new", wish().needs("gpu"));
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
        world.awaits("new", wish().needs("gpu").needs("rack"));
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
        world.membership("default", "n2", MembershipStatus::Active, &[("rack", "r1")]);
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
    }

    #[test]
    fn required_attributes_by_value_where_one_is_named() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish().needs("ecs.cpu-architecture=arm64"));
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Attribute { name: "ecs.cpu-architecture=arm64".into() });
        world.awaits("new", wish().needs("ecs.cpu-architecture=x86_64"));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn serverless_units_see_no_membership_and_of_attributes_only_the_platform() {
        let mut world = World::new();
        world.nodes(&["n1"]);
        world.membership("default", "n1", MembershipStatus::Draining, &[]);
        for capacity in [Capacity::Serverless, Capacity::ServerlessSpot] {
            world.awaits("new", wish().capacity(capacity).needs("ecs.capability.secrets").needs("ecs.os-type=linux"));
            assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
            world.awaits("new", wish().capacity(capacity).needs("ecs.cpu-architecture=arm64"));
            assert_eq!(nodes_of(&world.plan(1)), ["-"]);
        }
    }

    #[test]
    fn a_unit_with_a_fixed_node_gets_that_one_or_none() {
        let mut world = World::new();
        world.nodes(&["n1", "n2", "n3"]).awaits("new", wish().only_on("n2"));
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
        world.runs("old", "n2", wish().size(1000, 64));
        let refusal = Refusal { nodes: vec![(NodeId::new("n2"), Shortage::Cpu)], main: Shortage::Cpu };
        match &world.plan(1).answers[..] {
            [Answer::Refuse(refuse)] => assert_eq!(refuse.refusal, refusal),
            other => panic!("{other:?}"),
        }
        world.awaits("new", wish().only_on("gone"));
        assert_eq!(refusal_of(&world.plan(1)), Shortage::NoNode);
    }
}

mod constraints {
    use super::*;

    #[test]
    fn distinct_instance_keeps_a_group_apart_from_itself_and_from_no_other() {
        let mut world = World::new();
        world.nodes(&["n1", "n2"]).runs("old", "n1", wish());
        world.awaits("new", wish().distinct());
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
        world.runs("old2", "n2", wish().group("family:other"));
        assert_eq!(nodes_of(&world.plan(1)), ["n2"]);
        world.runs("old3", "n2", wish());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Distinct);
    }

    #[test]
    fn distinct_instance_looks_into_its_own_cluster_only() {
        let mut world = World::new();
        world.make_cluster("other", ClusterStatus::Active, at(0));
        world.nodes(&["n1"]).runs("old", "n1", wish().cluster("other")).awaits("new", wish().distinct());
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn member_of_asks_the_cluster_query_language() {
        let mut world = World::new();
        world.nodes(&["n1", "n2", "n3"]);
        world.membership("default", "n2", MembershipStatus::Active, &[("stack", "prod")]);
        world.runs("busy", "n3", wish().group("database"));
        let lands =
            |world: &mut World, expression| nodes_of(&world.awaits("new", wish().member_of(expression)).plan(1));
        assert_eq!(lands(&mut world, "attribute:stack == prod"), ["n2"]);
        assert_eq!(lands(&mut world, "task:group == database"), ["n3"]);
        assert_eq!(lands(&mut world, "attribute:stack !exists and not(task:group == database)"), ["n1"]);
        assert_eq!(lands(&mut world, "runningTasksCount >= 1"), ["n3"]);
        assert_eq!(lands(&mut world, "ec2InstanceId in [n1]"), ["n1"]);
        assert_eq!(lands(&mut world, "agentVersion > 1.0.0"), ["-"]);
    }

    #[test]
    fn running_tasks_are_the_clusters_own_on_its_instances_and_only_those_that_run() {
        let mut world = World::new();
        world.nodes(&["n1"]).runs("own", "n1", wish()).runs("foreign", "n1", wish().cluster("other"));
        world.runs("fargate", "n1", wish().capacity(Capacity::Serverless)).runs("starting", "n1", wish());
        world.change(&task("default", "starting"), |unit| unit.observed.lifecycle = Lifecycle::Preparing);
        world.awaits("new", wish().member_of("runningTasksCount == 1"));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn a_node_is_registered_since_it_and_the_cluster_both_are() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish().member_of("registeredAt == 1970-01-01T00:00:01Z"));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
        world.make_cluster("default", ClusterStatus::Active, at(5000));
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
    }

    #[test]
    fn an_expression_that_cannot_be_read_is_satisfied_nowhere() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish().member_of("stack = prod"));
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Constraint { expression: "stack = prod".into() });
    }

    #[test]
    fn all_constraints_must_hold() {
        let mut world = World::new();
        world.nodes(&["n1", "n2"]).runs("old", "n1", wish());
        world.awaits("new", wish().distinct().member_of("ec2InstanceId == n1"));
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
    }
}

mod one_plan_for_many {
    use super::*;

    #[test]
    fn each_unit_sees_the_room_that_those_before_it_took() {
        let mut world = World::new();
        world.nodes(&["n1"]);
        for id in ["a", "b", "c"] {
            world.awaits(id, wish().size(400, 64));
        }
        assert_eq!(nodes_of(&world.plan(1)), ["n1", "n1", "-"]);
    }

    #[test]
    fn each_unit_sees_ports_and_groups_that_those_before_it_took() {
        let mut world = World::new();
        world.nodes(&["n1", "n2"]);
        for id in ["a", "b", "c"] {
            world.awaits(id, wish().port(80, Protocol::Tcp));
        }
        let mut apart = World::new();
        apart.nodes(&["n1", "n2"]);
        for id in ["a", "b", "c"] {
            apart.awaits(id, wish().distinct());
        }
        for mut nodes in [nodes_of(&world.plan(1)), nodes_of(&apart.plan(1))] {
            assert_eq!(nodes.pop().unwrap(), "-");
            nodes.sort();
            assert_eq!(nodes, ["n1", "n2"]);
        }
    }

    #[test]
    fn an_expression_over_groups_sees_what_the_plan_placed() {
        let mut world = World::new();
        world.nodes(&["n1", "n2", "n3"]);
        world.awaits("a", wish().group("database"));
        world.awaits("b", wish().group("web").member_of("task:group == database"));
        let nodes = nodes_of(&world.plan(3));
        assert_eq!(nodes[0], nodes[1]);
    }

    #[test]
    fn a_unit_named_twice_is_answered_once_and_one_that_needs_no_answer_not_at_all() {
        let mut world = World::new();
        world.nodes(&["n1"]).runs("old", "n1", wish()).awaits("new", wish()).awaits("stopping", wish());
        world.stop_wish(&task("default", "stopping"), at(5));
        let units: Vec<_> = world.snapshot.units.values().collect();
        let twice = units.iter().chain(&units).copied();
        let plan = plan(&world.snapshot, twice, NOW, &mut StdRng::seed_from_u64(1));
        assert_eq!(plan.answers.iter().map(|answer| answer.unit().short()).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn a_binding_names_the_revisions_that_it_was_decided_on() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("a", wish());
        world.settle(1);
        world.awaits("b", wish());
        let ledger = world.snapshot.ledgers[&NodeId::new("n1")].revision;
        let Answer::Bind(bind) = world.plan(1).answers.remove(0) else { panic!("there is room") };
        assert_eq!(bind.unit_revision, world.snapshot.units[&task("default", "b")].revision);
        assert_eq!(bind.ledger_revision, ledger);
        assert!(ledger > 0);
    }

    #[test]
    fn a_plan_is_cut_into_runs_that_fit_a_commit() {
        let mut world = World::new();
        world.nodes(&["n1"]);
        for number in 0..10 {
            world.awaits(&format!("t{number}"), wish().size(128, 64));
        }
        let plan = world.plan(1);
        // Eight bindings, a ledger for each run, then two refusals.
        assert_eq!(plan.batches(5).map(<[Answer]>::len).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(plan.batches(100).count(), 1);
    }
}

mod strategies {
    use super::*;

    /// Four nodes: n1 and n2 in zone a, n3 in zone b, n4 without a zone.
    fn zoned() -> World {
        let mut world = World::new();
        for (id, zone) in [("n1", Some("a")), ("n2", Some("a")), ("n3", Some("b")), ("n4", None)] {
            world.node(id, |node| {
                if let Some(zone) = zone {
                    node.attributes.insert("zone".into(), Some(zone.into()));
                }
            });
        }
        world
    }

    #[test]
    fn spread_over_an_attribute_evens_out_its_values_nodes_without_it_being_one() {
        let mut world = zoned();
        for number in 0..9 {
            world.awaits(&format!("t{number}"), wish().size(64, 64).spread("attribute:zone"));
        }
        let counts = tally(nodes_of(&world.plan(7)));
        assert_eq!(
            (counts.get("n1").unwrap_or(&0) + counts.get("n2").unwrap_or(&0), counts["n3"], counts["n4"]),
            (3, 3, 3)
        );
    }

    #[test]
    fn spread_over_instances_evens_out_nodes_by_either_name() {
        for field in ["instanceId", "host"] {
            let mut world = zoned();
            for number in 0..8 {
                world.awaits(&format!("t{number}"), wish().size(64, 64).spread(field));
            }
            assert!(tally(nodes_of(&world.plan(7))).values().all(|&count| count == 2), "{field}");
        }
    }

    #[test]
    fn spread_counts_the_units_own_group_in_its_own_cluster_and_full_nodes_too() {
        let mut world = zoned();
        world.runs("full", "n3", wish().size(1024, 64));
        world.runs("n4's", "n4", wish());
        for number in 0..3 {
            world.runs(&format!("stranger{number}"), "n1", wish().group("family:other"));
            world.runs(&format!("stranger{number}"), "n1", wish().cluster("other"));
        }
        world.awaits("new", wish().spread("attribute:zone").spread("instanceId"));
        assert!(["n1", "n2"].contains(&&*nodes_of(&world.plan(1))[0]));
    }

    #[test]
    fn chained_strategies_break_each_others_ties() {
        let mut world = zoned();
        world.runs("old", "n1", wish().size(64, 64).group("family:other"));
        world.runs("zone-b", "n3", wish()).runs("no-zone", "n4", wish());
        let strategy = Strategy::Binpack { by: BinpackBy::Cpu };
        world.awaits("new", wish().spread("attribute:zone").by(strategy));
        for seed in 0..10 {
            assert_eq!(nodes_of(&world.plan(seed)), ["n1"], "zone a is emptiest, and n1 is the fuller of its two");
        }
    }

    #[test]
    fn binpack_takes_the_node_with_the_least_left_that_is_still_enough() {
        for (by, expected) in [(BinpackBy::Cpu, "n1"), (BinpackBy::Memory, "n2")] {
            let mut world = World::new();
            world.nodes(&["n1", "n2", "n3", "n4"]);
            world.runs("a", "n1", wish().size(500, 100)).runs("b", "n2", wish().size(100, 500));
            world.runs("full", "n4", wish().size(1000, 1000));
            world.awaits("new", wish().by(Strategy::Binpack { by }));
            for seed in 0..10 {
                assert_eq!(nodes_of(&world.plan(seed)), [expected]);
            }
        }
    }

    #[test]
    fn random_and_no_strategy_use_every_node_that_takes_the_unit_about_evenly() {
        for wish in [wish(), wish().by(Strategy::Random)] {
            let mut world = World::new();
            world.nodes(&["n1", "n2", "n3", "n4"]).node("down", |node| node.connected = false).awaits("new", wish);
            let nodes = (0..400).map(|seed| nodes_of(&world.plan(seed)).remove(0)).collect();
            let counts = tally(nodes);
            assert_eq!(counts.len(), 4);
            assert!(counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn the_one_node_with_room_among_many_is_always_found() {
        let mut world = World::new();
        for number in 0..200 {
            world.node(&format!("small{number}"), |node| node.cpu = Cpu::from_ecs_units(64));
        }
        world.nodes(&["big"]).awaits("new", wish());
        for seed in 0..20 {
            assert_eq!(nodes_of(&world.plan(seed)), ["big"]);
        }
    }

    fn tally(nodes: Vec<String>) -> BTreeMap<String, usize> {
        nodes.into_iter().fold(BTreeMap::new(), |mut counts, node| {
            *counts.entry(node).or_default() += 1;
            counts
        })
    }
}

mod addresses {
    use super::*;

    fn addresses(world: &World) -> Vec<UnitAddress> {
        world.snapshot.units.values().filter_map(|unit| unit.placement.address().cloned()).collect()
    }

    /// A network whose subnets have so many usable addresses: 3 in a, 11 in b, 3 in c and 3 for containers.
    fn narrow() -> World {
        let mut world = World::new();
        let mut network = (*world.snapshot.networks[&crate::world::scope()].value).clone();
        for (subnet, prefix) in network.subnets.iter_mut().zip([29, 28, 29]) {
            subnet.range = Range::new(subnet.range.base, prefix);
        }
        network.container_range = Range::new(network.container_range.base, 29);
        world.network(network);
        world.node("n1", |node| node.cpu = Cpu::from_cores(100));
        world
    }

    #[test]
    fn a_unit_that_wants_none_gets_none() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("a", wish()).awaits("b", wish().port(80, Protocol::Tcp)).settle(1);
        assert_eq!(addresses(&world), []);
    }

    #[test]
    fn every_usable_address_of_a_subnet_is_handed_out_once_and_then_it_is_full() {
        let mut world = narrow();
        for number in 0..4 {
            world.awaits(&format!("t{number}"), wish().size(1, 1).address(&["subnet-a"]));
        }
        let plan = world.settle(3);
        let held: BTreeSet<String> = addresses(&world).iter().map(|own| own.address.to_string()).collect();
        assert_eq!(held, BTreeSet::from(["10.42.0.4".into(), "10.42.0.5".into(), "10.42.0.6".into()]));
        let Answer::Refuse(refuse) = &plan.answers[3] else { panic!("the subnet is full") };
        assert_eq!(refuse.refusal.main, Shortage::Addresses { subnet: "subnet-a".into() });
        assert_eq!(refuse.refusal.nodes.len(), 1);
    }

    #[test]
    fn an_address_comes_back_when_its_unit_has_stopped() {
        let mut world = narrow();
        for number in 0..3 {
            world.awaits(&format!("t{number}"), wish().size(1, 1).address(&["subnet-a"]));
        }
        world.settle(1);
        world.awaits("new", wish().size(1, 1).address(&["subnet-a"]));
        assert_eq!(nodes_of(&world.plan(1)), ["-"]);
        world.change(&task("default", "t1"), |unit| unit.observed.lifecycle = Lifecycle::Stopped);
        let freed = world.snapshot.units[&task("default", "t1")].placement.address().cloned();
        world.settle(1);
        assert_eq!(world.snapshot.units[&task("default", "new")].placement.address().cloned(), freed);
    }

    #[test]
    fn subnets_fill_evenly_and_a_full_one_is_passed_over() {
        let mut world = narrow();
        for number in 0..14 {
            world.awaits(&format!("t{number:02}"), wish().size(1, 1).address(&["subnet-a", "subnet-b"]));
        }
        assert!(nodes_of(&world.settle(1)).iter().all(|node| node == "n1"));
        let mut wide = World::new();
        wide.node("n1", |node| node.cpu = Cpu::from_cores(100));
        for number in 0..300 {
            wide.awaits(&format!("t{number:03}"), wish().size(1, 1).address(&["subnet-a", "subnet-b", "subnet-c"]));
        }
        wide.settle(1);
        for subnet in ["subnet-a", "subnet-b", "subnet-c"] {
            let count = addresses(&wide).iter().filter(|own| &*own.subnet == subnet).count();
            assert!((70..130).contains(&count), "{subnet}: {count}");
        }
    }

    #[test]
    fn containers_of_a_bridged_unit_get_one_each_all_or_none() {
        let mut world = narrow();
        world.awaits("a", wish().size(1, 1).bridged(2)).awaits("b", wish().size(1, 1).bridged(2));
        let plan = world.settle(1);
        let Placement::Bound { address: None, container_addresses, .. } =
            &world.snapshot.units[&task("default", "a")].placement
        else {
            panic!("{plan}")
        };
        let range = world.snapshot.networks[&crate::world::scope()].container_range;
        assert_eq!(container_addresses.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["c0", "c1"]);
        assert_ne!(container_addresses[0].1, container_addresses[1].1);
        assert!(container_addresses.iter().all(|(_, address)| range.contains(*address)));
        let Answer::Refuse(refuse) = &plan.answers[1] else { panic!("one address is left, two are needed") };
        assert_eq!(refuse.refusal.main, Shortage::Addresses { subnet: "10.42.128.0/29".into() });
    }

    #[test]
    fn without_a_named_subnet_any_of_the_network_will_do_and_an_unknown_one_never() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("a", wish().address(&[]));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
        world.awaits("a", wish().address(&["subnet-x"]));
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Addresses { subnet: "subnet-x".into() });
    }
}

mod refusals {
    use super::*;

    #[test]
    fn the_main_reason_is_of_the_step_that_sorted_out_the_last_candidates() {
        let mut world = World::new();
        world.node("n1", |node| node.connected = false).awaits("new", wish().needs("gpu").distinct());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Agent);
        world.node("n2", |node| node.cpu = Cpu::ZERO).node("n3", |node| node.cpu = Cpu::ZERO);
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Cpu);
        world.node("n4", |node| node.memory = Memory::ZERO);
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Cpu, "cpu and memory are one step, and cpu is commoner");
        world.nodes(&["n5"]);
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Attribute { name: "gpu".into() });
        world.node("n6", |node| drop(node.attributes.insert("gpu".into(), None))).runs("old", "n6", wish());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Distinct);
    }

    #[test]
    fn each_node_has_its_first_reason_the_commonest_first() {
        let mut world = World::new();
        world.node("n1", |node| node.connected = false);
        world.node("n2", |node| (node.cpu, node.memory) = (Cpu::ZERO, Memory::ZERO));
        world.node("n3", |node| node.cpu = Cpu::ZERO).awaits("new", wish());
        let Answer::Refuse(refuse) = world.plan(1).answers.remove(0) else { panic!("there is no room") };
        let said: Vec<String> = refuse.refusal.nodes.iter().map(|(node, lack)| format!("{node}: {lack}")).collect();
        assert_eq!(
            said,
            ["n2: too little cpu is free", "n3: too little cpu is free", "n1: its agent is not connected"]
        );
    }

    #[test]
    fn a_unit_that_may_wait_waits() {
        let mut world = World::new();
        world.awaits("new", wish().patient());
        assert!(matches!(&world.plan(1).answers[..], [Answer::Wait(wait)] if wait.refusal.main == Shortage::NoNode));
    }

    #[test]
    fn a_refusal_stays_small_on_many_nodes() {
        let mut world = World::new();
        for number in 0..500 {
            world.node(&format!("n{number:03}"), |node| node.connected = number == 7);
        }
        world.awaits("new", wish().size(2000, 1));
        let Answer::Refuse(refuse) = world.plan(1).answers.remove(0) else { panic!("there is no room") };
        assert_eq!(refuse.refusal.nodes.len(), Refusal::MAX_NODES);
        assert_eq!(refuse.refusal.main, Shortage::Cpu);
    }
}

mod broken_snapshots {
    use super::*;

    #[test]
    fn a_unit_whose_spec_is_missing_waits() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish());
        world.snapshot.specs.clear();
        assert!(matches!(&world.plan(1).answers[..], [Answer::Wait(_)]));
    }

    #[test]
    fn a_scope_without_a_network_or_with_a_senseless_one_has_no_addresses() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("a", wish().address(&["subnet-a"])).awaits("b", wish().bridged(1));
        for prefix in [0, 31, 32, 33, 255] {
            let mut network: Network = (*world.snapshot.networks[&crate::world::scope()].value).clone();
            network.subnets[0].range.prefix = prefix;
            network.container_range.prefix = prefix;
            world.network(network);
            assert_eq!(nodes_of(&world.plan(1)), ["-", "-"], "/{prefix}");
        }
        world.snapshot.networks.clear();
        assert_eq!(nodes_of(&world.plan(1)), ["-", "-"]);
    }

    #[test]
    fn an_overfull_node_and_units_on_lost_nodes_do_not_disturb() {
        let mut world = World::new();
        world.nodes(&["n1"]).runs("a", "n1", wish().size(5000, 5000)).runs("b", "lost", wish()).awaits("new", wish());
        assert_eq!(refusal_of(&world.plan(1)), Shortage::Cpu);
    }

    #[test]
    fn a_unit_of_a_cluster_that_is_gone_is_placed_all_the_same() {
        let mut world = World::new();
        world.nodes(&["n1"]).awaits("new", wish().member_of("registeredAt == 1970-01-01T00:00:01Z"));
        world.snapshot.clusters.remove(&cluster("default"));
        assert_eq!(nodes_of(&world.plan(1)), ["n1"]);
    }

    #[test]
    fn a_record_under_another_name_than_its_own_is_taken_by_its_key() {
        let mut world = World::new();
        world.nodes(&["n2"]);
        let mut node = world.snapshot.nodes[&NodeId::new("n2")].clone();
        node.value = Arc::new(model::Node { id: NodeId::new("a"), ..(*node.value).clone() });
        world.snapshot.set_node(&NodeId::new("n2"), Some(node));
        assert_eq!(nodes_of(&world.awaits("new", wish().only_on("n2")).plan(1)), ["n2"]);
    }
}
