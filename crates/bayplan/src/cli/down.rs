//! `bayplan down`: stops tasks, ends the processes, removes everything from the host; keeps the data unless told otherwise.
//! Works when the server is dead, and twice in a row.

use super::output::say;
use super::{admin, up};
use crate::installation::{Identity, Installation};
use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Down {
    /// Also delete the data: tasks, images, volumes, logs, keys
    #[arg(long)]
    purge: bool,
    /// Longest wait for tasks to stop, in seconds; then they are killed
    #[arg(long, default_value_t = 150, value_name = "S")]
    timeout: u64,
}

/// How long the parent may take to end after it was told to.
const PARENT_ENDS: Duration = Duration::from_secs(15);
/// How long killed processes may take to be gone, in milliseconds.
const KILL_MS: u64 = 10_000;

pub(crate) fn run(data_dir: &Path, down: &Down) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let Some(identity) = installation.identity()? else {
        say(&format!("There is no Bayplan in {}.\n", installation.data_dir.display()))?;
        return Ok(ExitCode::SUCCESS);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(stop_tasks(&installation, down.timeout))?;
    runtime.block_on(end_parent(&installation))?;
    remove_from_host(&installation, &identity)?;
    if down.purge {
        std::fs::remove_dir_all(&installation.data_dir).context("the data cannot be deleted")?;
    }
    let data = if down.purge { "deleted" } else { "kept" };
    say(&format!(
        "Bayplan is down; nothing of it is left on the host. Data {data}: {}\n",
        installation.data_dir.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn stop_tasks(installation: &Installation, timeout_s: u64) -> Result<()> {
    if up::lock(installation)?.is_some() {
        // Nobody runs here: whatever is left is killed below.
        return Ok(());
    }
    let asked = admin::exchange(installation, "POST", "/v1/down", &serde_json::Value::Null);
    match tokio::time::timeout(Duration::from_secs(timeout_s), asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => say(&format!("The server cannot stop the tasks ({error:#}); they are killed.\n")),
        Err(_) => say(&format!("Some tasks did not stop within {timeout_s} s; they are killed.\n")),
    }
}

/// Ends the process that holds the lock, and waits until the lock is free.
async fn end_parent(installation: &Installation) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PARENT_ENDS;
    let mut told = false;
    loop {
        if up::lock(installation)?.is_some() {
            return Ok(());
        }
        if !told && let Some(pid) = installation.parent_pid() {
            // It may have ended in this moment.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            told = true;
        }
        if tokio::time::Instant::now() > deadline {
            bail!("Bayplan's parent process did not end within {} s", PARENT_ENDS.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn remove_from_host(installation: &Installation, identity: &Identity) -> Result<()> {
    kill_processes(&identity.instance).context("processes of tasks cannot be killed")?;
    let instance: network::InstanceId = identity.instance.parse()?;
    let host = network::Host::open(instance, installation.run_dir().join("net"))?;
    host.remove().context("the network cannot be taken off the host")?;
    let run = installation.run_dir();
    if run.exists() {
        std::fs::remove_dir_all(&run).with_context(|| format!("{} cannot be removed", run.display()))?;
    }
    Ok(())
}

/// Ends whatever runs of the instance, by its control groups: containers, then the supervisors of tasks that are left.
fn kill_processes(instance: &str) -> Result<()> {
    let host = runtime::cgroup::Host::probe()?;
    let supervisors = host.supervisors(instance)?;
    for uid in units_beside(&supervisors) {
        runtime::cgroup::kill_unit(instance, &uid, KILL_MS)?;
        runtime::cgroup::remove_unit(instance, &uid, KILL_MS)?;
    }
    supervisors.kill_and_wait(KILL_MS)?;
    supervisors.remove_all(KILL_MS)?;
    host.remove_instance(instance)?;
    Ok(())
}

/// Every Unit that has a control group, whatever became of its run folder.
fn units_beside(supervisors: &runtime::cgroup::Group) -> BTreeSet<String> {
    let folders = supervisors.dirs().filter_map(|dir| std::fs::read_dir(dir.parent()?).ok());
    let groups = folders.flatten().flatten().filter(|entry| entry.path().is_dir());
    let names = groups.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| supervisors.dirs().all(|dir| !dir.ends_with(name))).collect()
}
