//! Prints how many Units a second the planner places on 5,000 nodes (or as many as the first argument says), the upkeep of the
//! snapshot's indexes counted: each round plans a hundred Units of a hundred services in one call and binds them in the snapshot as
//! `records` does. Then it takes them back, so that the next round finds the same; that is not counted but shown. Seconds are of the processor, so that what else the
//! machine does counts less.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

#[path = "../tests/planner/world.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod world;

use model::unit::Strategy;
use model::unit::placement::BinpackBy;
use model::unit::spec::Protocol;
use model::{Cpu, Memory, Unit, Versioned};
use planner::placement::{Answer, plan};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;
use world::{NOW, Wish, World, wish};

/// Units of a plan, each of a service of its own.
const UNITS: usize = 100;
/// Units of each service that run already.
const RUNNING: usize = 8;
const MEASURE: Duration = Duration::from_secs(2);

fn main() {
    let nodes: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(5000);
    let spread = || wish().spread("attribute:zone").spread("instanceId");
    println!("{nodes} nodes, {UNITS} units of {UNITS} services a plan, {RUNNING} units of each run");
    report("no strategy", nodes, &wish());
    report("spread over zone, then instance", nodes, &spread());
    let demanding = spread().distinct().member_of("attribute:zone != z0");
    report("the same, distinctInstance, memberOf", nodes, &demanding);
    report("binpack by memory", nodes, &wish().by(Strategy::Binpack { by: BinpackBy::Memory }));
    report("binpack by cpu", nodes, &wish().by(Strategy::Binpack { by: BinpackBy::Cpu }));
    report("a host port", nodes, &wish().port(80, Protocol::Tcp));
    report("an address", nodes, &wish().address(&["subnet-a", "subnet-b", "subnet-c"]));
    report("refused", nodes, &wish().size(1 << 20, 1));
}

fn report(what: &str, nodes: usize, wish: &Wish) {
    let mut world = filled(nodes, wish);
    let mut rng = StdRng::seed_from_u64(1);
    let (mut rounds, mut bound) = (0u64, 0);
    let (mut planning, mut binding, mut releasing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    while planning + binding < MEASURE {
        let started = processor_time();
        let plan = plan(&world.snapshot, world.snapshot.awaiting_placement(), NOW, &mut rng);
        let planned = processor_time();
        let pending: Vec<Versioned<Unit>> = plan.answers.iter().filter_map(|answer| bind(&mut world, answer)).collect();
        bound += pending.len();
        let kept = processor_time();
        for unit in pending {
            let name = unit.name.clone();
            world.snapshot.set_unit(&name, Some(unit));
        }
        planning += planned - started;
        binding += kept - planned;
        releasing += processor_time() - kept;
        rounds += 1;
    }
    let (units, seconds) = ((rounds * UNITS as u64) as f64, (planning + binding).as_secs_f64());
    let each = |of: Duration| of.as_secs_f64() * 1e6 / units;
    println!(
        "{:>10.0}/s  {what} ({bound} of {units} bound; {:.2} us to plan, {:.2} us to bind; besides, {:.2} us to release)",
        units / seconds,
        each(planning),
        each(binding),
        each(releasing)
    );
}

/// Binds as an answer says, and returns the Unit as it was.
fn bind(world: &mut World, answer: &Answer) -> Option<Versioned<Unit>> {
    let Answer::Bind(bind) = answer else { return None };
    let before = world.snapshot.units.get(&bind.unit)?.clone();
    let bound = Unit { placement: bind.placement.clone(), ..(*before.value).clone() };
    world.snapshot.set_unit(&bind.unit, Some(Versioned { value: Arc::new(bound), ..before.clone() }));
    Some(before)
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
        let service = format!("service:{number}");
        for place in 0..RUNNING {
            let node = format!("node-{:06}", (number * 31 + place * 17) % nodes);
            world.runs(&format!("run-{number}-{place}"), &node, plain.clone().group(&service));
        }
        world.awaits(&format!("new-{number}"), wish.clone().group(&service));
    }
    world
}

/// What this thread has had of the processor.
fn processor_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().and_then(|time| time.parse().ok()).unwrap())
}
