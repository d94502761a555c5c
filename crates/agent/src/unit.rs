//! One actor per Unit: carries it from its assignment to its end, one step at a time, and survives its own death.
//!
//! [`graph`](crate::graph) says what may start and what must stop, [`prepare`] makes what containers stand on, [`compose`]
//! turns a model container into a runtime one, [`events`] takes in what happened, [`observe`] says it to the server.

mod compose;
mod events;
mod health;
mod logs;
mod network;
mod observe;
mod prepare;
mod start;
mod stop;
mod volumes;

use crate::context::NodeContext;
use crate::directory::Entry;
use crate::graph;
use crate::journal::{Journal, Stop};
use crate::link::{Link, LinkError};
use health::Probes;
use logs::Shipping;
use model::unit::{ContainerState, Lifecycle, StopCause, StopIntent};
use prepare::Prepared;
pub(crate) use prepare::chain;
use runtime::protocol::Event;
use session::Assignment;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What the node's loop tells an actor.
#[derive(Debug)]
pub(crate) enum Control {
    /// A newer version of the Unit's record.
    Assigned(Box<Assignment>),
    /// The record is gone, or the server has no such Unit any more: stop and forget.
    Gone,
    /// The server has stored the last observation.
    Settled,
}

/// An actor between two steps.
pub(crate) struct Actor {
    node: Arc<NodeContext>,
    journal: Journal,
    dir: PathBuf,
    control: mpsc::Receiver<Control>,
    link: Option<Arc<Link>>,
    events: Option<mpsc::Receiver<Event>>,
    prepared: Option<Prepared>,
    /// What an adopted supervisor holds already, by name.
    held: BTreeSet<String>,
    /// Ends the shipping of each container's output, once it is all sent.
    shipping: Vec<Shipping>,
    probes: Probes,
    /// When each container's stop timeout runs out, while it is being stopped.
    kill_at: Vec<Option<Instant>>,
    /// When each awaited container's start timeout runs out.
    give_up_at: Vec<Option<Instant>>,
    gone: bool,
}

impl Actor {
    pub(crate) fn new(node: Arc<NodeContext>, journal: Journal, control: mpsc::Receiver<Control>) -> Self {
        let count = journal.containers.len();
        let dir = node.config.units_dir().join(journal.assignment.unit.uid.as_str());
        Self {
            node,
            dir,
            control,
            link: None,
            events: None,
            prepared: None,
            held: BTreeSet::new(),
            shipping: Vec::new(),
            probes: Probes::new(count),
            kill_at: vec![None; count],
            give_up_at: vec![None; count],
            gone: false,
            journal,
        }
    }

    /// Runs the Unit to its end. Returns when the server has stored that end, or has forgotten the Unit.
    pub(crate) async fn run(mut self) {
        if self.journal.observed.lifecycle == Lifecycle::Stopped {
            self.publish();
        } else {
            let node = self.node.clone();
            let turn = node.turn().await;
            if let Err(error) = self.begin().await {
                self.fail(error);
            }
            if !self.is_finished() {
                self.step().await;
                self.observe();
            }
            drop(turn);
            while !self.is_finished() {
                self.step().await;
                self.observe();
                if self.is_finished() {
                    break;
                }
                self.wait().await;
            }
            self.clean_up().await;
        }
        self.settle().await;
    }

    fn is_finished(&self) -> bool {
        let failed_early = self.link.is_none() && self.journal.stop.is_some();
        failed_early || graph::finished(&self.stages(), self.journal.stop.is_some())
    }

    /// Everything that can be done now, until only waiting is left.
    async fn step(&mut self) {
        if self.journal.stop.is_none() {
            self.take_intent();
        }
        if self.journal.stop.is_none() {
            self.start_what_may().await;
        }
        if self.journal.stop.is_some() {
            self.stop_what_must().await;
        }
    }

    /// A stop that somebody wishes becomes this actor's own.
    fn take_intent(&mut self) {
        if let Some(StopIntent { by, reason, grace_s, .. }) = self.journal.assignment.unit.intent.stop.clone() {
            self.end(by, reason, grace_s);
        } else if self.gone {
            self.end(StopCause::UserInitiated, "The task's record was deleted".to_owned(), None);
        }
    }

