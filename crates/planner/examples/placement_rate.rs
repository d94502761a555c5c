//! Prints how many Units a second the planner places on 5,000 nodes (or as many as the first argument says), building of the
//! plan's own view counted, commits not. A hundred Units of a hundred groups are planned in each call, and the same snapshot
//! is planned again and again.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "../tests/planner/world.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it")]
mod world;

use model::unit::Strategy;
use model::unit::placement::BinpackBy;
use model::{Cpu, Memory};
use planner::placement::Answer;
use std::time::Duration;
use world::{Wish, World, wish};

const UNITS: usize = 100;
const MEASURE: Duration = Duration::from_secs(2);

fn main() {
    let nodes: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(5000);
    let packed = Strategy::Binpack { by: BinpackBy::Memory };
    let demanding = wish().spread("attribute:zone").spread("instanceId").distinct().member_of("attribute:zone != z0");
    println!("{nodes} nodes, {UNITS} units of {UNITS} groups a plan");
    report("plain", nodes, &wish());
    report("with an address", nodes, &wish().address(&["subnet-a", "subnet-b", "subnet-c"]));
    report("with a host port", nodes, &wish().port(80, model::unit::spec::Protocol::Tcp));
    report("binpack", nodes, &wish().by(packed));
    report("spread over zone and instance", nodes, &wish().spread("attribute:zone").spread("instanceId"));
    report("the same, distinctInstance, memberOf", nodes, &demanding);
    report("refused", nodes, &wish().size(1 << 20, 1));
}

fn report(what: &str, nodes: usize, wish: &Wish) {
    let world = filled(nodes, wish);
    let started = now();
    let (mut plans, mut bound) = (0u64, 0usize);
    while now() - started < MEASURE {
        let plan = world.plan(plans);
        bound += plan.answers.iter().filter(|answer| matches!(answer, Answer::Bind(_))).count();
        plans += 1;
    }
    let rate = (plans * UNITS as u64) as f64 / (now() - started).as_secs_f64();
    println!("{rate:>12.0} decisions/s  {what} ({bound} of {} bound)", plans * UNITS as u64);
}

/// Nodes in four zones, each with room for 64 such Units and two Units of other groups, and the Units that await.
fn filled(nodes: usize, wish: &Wish) -> World {
    let mut world = World::new();
    for number in 0..nodes {
        world.node(&format!("node-{number:06}"), |node| {
            (node.cpu, node.memory) = (Cpu::from_ecs_units(128 * 66), Memory::from_mib(64 * 66));
            node.attributes.insert("zone".into(), Some(format!("z{}", number % 4)));
        });
    }
    let plain = world::wish();
    for number in 0..2 * nodes {
        let node = format!("node-{:06}", number / 2);
        world.runs(&format!("old-{number}"), &node, plain.clone().group(&format!("family:old-{}", number % 1000)));
    }
    for number in 0..UNITS {
        world.awaits(&format!("new-{number}"), wish.clone().group(&format!("service:{number}")));
    }
    world
}

#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
