//! The agent process: probes the machine, then drives its Units until it is told to end.

use crate::cli::up::{Capacity, Settings};
use crate::installation::Installation;
use agent::Config;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn run(data_dir: &Path, settings: Settings) -> Result<ExitCode> {
    super::die_with_parent()?;
    super::log_to_stderr(&settings.log_level)?;
    let installation = Installation::at(data_dir)?;
    let identity = installation.existing_identity()?;
    let Capacity { cpu, memory } = settings.capacity.unwrap_or_default();
    let node = agent::probe_machine(
        model::NodeId::new(identity.node),
        env!("CARGO_PKG_VERSION"),
        aws_frontend::ecs::node_registration_attributes(&identity.region),
        (cpu, memory),
    )
    .context("this machine cannot be read")?;
    let config = Config {
        data_dir: installation.data_dir.clone(),
        instance: identity.instance,
        server_socket: installation.socket(),
        node,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(ExitCode::SUCCESS),
            ended = agent::run(config) => ended.map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        }
    })
}
