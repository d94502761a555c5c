//! The long-lived processes that `up` starts: a tiny parent, the server, the agent.

pub(crate) mod admin;
pub(crate) mod agent;
pub(crate) mod log_intake;
pub(crate) mod parent;
pub(crate) mod server;

pub(crate) use admin::streams as admin_streams;

use anyhow::{Result, bail};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// Names the parent to the processes that it starts.
const PARENT_VARIABLE: &str = "BAYPLAN_PARENT_PID";

/// Ends this process when its parent dies, however that happens: nobody would be left to restart it.
fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let expected = std::env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    match expected {
        // It may have died before the line above.
        Some(expected) if expected == getppid() => Ok(()),
        Some(_) => bail!("the parent process is gone"),
        None => bail!("this command is started by `bayplan up`"),
    }
}

/// Logs to stderr, which `up` points at the log file or the terminal.
fn log_to_stderr(level: &str) -> Result<()> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(format!("{level},h2=warn,hyper=warn,tower=warn"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
