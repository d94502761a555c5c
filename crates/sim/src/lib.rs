//! A whole cluster in one thread, replayed exactly by its seed: the real store trait, records, planner and controllers; a clock,
//! nodes and a network that are only modelled.
//!
//! Two seeds of three are mostly about services and their deployments, the third about single tasks; what a container does its
//! image says.
//!
//! One step is one thing that happens: a user's call, one turn of one controller, one message that arrives, one container that
//! moves on, one crash. The seed picks it. Between two steps everything that can run has run, so nothing depends on a thread's
//! timing. After each step the rules in [`rules`] and [`rules_of_services`] are asked. After the last one the
//! faults end; bad deployments come to their ends; then whatever services run is mended, and what must come true once things are
//! quiet is asked too.

mod actions;
mod admission;
mod calm;
mod chance;
mod large;
mod node;
mod rules;
mod rules_of_services;
mod server;
mod services;
mod stepped;
mod temper;
mod users;
mod weather;
mod world;

use std::time::Duration;
pub use test_support::Fault;
use world::World;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub seed: u64,
    /// Things that happen before the faults end.
    pub steps: usize,
    /// None: the seed decides which commits fail.
    pub fault: Option<OneFault>,
    /// None: a small cluster that grows from nothing.
    pub size: Option<Size>,
}

/// A cluster that is large from the first step on: its nodes have joined and its services' tasks run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub nodes: usize,
    pub tasks: usize,
}

/// A run of a large cluster, and how long its steps took by the caller's clock; how the cluster came to be is not counted.
pub struct Paced {
    pub run: Run,
    pub spent: Duration,
    /// How many commits the steps made.
    pub commits: usize,
}

/// The only fault of a run: one commit fails, and the server falls with it.
#[derive(Clone, Copy, Debug)]
pub struct OneFault {
    /// Which commit, counted from 1.
    pub commit: usize,
    pub fault: Fault,
}

impl Options {
    pub const STEPS: usize = 260;

    pub fn seed(seed: u64) -> Self {
        Self { seed, steps: Self::STEPS, fault: None, size: None }
    }
}

/// What happened, and what must not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// A line for each thing that happened.
    pub transcript: String,
    /// How many commits were tried.
    pub commits: usize,
    /// The rules that were broken, in the step at which the run was ended; empty when all held.
    pub broken: Vec<String>,
}

/// Runs one seed. Equal options give equal runs.
pub fn simulate(options: Options) -> Run {
    block_on(async {
        let mut world = World::new(options).await;
        world.grow().await;
        world.go(options.steps).await;
        if world.broken.is_empty() {
            world.calm_down().await;
        }
        world.into_run()
    })
}

/// Runs the steps of one seed without its calm end. `clock` says how late it is.
pub fn pace(options: Options, clock: impl Fn() -> Duration) -> Paced {
    block_on(async {
        let mut world = World::new(options).await;
        world.grow().await;
        let (began, before) = (clock(), world.weather.commits());
        world.go(options.steps).await;
        let (spent, commits) = (clock().saturating_sub(began), world.weather.commits() - before);
        world.check_all();
        Paced { run: world.into_run(), spent, commits }
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    // Paused time: a sleep returns when nothing else can run, which is how a step knows that its effects are complete.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output needs nothing of the system");
    runtime.block_on(work)
}
