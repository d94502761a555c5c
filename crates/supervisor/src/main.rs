//! One small process per Unit: makes its containers, reaps them, keeps their exits; pure mechanism, no decisions.
//!
//! `bayplan supervisor <instance>/<unit> <run folder>` is started by `runtime::launch`; under the name `bayplan-init`
//! the same program is a container's pid 1.

mod connection;
mod container;
mod due;
mod lines;
mod log;
mod requests;
mod running_exec;
mod sandbox;
mod supervisor;
mod upgrade;

use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::process::ExitCode;

use runtime::{init, launch};

use crate::supervisor::{Identity, Supervisor};
use crate::upgrade::Inheritance;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(rest) = init::wanted(&args) {
        let env: Vec<String> = std::env::vars().map(|(key, value)| format!("{key}={value}")).collect();
        init::run(rest, &env);
    }
    // SAFETY: the launcher gave this process a pipe as stdout, and nothing here uses `std::io::stdout`.
    let mut launcher = unsafe { File::from_raw_fd(1) };
    let started = start(&args);
    let said = started.as_ref().map_or_else(Clone::clone, |_| launch::READY.to_owned());
    // A launcher that has gone needs no answer; the agent that comes next finds the socket.
    let _ = launcher.write_all(said.as_bytes());
    let Ok(mut supervisor) = started else { return ExitCode::FAILURE };
    supervisor::point_stdout_at_null(launcher);
    supervisor.run();
    ExitCode::SUCCESS
}

fn start(args: &[String]) -> Result<Supervisor, String> {
    let identity = identity(args)?;
    let inheritance = Inheritance::read(args).map_err(|e| e.to_string())?;
    let keep = inheritance.as_ref().map(Inheritance::descriptors).unwrap_or_default();
    supervisor::detach(&keep).map_err(|e| e.to_string())?;
    match inheritance {
        Some(inheritance) => inheritance.resume(identity),
        None => Supervisor::start(identity).map_err(|e| e.to_string()),
    }
}

fn identity(args: &[String]) -> Result<Identity, String> {
    let usage = || "usage: bayplan supervisor <instance>/<unit> <run folder>".to_owned();
    let [_, role, name, run_dir, ..] = args else { return Err(usage()) };
    let (instance, unit) = name.split_once('/').filter(|_| role == "supervisor").ok_or_else(usage)?;
    Ok(Identity { instance: instance.to_owned(), unit: unit.to_owned(), run_dir: PathBuf::from(run_dir) })
}
