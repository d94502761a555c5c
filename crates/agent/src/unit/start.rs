//! Starting containers: as many as the graph allows, one attempt each, journalled before it is tried.

use super::Actor;
use super::compose::{Place, compose};
use super::prepare::chain;
use crate::graph;
use crate::link::LinkError;
use model::unit::{ContainerState, StopCause};
use runtime::protocol::{Reply, Request};
use std::os::unix::fs::DirBuilderExt;
use tokio::time::{Duration, Instant};

impl Actor {
    pub(super) async fn start_what_may(&mut self) {
        loop {
            let spec = self.journal.assignment.spec.clone();
            let stages = self.stages();
            if let Some((who, on)) = graph::hopeless(&spec.containers, &stages) {
                let words = format!(
                    "TaskFailedToStart: container {} waits for {} to become {:?}, which can no longer happen",
                    spec.containers[who].name, on.container, on.condition
                );
                self.end(StopCause::FailedToStart, words, None);
                return;
            }
            let startable = graph::startable(&spec.containers, &stages);
            if startable.is_empty() {
                break;
            }
            for index in startable {
                self.start(index).await;
                if self.journal.stop.is_some() {
                    return;
                }
            }
            self.observe();
        }
        self.watch_start_timeouts();
    }

    /// One attempt at one container. A failure is journalled as such.
    pub(super) async fn start(&mut self, index: usize) {
        let attempt = self.journal.containers[index].attempt + 1;
        let container = &mut self.journal.containers[index];
        container.attempt = attempt;
        container.runtime_id = fresh_id();
        container.exit_code = None;
        container.reason = None;
        container.finished_at = None;
        self.save();
        self.enter_directory();
        let outcome = self.try_start(index, attempt).await;
        let container = &mut self.journal.containers[index];
        container.restarting = false;
        match outcome {
            Ok(started_at_unix_ms) => {
                container.state = ContainerState::Running;
                container.started_at = Some(model::Timestamp::from_unix_ms(started_at_unix_ms));
                self.probes.begin(index, self.journal.assignment.spec.containers[index].health_check.as_ref());
            }
            Err(words) => self.start_failed(index, words),
        }
    }

    fn start_failed(&mut self, index: usize, words: String) {
        let now = self.node.now();
        let container = &mut self.journal.containers[index];
        container.state = ContainerState::Stopped;
        container.failed = true;
        container.reason = Some(words.clone());
        container.finished_at = Some(now);
        if self.journal.assignment.spec.containers[index].essential {
            self.end(StopCause::FailedToStart, words, None);
        }
    }

    async fn try_start(&mut self, index: usize, attempt: u32) -> Result<u64, String> {
        let words = |kind: &str, error: &dyn std::error::Error| format!("{kind}: {}", chain(error));
        let spec = self.composed(index)?;
        self.journal.containers[index].stop_signal = spec.stop_signal;
        let name = spec.name.clone();
        let link = self.link().map_err(|e| words("CannotStartContainerError", &e))?;
        link.tell(Request::Create { attempt, spec: Box::new(spec) })
            .await
            .map_err(|e| words("CannotCreateContainerError", &e))?;
        let refused = |words| {
            format!(
                "CannotStartContainerError: failed to initialize logging driver: failed to create Cloudwatch log stream: {words}"
            )
        };
        self.ship_logs(index).await.map_err(refused)?;
        let link = self.link().map_err(|e| words("CannotStartContainerError", &e))?;
        match link.call(Request::Start { container: name, attempt }, Vec::new()).await {
            Ok((Reply::Started { started_at_unix_ms, .. }, _)) => Ok(started_at_unix_ms),
            Ok(_) => Err("CannotStartContainerError: the supervisor gave an answer to another question".to_owned()),
            Err(LinkError::Failed(failure)) => Err(format!("CannotStartContainerError: {failure}")),
            Err(error) => Err(words("CannotStartContainerError", &error)),
        }
    }

    fn composed(&self, index: usize) -> Result<runtime::spec::ContainerSpec, String> {
        let words = |error: &dyn std::error::Error| format!("CannotCreateContainerError: {}", chain(error));
        let assignment = &self.journal.assignment;
        let (unit, spec) = (&assignment.unit, &assignment.spec.containers[index]);
        let config = &self.node.config;
        let prepared = self.prepared.as_ref().ok_or("CannotCreateContainerError: nothing was prepared")?;
        let image = &prepared.images[index];
        let scratch = config.scratch_dir().join(unit.uid.as_str()).join(&spec.name);
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o755);
        for dir in ["upper", "work"] {
            folder.create(scratch.join(dir)).map_err(|e| words(&e))?;
        }
        let mountpoints = config.mountpoints_dir();
        let place = Place {
            mountpoints: &mountpoints,
            unit: &assignment.spec,
            uid: unit.uid.as_str(),
            address: unit.placement.address().map(|a| a.address.to_string()),
            node: config.node.id.as_str(),
            layers: &image.layer_dirs,
            scratch: &scratch,
            log_file: config.logs_dir().join(unit.uid.as_str()).join(format!("{}.log", spec.name)),
            hostname: self.hostname(index),
            etc: self.write_etc(index).map_err(|e| words(&e))?,
            mounts: self.volume_mounts(index),
            files_max: files_max(),
            credentials: assignment.credentials.as_ref(),
            held_network: self.held_network(index),
        };
        compose(spec, &image.config, place).map_err(|e| words(&e))
    }

    /// Whoever others wait for has its start timeout from its start, as long as they wait.
    fn watch_start_timeouts(&mut self) {
        let spec = self.journal.assignment.spec.clone();
        let awaited = graph::awaited(&spec.containers, &self.stages());
        for (index, container) in spec.containers.iter().enumerate() {
            self.give_up_at[index] = match container.start_timeout_s.filter(|_| awaited.contains(&index)) {
                None => None,
                Some(seconds) => {
                    let started = self.journal.containers[index].started_at.unwrap_or_default();
                    let left = (u64::from(seconds) * 1000).saturating_sub(self.node.now().since_ms(started));
                    self.give_up_at[index].or(Some(Instant::now() + Duration::from_millis(left)))
                }
            };
        }
    }
}

/// The agent's own hard limit, which its supervisors inherit.
fn files_max() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard)
}

/// A container attempt's id: 64 hex digits, as Docker's.
fn fresh_id() -> String {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    hex::encode(random)
}
