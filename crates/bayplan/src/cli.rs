//! The command line: what can be typed and what each exit code means; no command's work.

pub(crate) mod admin;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod hello;
pub(crate) mod image;
pub(crate) mod logs;
pub(crate) mod output;
pub(crate) mod ps;
pub(crate) mod rollout;
pub(crate) mod simulate;
pub(crate) mod spot;
mod stream;
pub(crate) mod up;
pub(crate) mod why;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// A container orchestrator that speaks Amazon ECS and runs containers on your own machines.
#[derive(Parser, Debug)]
#[command(name = "bayplan", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Where Bayplan keeps everything
    #[arg(long, global = true, env = "BAYPLAN_DATA_DIR", default_value = "/var/lib/bayplan", value_name = "DIR")]
    pub data_dir: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Start Bayplan on this machine
    Up(up::Up),
    /// Stop all tasks, remove everything from the host, keep the data
    Down(down::Down),
    /// Print the settings that clients need: eval "$(bayplan env)"
    Env(env::Env),
    /// Import, list and remove images
    Image(image::Image),
    /// List tasks or services
    Ps(ps::Ps),
    /// Follow a service's newest deployment to its end
    Rollout(rollout::Rollout),
    /// Try a rollout on a described cluster before doing it
    Simulate(simulate::Simulate),
    /// Show what a task's containers have written
    Logs(logs::Logs),
    /// Run a program in a running container
    Exec(exec::Exec),
    /// Do to FARGATE_SPOT tasks what AWS does
    Spot(spot::Spot),
    /// Explain what happened to a task or a service
    Why(why::Why),
    /// Check this machine and this installation
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    Parent(up::Settings),
    #[command(hide = true)]
    Server(up::Settings),
    #[command(hide = true)]
    Agent(up::Settings),
    /// A small web server, for demonstrations
    #[command(hide = true)]
    Hello(hello::Hello),
}

/// What went wrong, as a process's exit code. Documented in docs/cli.md.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    NotFound = 3,
    Denied = 7,
    Unreachable = 9,
}

/// An error with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Told {
    fault: Fault,
    words: String,
}

impl Fault {
    /// An error in these words that ends the process with this code.
    pub(crate) fn because(self, words: impl Into<String>) -> anyhow::Error {
        Told { fault: self, words: words.into() }.into()
    }
}

/// 1 unless the error says more precisely.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Told>().map_or(1, |told| told.fault as u8)
}
