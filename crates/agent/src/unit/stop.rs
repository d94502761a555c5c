//! Ending a Unit: containers in the reverse of their start order, each with its own grace; then everything it stood on.

use super::Actor;
use super::prepare::blocking;
use crate::graph;
use model::unit::{ContainerState, StopCause};
use runtime::protocol::Request;
use tokio::time::{Duration, Instant};

/// How long the kernel may take to end killed processes, in milliseconds.
const KILL_MS: u64 = 10_000;

impl Actor {
    /// Signals whoever may go now and has not been signalled yet.
    pub(super) async fn stop_what_must(&mut self) {
        let spec = self.journal.assignment.spec.clone();
        for index in graph::stoppable(&spec.containers, &self.stages()) {
            if self.journal.containers[index].restarting {
                self.journal.containers[index].restarting = false;
                self.journal.containers[index].state = ContainerState::Stopped;
                continue;
            }
            if self.kill_at[index].is_some() {
                continue;
            }
            let own = spec.containers[index].stop_timeout_s;
            let wished = self.journal.stop.as_ref().and_then(|s| s.grace_s);
            let grace = wished.map_or(own, |w| w.min(own));
            self.kill_at[index] = Some(Instant::now() + Duration::from_secs(u64::from(grace)));
            let progress = &self.journal.containers[index];
            let signal = if progress.stop_signal == 0 { nix::libc::SIGTERM } else { progress.stop_signal };
            let (container, attempt) = (spec.containers[index].name.clone(), progress.attempt);
            self.tell(Request::Signal { container, attempt, signal }).await;
        }
    }

    /// Some deadline has passed: kill, give up, or probe.
    pub(super) async fn time_came(&mut self) {
        let now = Instant::now();
        let spec = self.journal.assignment.spec.clone();
        for index in 0..spec.containers.len() {
            if self.kill_at[index].is_some_and(|at| at <= now) {
                // The exit is coming; until then nothing more is to be done about it.
                self.kill_at[index] = Some(now + Duration::from_secs(3600));
                let (container, attempt) =
                    (spec.containers[index].name.clone(), self.journal.containers[index].attempt);
                self.tell(Request::Kill { container, attempt }).await;
            }
            if self.give_up_at[index].is_some_and(|at| at <= now) {
                self.give_up_at[index] = None;
                let words = format!(
                    "TaskFailedToStart: container {} did not meet the condition that others wait for within its start timeout of {} s",
                    spec.containers[index].name,
                    spec.containers[index].start_timeout_s.unwrap_or_default()
                );
                self.end(StopCause::FailedToStart, words, None);
            }
        }
        self.probe_what_is_due(now).await;
    }

    /// The supervisor is gone, and what ran under it with it: its groups are killed, and no exit code is invented.
    pub(super) fn supervisor_died(&mut self) {
        self.link = None;
        self.events = None;
        let now = self.node.now();
        for container in &mut self.journal.containers {
            if matches!(container.state, ContainerState::Running) || container.restarting {
                container.state = ContainerState::Stopped;
                container.restarting = false;
                container.finished_at = Some(now);
                container.reason = Some("The container's supervisor was lost; its exit code is unknown".to_owned());
            }
        }
        self.end(StopCause::NodeFailure, "The task's supervisor on the node was lost".to_owned(), None);
    }

    /// Removes everything but the logs, then says that the Unit has stopped.
    pub(super) async fn clean_up(&mut self) {
        // What an adopted supervisor has just told is written down before it goes: it is the only one who knows.
        if !self.observe() {
            self.save();
        }
        self.finish_shipping().await;
        // It removes every control group of the Unit and answers when nothing runs in them any more.
        let removed = match &self.link {
            Some(link) => link.tell(Request::Shutdown).await.is_ok(),
            None => false,
        };
        self.link = None;
        self.release_network().await;
        let node = self.node.clone();
        let uid = self.journal.assignment.unit.uid.clone();
        let instance = node.config.instance.clone();
        blocking(move || {
            if !removed && let Err(error) = remove_groups(&instance, uid.as_str()) {
                tracing::warn!(unit = %uid, %error, "a unit's control groups stay behind");
            }
            let scratch = node.config.scratch_dir().join(uid.as_str());
            if let Err(error) = std::fs::remove_dir_all(&scratch)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(unit = %uid, %error, "a unit's writable layers stay behind");
            }
            if let Err(error) = node.images.release(uid.as_str()) {
                tracing::warn!(unit = %uid, %error, "a unit still holds its images");
            }
        })
        .await;
        self.release_volumes().await;
        self.observe_end();
        self.node.directory.remove(&self.journal.assignment.unit.uid);
    }

    /// A request whose failure changes nothing that could be done about it: the next event tells.
    pub(super) async fn tell(&self, request: Request) {
        let Ok(link) = self.link() else { return };
        if let Err(error) = link.tell(request).await {
            tracing::debug!(unit = %self.journal.assignment.unit.uid, %error, "a supervisor did not carry out a request");
        }
    }
}

/// Ends and removes what no supervisor has removed.
fn remove_groups(instance: &str, unit: &str) -> Result<(), runtime::cgroup::CgroupError> {
    runtime::cgroup::kill_unit(instance, unit, KILL_MS)?;
    runtime::cgroup::remove_unit(instance, unit, KILL_MS)
}
