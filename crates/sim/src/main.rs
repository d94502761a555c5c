//! Prints what happens under one seed: `cargo run -p sim -- --seed N`.

use clap::Parser;
use std::process::ExitCode;

/// Simulates a cluster and prints its story; exits with 1 if a rule was broken.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    seed: u64,
    /// Things that happen before the faults end.
    #[arg(long, default_value_t = sim::Options::STEPS)]
    steps: usize,
}

#[allow(clippy::print_stdout, reason = "the transcript is what it is for")]
fn main() -> ExitCode {
    let Arguments { seed, steps } = Arguments::parse();
    let run = sim::simulate(sim::Options { steps, ..sim::Options::seed(seed) });
    print!("{}", run.transcript);
    if run.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
