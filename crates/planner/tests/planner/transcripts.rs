//! Plans as a person reads them, held against `tests/transcripts/`; run with `BLESS=1` to write them anew.

use crate::world::{NOW, World, at, task, wish};
use model::ecs::{ClusterStatus, MembershipStatus, TaskDefinitionStatus};
use model::unit::placement::BinpackBy;
use model::unit::spec::Protocol;
use model::unit::{Capacity, Lifecycle, Strategy};
use model::{Cpu, Memory};
use planner::gc::{self, Retention};
use std::fmt::Write;
use std::path::Path;

#[track_caller]
pub(crate) fn check(name: &str, transcript: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, transcript).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(transcript, stored, "{} differs; look at the change, then run with BLESS=1", file.display());
}

/// What the nodes have left, then the plan.
fn settle(world: &mut World, title: &str, transcript: &mut String) {
    writeln!(transcript, "# {title}").unwrap();
    let plan = world.settle(1);
    write!(transcript, "{plan}").unwrap();
    for (id, node) in &world.snapshot.nodes {
        let used = world.snapshot.node_use(id);
        let cpu = node.cpu.saturating_sub(used.cpu).ecs_units();
        let memory = node.memory.saturating_sub(used.memory).mib();
        writeln!(
            transcript,
            "       {id} has {cpu} cpu units and {memory} MiB left for others than its {} units",
            used.units
        )
        .unwrap();
    }
    transcript.push('\n');
}

/// Six nodes in three zones.
fn fleet() -> World {
    let mut world = World::new();
    for (number, zone) in ["a", "a", "b", "b", "c", "c"].into_iter().enumerate() {
        world.node(&format!("node-{number}"), |node| {
            node.attributes.insert("ecs.availability-zone".into(), Some(format!("us-east-1{zone}")));
        });
    }
    world
}

#[test]
fn a_service_spreads_over_zones_and_then_over_instances() {
    let mut world = fleet();
    let web = || {
        let spread = wish().group("service:web").size(256, 128).address(&["subnet-a", "subnet-b", "subnet-c"]);
        spread.spread("attribute:ecs.availability-zone").spread("instanceId")
    };
    let mut transcript = String::new();
    for number in 1..=6 {
        world.awaits(&format!("web-{number}"), web());
    }
    settle(&mut world, "six tasks on six empty nodes", &mut transcript);
    world.change(&task("default", "web-2"), |unit| unit.observed.lifecycle = Lifecycle::Stopped);
    world.awaits("web-7", web());
    settle(&mut world, "one has stopped; its successor takes its place", &mut transcript);
    check("spread.txt", &transcript);
}

#[test]
fn packing_fills_a_node_before_it_opens_the_next() {
    let mut world = fleet();
    let mut transcript = String::new();
    for number in 1..=7 {
        let batch = wish().group("family:batch").size(256, 300).by(Strategy::Binpack { by: BinpackBy::Memory });
        world.awaits(&format!("batch-{number}"), batch);
    }
    settle(&mut world, "seven tasks, three to a node", &mut transcript);
    check("binpack.txt", &transcript);
}

#[test]
fn a_full_cluster_says_of_each_node_what_it_lacks() {
    let mut world = World::new();
    world.node("away", |node| node.connected = false);
    world.nodes(&["draining", "busy", "plain"]);
    world.node("small", |node| (node.cpu, node.memory) = (Cpu::from_ecs_units(2048), Memory::from_mib(32)));
    world.membership("default", "draining", MembershipStatus::Draining, &[]);
    world.membership("default", "busy", MembershipStatus::Active, &[("stack", "prod")]);
    world.membership("default", "plain", MembershipStatus::Active, &[("stack", "test")]);
    world.runs("old", "busy", wish().group("family:web").port(80, Protocol::Tcp));
    let mut transcript = String::new();
    world.awaits("1-huge", wish().size(4096, 64));
    world.awaits("2-port", wish().port(80, Protocol::Tcp).member_of("attribute:stack == prod"));
    world.awaits("3-gpu", wish().needs("ecs.capability.gpu"));
    world.awaits("4-prod", wish().member_of("attribute:stack == prod").group("family:web").distinct());
    world.awaits("5-patient", wish().size(1500, 1024).patient());
    world.awaits("6-fixed", wish().only_on("draining"));
    world.awaits("7-lost", wish().only_on("nowhere"));
    settle(&mut world, "seven wishes that nothing fulfils", &mut transcript);
    check("refusals.txt", &transcript);
}

#[test]
fn kinds_of_units_share_a_node() {
    let mut world = World::new();
    world.nodes(&["only"]);
    let mut transcript = String::new();
    world.awaits("1-awsvpc", wish().address(&["subnet-b"]));
    world.awaits("2-bridge", wish().bridged(2));
    world.awaits("3-host", wish().port(8080, Protocol::Tcp));
    world.awaits("4-none", wish());
    world.awaits("5-fargate", wish().capacity(Capacity::Serverless).address(&["subnet-c"]).size(256, 512));
    world.awaits("6-host", wish().port(8080, Protocol::Tcp));
    settle(&mut world, "one node, every network mode", &mut transcript);
    check("one_node.txt", &transcript);
}

#[test]
fn garbage_is_named_with_the_revision_that_condemned_it() {
    let mut world = World::new();
    world.make_cluster("gone", ClusterStatus::Inactive, at(0));
    world.membership("gone", "n1", MembershipStatus::Active, &[]);
    world.nodes(&["n1"]).awaits("refused", wish().size(9999, 1)).awaits("placed", wish()).settle(1);
    world.runs("stopped", "n1", wish());
    world.definition(1, TaskDefinitionStatus::DeleteInProgress);
    world.definition(2, TaskDefinitionStatus::DeleteInProgress);
    world.change(&task("default", "stopped"), |unit| {
        unit.observed.lifecycle = Lifecycle::Stopped;
        unit.observed.stopped_at = Some(at(5000));
    });
    let mut transcript = String::new();
    let mut now = NOW;
    for _ in 0..3 {
        writeln!(transcript, "# at {}", now.unix_ms()).unwrap();
        for deletion in gc::plan(&world.snapshot, now, &Retention::default()) {
            writeln!(transcript, "{}", shown(&deletion)).unwrap();
            remove(&mut world, deletion.record);
        }
        let next = gc::next_due(&world.snapshot, now, &Retention::default());
        match next {
            Some(at) => writeln!(transcript, "next at {}", at.unix_ms()).unwrap(),
            None => writeln!(transcript, "nothing is due").unwrap(),
        }
        now = next.unwrap_or(now);
    }
    check("gc.txt", &transcript);
}

/// The hash of a test's spec is its whole text: cut.
fn shown(deletion: &gc::Deletion) -> String {
    match &deletion.record {
        gc::Record::Spec(_) => format!("delete spec … if still at revision {}", deletion.revision),
        _ => deletion.to_string(),
    }
}

fn remove(world: &mut World, record: gc::Record) {
    let snapshot = &mut world.snapshot;
    match record {
        gc::Record::Unit(name) => snapshot.set_unit(&name, None),
        gc::Record::Spec(hash) => drop(snapshot.specs.remove(&hash)),
        gc::Record::TaskDefinition(id) => drop(snapshot.task_definitions.remove(&id)),
        gc::Record::ClientToken(cluster, token) => drop(snapshot.client_tokens.remove(&(cluster, token))),
        gc::Record::Membership(cluster, node) => snapshot.set_membership(&(cluster, node), None),
        gc::Record::Cluster(id) => drop(snapshot.clusters.remove(&id)),
        other => panic!("{other:?} is none of this world's"),
    }
}
