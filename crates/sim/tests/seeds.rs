//! The cluster under many seeds. `BAYPLAN_SEEDS=10000 cargo test -p sim` runs more of them; a failure prints its story and how to
//! see it again.

use sim::{Fault, OneFault, Options, Run, Size, simulate};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seeds of a normal run.
const SEEDS: u64 = 500;

/// What some story must tell of, or the seeds do not reach what they are for.
const CORNERS: [&str; 53] = [
    "is applied, but not answered",
    "is lost",
    "finds no space",
    "the server falls",
    "the server is stopped",
    "falls and is back with nothing",
    "agent falls and is back",
    "connection breaks",
    "notices that",
    "cannot join",
    "which cannot be stored",
    "is refused: too little cpu",
    "is refused: too little memory",
    "is refused: host port",
    "is refused: no address",
    "a record changed while it was being decided on",
    "recorded as Stopped: container exited with code 2",
    "recorded as Stopped: the machine was restarted",
    "recorded as Stopped: CannotPull",
    "recorded as Stopped: wish",
    "is forgotten",
    "is told a change",
    "of 3 revisions ago",
    "what services run is mended",
    "all is quiet",
    "user creates log: ",
    "by force",
    "user deletes web: accepted",
    "web: refused",
    "is InProgress in ScaleUp",
    "in ProductionTrafficShift",
    "in BakeTime",
    "is Successful in CleanUp",
    "a newer one was started",
    "the circuit breaker threshold was exceeded",
    "because of one or more alarms",
    "because a user asked for it",
    "was stopped by a user",
    "a lifecycle hook timed out",
    "a lifecycle hook was answered with ROLLBACK",
    "No rollback candidate was found",
    "is RollbackSuccessful",
    "has reached a steady state",
    "is unable to consistently start tasks",
    "was unable to place a task",
    "failed container health checks",
    "its container instance is draining",
    "its service was deleted",
    "is protected by a user",
    ", slow",
    "its container instance is disconnected",
    "is told all of its units",
    "the service was deleted.",
];

fn seeds() -> u64 {
    std::env::var("BAYPLAN_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS)
}

/// What one worker has seen.
#[derive(Default)]
struct Seen {
    broken: Vec<(u64, Run)>,
    corners: BTreeSet<&'static str>,
}

impl Seen {
    fn look_at(&mut self, seed: u64) {
        let run = simulate(Options::seed(seed));
        self.corners.extend(CORNERS.iter().filter(|corner| run.transcript.contains(*corner)));
        if !run.broken.is_empty() {
            self.broken.push((seed, run));
        }
    }
}

#[test]
fn no_seed_breaks_a_rule_and_together_they_reach_every_corner() {
    let (next, all) = (AtomicU64::new(0), seeds());
    let work = || {
        let mut seen = Seen::default();
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                seed if seed < all => seen.look_at(seed),
                _ => return seen,
            }
        }
    };
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|worker| worker.join().expect("a seed panicked; its message is above")).collect()
    });
    let corners: BTreeSet<&str> = seen.iter().flat_map(|seen| seen.corners.iter().copied()).collect();
    let broken: Vec<(u64, Run)> = seen.into_iter().flat_map(|seen| seen.broken).collect();
    if let Some((seed, run)) = broken.first() {
        let others: Vec<u64> = broken.iter().map(|(seed, _)| *seed).collect();
        panic!("{}\n{} of {all} seeds break a rule, {seed} first: {others:?}", run.transcript, broken.len());
    }
    for corner in CORNERS.iter().filter(|_| all >= SEEDS) {
        assert!(corners.contains(corner), "no story tells of: {corner}");
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time_and_no_other_seed_does() {
    let stories: BTreeSet<String> = (0..5)
        .map(|seed| {
            let run = simulate(Options::seed(seed));
            assert_eq!(run, simulate(Options::seed(seed)));
            run.transcript
        })
        .collect();
    assert_eq!(stories.len(), 5);
}

#[test]
fn the_server_may_fall_at_any_commit() {
    for (seed, steps) in [(0, 80), (1, 90)] {
        let calm = Options { steps, fault: Some(OneFault { commit: 0, fault: Fault::None }), ..Options::seed(seed) };
        let commits = simulate(calm).commits;
        assert!(commits > 20, "too little happens: {commits} commits");
        // The first one makes the cluster that everything is about.
        for commit in 2..=commits {
            for fault in [Fault::Unanswered, Fault::Lost] {
                let run = simulate(Options { fault: Some(OneFault { commit, fault }), ..calm });
                assert!(run.broken.is_empty(), "{}", run.transcript);
            }
        }
    }
}

#[test]
fn a_large_cluster_keeps_the_rules_too() {
    let options = Options { steps: 1_000, size: Some(Size { nodes: 60, tasks: 300 }), ..Options::seed(1) };
    let paced = sim::pace(options, || Duration::ZERO);
    assert!(paced.run.broken.is_empty(), "{:?}", paced.run.broken);
    assert!(paced.commits > 100, "too little happens: {} commits", paced.commits);
}
