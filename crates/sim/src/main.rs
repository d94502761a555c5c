//! Prints what happens under one seed: `cargo run -p sim -- --seed N`.

use clap::Parser;
use sim::{Options, Paced, Run, Size};
use std::process::ExitCode;
use std::time::Duration;

/// Simulates a cluster and prints its story; exits with 1 if a rule was broken.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    seed: u64,
    /// Things that happen before the faults end.
    #[arg(long, default_value_t = sim::Options::STEPS)]
    steps: usize,
    /// Begins with so many nodes, which have joined, and measures the steps; the calm end is left out.
    #[arg(long, requires = "tasks")]
    nodes: Option<usize>,
    /// Begins with so many tasks of services, which run.
    #[arg(long, requires = "nodes")]
    tasks: Option<usize>,
}

#[allow(clippy::print_stdout, reason = "the transcript is what it is for")]
fn main() -> ExitCode {
    let Arguments { seed, steps, nodes, tasks } = Arguments::parse();
    let options = Options { steps, ..Options::seed(seed) };
    let run = match nodes.zip(tasks) {
        None => {
            let run = sim::simulate(options);
            print!("{}", run.transcript);
            run
        }
        Some((nodes, tasks)) => measure(Options { size: Some(Size { nodes, tasks }), ..options }),
    };
    if run.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells how fast the steps were, and what was broken.
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn measure(options: Options) -> Run {
    let Paced { run, spent, commits } = sim::pace(options, processor_time);
    run.broken.iter().for_each(|rule| println!("BROKEN: {rule}"));
    let (steps, seconds) = (options.steps, spent.as_secs_f64());
    println!(
        "{steps} steps with {commits} commits in {seconds:.3} s of one processor: {:.0} steps/s",
        steps as f64 / seconds
    );
    run
}

/// How long this process, which has one thread, has run so far; what else its machine does is not counted.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let run_ns = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(run_ns.unwrap_or(0))
}
