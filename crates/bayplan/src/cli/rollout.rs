//! `bayplan rollout`: follows a service's newest deployment to its end, and ends as it does.

mod ending;
mod screen;
#[cfg(test)]
mod testing;
mod words;

use super::admin;
use super::output::{Format, tell};
use crate::installation::Installation;
use crate::roles::admin::rollout::Question;
use crate::roles::admin::rollout::view::{Told, View};
use anyhow::{Context, Result, bail};
use clap::Args;
pub(super) use ending::Ending;
pub(super) use screen::Screen;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Rollout {
    /// The service: a name, or an ARN
    service: String,
    /// The service's cluster, where several have one of the name
    #[arg(long, value_name = "C")]
    cluster: Option<String>,
    /// Only say how it stands now
    #[arg(long)]
    no_wait: bool,
    /// Longest wait for its end, in seconds (default: as long as it takes)
    #[arg(long, value_name = "S", conflicts_with = "no_wait")]
    timeout: Option<u64>,
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// Connections in a row on which the server says nothing, until it is taken for broken.
const SILENT_MAX: u32 = 20;

pub(crate) fn run(data_dir: &Path, rollout: &Rollout) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry(&installation, rollout))
}

async fn carry(installation: &Installation, rollout: &Rollout) -> Result<ExitCode> {
    let mut seen = Seen { screen: Screen::new(rollout.output), last: None, next_event: 0 };
    let following = follow(installation, rollout, &mut seen);
    let is_in_time = match rollout.timeout {
        None => following.await.map(|()| true)?,
        Some(limit_s) => match tokio::time::timeout(Duration::from_secs(limit_s), following).await {
            Ok(done) => done.map(|()| true)?,
            Err(_) => false,
        },
    };
    let view = seen.last.context("the server said nothing of the deployment in time")?;
    let ending = match rollout.timeout.filter(|_| !is_in_time) {
        Some(limit_s) => Ending::late(&view, limit_s),
        None => Ending::of(&view),
    };
    tell(&seen.screen.end(&view, &ending)?)?;
    Ok(ExitCode::from(ending.exit_code()))
}

/// What was told so far.
struct Seen {
    screen: Screen,
    last: Option<View>,
    next_event: u64,
}

impl Seen {
    /// Shows a line; false when nobody looks any more.
    fn take(&mut self, told: &Told) -> Result<bool> {
        let shown = tell(&self.screen.show(self.last.as_ref(), told)?)?;
        match told {
            Told::State(state) => self.last = Some(state.view.clone()),
            Told::Event(event) => self.next_event = event.number + 1,
        }
        Ok(shown)
    }

    fn is_over(&self) -> bool {
        self.last.as_ref().is_some_and(|view| view.status.is_final())
    }
}

/// Until the deployment is over; across restarts of the server, whose socket is held by another process.
async fn follow(installation: &Installation, rollout: &Rollout, seen: &mut Seen) -> Result<()> {
    let mut silent = 0;
    loop {
        let question = Question {
            service: rollout.service.clone(),
            cluster: seen.last.as_ref().map(|view| view.cluster.clone()).or_else(|| rollout.cluster.clone()),
            deployment: seen.last.as_ref().map(|view| view.deployment.clone()),
            from_event: seen.next_event,
            follow: !rollout.no_wait,
        };
        silent += 1;
        if let Some(mut lines) = admin::lines(installation, "/v1/rollout", &question).await? {
            while let Some(told) = lines.next::<Told>().await? {
                silent = 0;
                if !seen.take(&told)? {
                    return Ok(());
                }
            }
        }
        if seen.is_over() || (rollout.no_wait && seen.last.is_some()) {
            return Ok(());
        }
        if silent >= SILENT_MAX {
            bail!("the server ends again and again; look into {}", installation.log_file().display());
        }
    }
}
