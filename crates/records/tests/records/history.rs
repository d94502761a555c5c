//! After any history of commits: every index of the snapshot equals a recount from its records, and the touched events that were
//! sent tell exactly what has changed.

use crate::empty;
use model::node::Ledger;
use model::snapshot::{NodeUse, Versioned};
use model::unit::placement::{Shortage, UnitAddress};
use model::unit::{Lifecycle, Observed, Placement, Refusal, Unit};
use model::{NodeId, Snapshot, UnitName};
use proptest::prelude::*;
use records::units::{self, Intake};
use records::{Draft, Records, TouchedReceiver, Wake};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use test_support::{HandClock, Wish, cluster, cluster_id, node, stop_wish, task_name};

#[derive(Clone, Debug)]
enum Step {
    Admit { id: u8, cpu: u64, port: u16, group: u8 },
    Bind { id: u8, node: u8 },
    Refuse { id: u8 },
    Stop { id: u8 },
    Observe { id: u8, lifecycle: Lifecycle },
    Forget { id: u8, with_spec: bool },
    Register { node: u8 },
    Cluster { id: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..8u8;
    let lifecycle =
        prop::sample::select(vec![Lifecycle::Preparing, Lifecycle::Running, Lifecycle::Stopping, Lifecycle::Stopped]);
    prop_oneof![
        4 => (id.clone(), 1..4u64, 0..3u16, 0..2u8)
            .prop_map(|(id, cpu, port, group)| Step::Admit { id, cpu, port, group }),
        4 => (id.clone(), 0..3u8).prop_map(|(id, node)| Step::Bind { id, node }),
        1 => id.clone().prop_map(|id| Step::Refuse { id }),
        2 => id.clone().prop_map(|id| Step::Stop { id }),
        4 => (id.clone(), lifecycle).prop_map(|(id, lifecycle)| Step::Observe { id, lifecycle }),
        2 => (id, any::<bool>()).prop_map(|(id, with_spec)| Step::Forget { id, with_spec }),
        1 => (0..3u8).prop_map(|node| Step::Register { node }),
        1 => (0..2u8).prop_map(|id| Step::Cluster { id }),
    ]
}

fn name(id: u8) -> UnitName {
    task_name("default", &format!("t{id}"))
}

fn placed(id: u8, node: u8) -> Placement {
    // An address for each Unit, so that no two hold the same.
    let address = UnitAddress { subnet: "subnet-a".into(), address: Ipv4Addr::new(10, 42, 0, 10 + id) };
    let node = NodeId::new(format!("n{node}"));
    Placement::Bound { node, at: HandClock::START, address: Some(address), container_addresses: Vec::new() }
}

/// Commits one step if it makes sense now; steps that do not are no steps.
async fn take(records: &Records, step: &Step) {
    let snapshot = records.current();
    let mut draft = Draft::new();
    match step {
        Step::Admit { id, cpu, port, group } => {
            // A Unit in a port's hundreds has it for itself, so that no two hold the same.
            let host_ports = if *port == 0 { Vec::new() } else { vec![100 * port + u16::from(*id)] };
            let wish = Wish { cpu: *cpu, host_ports, group: format!("g{group}"), ..Wish::default() };
            if snapshot.units.contains_key(&name(*id)) {
                return;
            }
            let mut intake = Intake::new();
            intake.admit(&wish.unit(&format!("t{id}"), HandClock::START), &wish.spec());
            draft = intake.into_draft();
        }
        Step::Bind { id, node } => {
            let Some(unit) = snapshot.units.get(&name(*id)).filter(|u| u.awaits_placement()) else { return };
            let node_id = NodeId::new(format!("n{node}"));
            let seen = snapshot.ledgers.get(&node_id);
            draft.upsert(&node_id, seen, &Ledger { bindings: seen.map_or(0, |l| l.bindings) + 1 });
            units::place(&mut draft, unit, placed(*id, *node));
        }
        Step::Refuse { id } => {
            let Some(unit) = snapshot.units.get(&name(*id)).filter(|u| u.awaits_placement()) else { return };
            let refusal = Refusal { nodes: Vec::new(), main: Shortage::NoNode };
            units::place(&mut draft, unit, Placement::Refused(refusal));
        }
        Step::Stop { id } => {
            units::stop(records, &name(*id), stop_wish("why", None)).await.unwrap();
            return;
        }
        Step::Observe { id, lifecycle } => {
            let Some(unit) = snapshot.units.get(&name(*id)) else { return };
            let Some(node) = unit.placement.node() else { return };
            let stopped_at = (*lifecycle == Lifecycle::Stopped).then_some(HandClock::START);
            let observed = Observed { lifecycle: *lifecycle, stopped_at, ..Observed::default() };
            units::observe(records, node, &unit.uid, &observed).await.unwrap();
            return;
        }
        Step::Forget { id, with_spec } => {
            let Some(unit) = snapshot.units.get(&name(*id)) else { return };
            units::forget(&mut draft, &unit.name, unit.revision);
            if *with_spec && snapshot.spec_uses(&unit.spec) == 1 {
                draft.delete(&unit.spec, &snapshot.specs[&unit.spec]);
            }
        }
        Step::Register { node: n } => {
            let id = NodeId::new(format!("n{n}"));
            draft.upsert(&id, snapshot.nodes.get(&id), &node(id.as_str(), 1024, 1024));
        }
        Step::Cluster { id } => {
            let id = cluster_id(&format!("c{id}"));
            draft.upsert(&id, snapshot.clusters.get(&id), &cluster(&id.name));
        }
    }
    records.commit(draft).await.unwrap();
}

/// What the indexes answer, as plain values.
#[derive(PartialEq, Debug, Default)]
struct Answers {
    by_uid: BTreeSet<(String, UnitName)>,
    of_node: BTreeMap<String, BTreeSet<UnitName>>,
    of_group: BTreeMap<String, BTreeSet<UnitName>>,
    awaiting: BTreeSet<UnitName>,
    refused: BTreeSet<UnitName>,
    ended: BTreeSet<UnitName>,
    spec_uses: BTreeMap<String, u32>,
    addresses: BTreeSet<Ipv4Addr>,
    ports: BTreeSet<(String, u16)>,
    node_use: BTreeMap<String, (u64, u32)>,
}

const NODES: [&str; 3] = ["n0", "n1", "n2"];
const GROUPS: [&str; 2] = ["g0", "g1"];

fn asked(snapshot: &Snapshot) -> Answers {
    let names = |units: &mut dyn Iterator<Item = &Versioned<Unit>>| units.map(|u| u.name.clone()).collect();
    let all = || snapshot.units.values();
    let default = cluster_id("default");
    let node_use = |node: &str| {
        let NodeUse { cpu, units, .. } = snapshot.node_use(&NodeId::new(node));
        (cpu.ecs_units(), units)
    };
    Answers {
        by_uid: all().filter_map(|u| Some((u.uid.to_string(), snapshot.unit_by_uid(&u.uid)?.name.clone()))).collect(),
        of_node: NODES.map(|n| (n.into(), names(&mut snapshot.units_of_node(&NodeId::new(n))))).into(),
        of_group: GROUPS.map(|g| (g.into(), names(&mut snapshot.units_of_group(&default, g)))).into(),
        awaiting: names(&mut snapshot.awaiting_placement()),
        refused: names(&mut snapshot.refused_units()),
        ended: snapshot.ended_units().map(|(_, u)| u.name.clone()).collect(),
        spec_uses: snapshot.specs.keys().map(|s| (s.to_string(), snapshot.spec_uses(s))).collect(),
        addresses: (0..8)
            .map(|id| Ipv4Addr::new(10, 42, 0, 10 + id))
            .filter(|address| snapshot.address_taken(address))
            .collect(),
        ports: NODES
            .iter()
            .flat_map(|n| (100..300u16).map(move |port| (n.to_string(), port)))
            .filter(|(n, port)| snapshot.host_port_taken(&NodeId::new(n.as_str()), *port, Default::default()))
            .collect(),
        node_use: NODES.map(|n| (n.into(), node_use(n))).into(),
    }
}

/// The same answers from the records alone.
fn recounted(snapshot: &Snapshot) -> Answers {
    let mut answers = Answers {
        of_node: NODES.map(|n| (n.into(), BTreeSet::new())).into(),
        of_group: GROUPS.map(|g| (g.into(), BTreeSet::new())).into(),
        node_use: NODES.map(|n| (n.into(), (0, 0))).into(),
        spec_uses: snapshot.specs.keys().map(|s| (s.to_string(), 0)).collect(),
        ..Answers::default()
    };
    for unit in snapshot.units.values() {
        let name = unit.name.clone();
        let stopped = unit.observed.lifecycle == Lifecycle::Stopped;
        answers.by_uid.insert((unit.uid.to_string(), name.clone()));
        *answers.spec_uses.get_mut(unit.spec.as_str()).unwrap() += 1;
        if !stopped {
            answers.of_group.get_mut(&*unit.scheduling.group).unwrap().insert(name.clone());
        }
        match &unit.placement {
            Placement::Refused(_) => drop(answers.refused.insert(name)),
            Placement::Pending if unit.intent.stop.is_some() => drop(answers.ended.insert(name)),
            Placement::Pending => drop(answers.awaiting.insert(name)),
            Placement::Bound { .. } if stopped => drop(answers.ended.insert(name)),
            Placement::Bound { node, address, .. } => {
                let spec = &snapshot.specs[&unit.spec];
                answers.of_node.get_mut(node.as_str()).unwrap().insert(name);
                answers.addresses.extend(address.iter().map(|a| a.address));
                answers.ports.extend(spec.fixed_host_ports().map(|(port, _)| (node.to_string(), port)));
                let (cpu, units) = answers.node_use.get_mut(node.as_str()).unwrap();
                (*cpu, *units) = (*cpu + spec.reserve.cpu.ecs_units(), *units + 1);
            }
        }
    }
    answers
}

/// Rebuilds Units and nodes from the events alone.
fn replay(touched: &mut TouchedReceiver, known: &mut BTreeMap<UnitName, Arc<Unit>>) -> (BTreeSet<NodeId>, bool, u64) {
    let (mut nodes, mut others, mut last) = (BTreeSet::new(), false, 0);
    while let Some(wake) = touched.ready() {
        let Wake::Touched(touched) = wake else { panic!("nothing is missed here") };
        assert!(touched.revision > last, "in order, each revision once");
        last = touched.revision;
        for (before, after) in &touched.units {
            let unit = after.as_ref().or(before.as_ref()).unwrap();
            assert_eq!(known.get(&unit.name), before.as_ref(), "the event before told of this state");
            match after {
                Some(after) => known.insert(unit.name.clone(), after.clone()),
                None => known.remove(&unit.name),
            };
        }
        nodes.extend(touched.nodes.iter().cloned());
        others |= touched.others;
    }
    (nodes, others, last)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn indexes_equal_a_recount_and_events_tell_all(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (opened, _store) = empty().await;
            let records = &opened.records;
            let mut touched = records.touched();
            for step in &steps {
                take(records, step).await;
                let snapshot = records.current();
                assert_eq!(asked(&snapshot), recounted(&snapshot), "after {step:?}");
                assert_eq!(snapshot.units_of_cluster(&cluster_id("default")).count(), snapshot.units.len());
            }
            let snapshot = records.current();
            let mut known = BTreeMap::new();
            let (nodes, others, last) = replay(&mut touched, &mut known);
            let stored: BTreeMap<_, _> = snapshot.units.iter().map(|(n, u)| (n.clone(), u.value.clone())).collect();
            assert_eq!(known, stored);
            assert_eq!(nodes, snapshot.nodes.keys().cloned().collect());
            assert_eq!(others, !snapshot.clusters.is_empty());
            assert!(last == snapshot.revision || snapshot.revision == 1);
        });
    }
}

#[tokio::test]
async fn a_follower_that_was_too_slow_is_told_to_look_at_everything() {
    let (opened, _store) = empty().await;
    let mut touched = opened.records.touched();
    let id = cluster_id("busy");
    for n in 0..5000 {
        let mut next = cluster("busy");
        next.tags.insert("n".into(), n.to_string());
        let mut draft = Draft::new();
        draft.upsert(&id, opened.records.current().clusters.get(&id), &next);
        opened.records.commit(draft).await.unwrap();
    }
    assert!(matches!(touched.next().await, Some(Wake::Everything)));
    assert!(matches!(touched.next().await, Some(Wake::Touched(_))), "and then hears of what comes");
    assert_eq!(touched.snapshot().clusters[&id].tags["n"], "4999");
}
