//! Measures create -> start -> exit -> remove of the smallest program through a supervisor; prints, asserts nothing.
//!
//! `cargo run -p supervisor --release --example start_rate [rounds]`, as root.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement prints and reads the clock"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use runtime::protocol::{Event, Request};
use runtime::spec::Namespace;
use support::{PATIENCE, Unit};

struct Timings {
    to_started: Vec<Duration>,
    to_exit: Vec<Duration>,
    to_removed: Vec<Duration>,
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200);
    for (what, net) in [("host network", Namespace::Host), ("own network namespace", Namespace::Own)] {
        let timings = measure(rounds, &net);
        println!("{what}, {rounds} rounds:");
        report("  asked -> program runs", timings.to_started);
        report("  asked -> exit told", timings.to_exit);
        report("  asked -> removed", timings.to_removed);
    }
    let begun = Instant::now();
    let units: Vec<Unit> = (0..20).map(|_| Unit::bare()).collect();
    println!("supervisor launched and greeted: {:.2} ms each", ms(begun.elapsed()) / units.len() as f64);
}

fn measure(rounds: u32, net: &Namespace) -> Timings {
    let mut unit = Unit::new();
    let mut spec = unit.spec("true", &[]);
    spec.argv = vec!["true".into()];
    spec.namespaces.net = net.clone();
    let mut timings = Timings { to_started: Vec::new(), to_exit: Vec::new(), to_removed: Vec::new() };
    for attempt in 1..=rounds {
        let begun = Instant::now();
        unit.client.send(Request::Create { attempt, spec: Box::new(spec.clone()) }, &[]).unwrap();
        unit.client.call(Request::Start { container: "true".into(), attempt }).unwrap();
        timings.to_started.push(begun.elapsed());
        while !matches!(unit.client.next_event(PATIENCE).unwrap(), Event::Exited(_)) {}
        timings.to_exit.push(begun.elapsed());
        unit.remove("true", attempt);
        timings.to_removed.push(begun.elapsed());
    }
    timings
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    println!("{what}: median {:.2} ms, p95 {:.2} ms", at(0.5), at(0.95));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