    /// From here on the Unit only ends. The first reason stays.
    fn end(&mut self, cause: StopCause, reason: String, grace_s: Option<u32>) {
        if self.journal.stop.is_none() {
            self.journal.stop = Some(Stop { cause, reason, since: self.node.now(), grace_s });
        }
    }

    fn fail(&mut self, error: prepare::PrepareError) {
        if let Some(name) = &error.container
            && let Some(index) = self.index_of(name)
        {
            self.journal.containers[index].reason = Some(error.words.clone());
        }
        self.end(error.cause, error.words, None);
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.journal.assignment.spec.containers.iter().position(|c| c.name == name)
    }

    fn stages(&self) -> Vec<graph::Stage> {
        self.journal
            .containers
            .iter()
            .map(|c| match c.state {
                _ if c.restarting => graph::Stage::Restarting,
                ContainerState::Pending | ContainerState::Created => graph::Stage::Waiting,
                ContainerState::Running => graph::Stage::Running { health: c.health },
                ContainerState::Stopped if c.failed => graph::Stage::Failed,
                ContainerState::Stopped => graph::Stage::Ended { code: c.exit_code },
            })
            .collect()
    }

    /// Until something happens that may allow a next step.
    async fn wait(&mut self) {
        let deadline = self.next_deadline();
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let event = async {
            match &mut self.events {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            control = next(&mut self.control) => self.told(control),
            event = event => match event {
                Some(event) => self.happened(event).await,
                None => self.supervisor_died(),
            },
            () = timer => self.time_came().await,
        }
    }

    fn told(&mut self, control: Control) {
        match control {
            Control::Assigned(next) => {
                if next.revision > self.journal.assignment.revision {
                    self.journal.assignment.unit = next.unit;
                    self.journal.assignment.revision = next.revision;
                }
            }
            Control::Gone => self.gone = true,
            Control::Settled => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stops = self.kill_at.iter().chain(&self.give_up_at).flatten().copied();
        stops.chain(self.probes.next_due()).min()
    }

    /// Waits until the end is stored, then forgets the Unit's run folder.
    async fn settle(mut self) {
        while !self.gone {
            match next(&mut self.control).await {
                Control::Settled | Control::Gone => break,
                Control::Assigned(_) => {}
            }
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(unit = %self.journal.assignment.unit.uid, %error, "a stopped unit's run folder stays behind");
        }
    }

    fn link(&self) -> Result<&Link, LinkError> {
        self.link.as_deref().ok_or(LinkError::Gone)
    }

    /// Says to whoever wants to look inside how the Unit's supervisor is reached.
    fn enter_directory(&self) {
        let Some(link) = self.link.clone() else { return };
        let containers = self.journal.assignment.spec.containers.iter().zip(&self.journal.containers);
        let containers = containers.map(|(spec, progress)| (spec.name.clone(), progress.attempt)).collect();
        self.node.directory.put(&self.journal.assignment.unit.uid, Entry { link, containers });
    }
}

/// What the node's loop says next. A loop that has ended says nothing more: this task ends with it in a moment, and until then
/// its silence must not pass for a word.
async fn next(control: &mut mpsc::Receiver<Control>) -> Control {
    match control.recv().await {
        Some(control) => control,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::Cpu;
    use model::unit::spec::{ContainerSpec, LinuxSpec, LogSink};

    /// A container with nothing special about it.
    pub(crate) fn container(name: &str) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            essential: true,
            image: "app:1".to_owned(),
            image_digest: None,
            entrypoint: None,
            command: None,
            env: Vec::new(),
            working_dir: None,
            user: None,
            hostname: None,
            cpu: Cpu::ZERO,
            cpu_ceiling: None,
            memory_hard: None,
            memory_soft: None,
            ports: Vec::new(),
            mounts: Vec::new(),
            volumes_from: Vec::new(),
            links: Vec::new(),
            start_after: Vec::new(),
            start_timeout_s: None,
            stop_timeout_s: 30,
            health_check: None,
            restart: None,
            log: LogSink::Node { max_file_bytes: None, max_files: None },
            interactive: false,
            tty: false,
            privileged: false,
            read_only_root: false,
            disable_networking: false,
            dns_servers: Vec::new(),
            dns_search: Vec::new(),
            extra_hosts: Vec::new(),
            security_options: Vec::new(),
            rlimits: Vec::new(),
            sysctls: Default::default(),
            linux: LinuxSpec::default(),
            labels: Default::default(),
        }
    }
}
