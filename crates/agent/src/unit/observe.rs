//! What the actor tells the server: derived from the journal, written there first, sent once it differs.

use super::Actor;
use crate::graph;
use crate::journal::{Container, Published};
use model::unit::observed::StopObserved;
use model::unit::spec::ContainerSpec;
use model::unit::{ContainerObserved, ContainerState, Lifecycle, Observed, PortBinding};
use std::net::{IpAddr, Ipv4Addr};

impl Actor {
    /// Journals and sends the present state if it differs from what was last said; answers whether it did.
    pub(super) fn observe(&mut self) -> bool {
        let next = self.observation();
        let differs = next != self.journal.observed;
        if differs {
            self.journal.observed = next;
            self.journal.sequence += 1;
            self.save();
            self.publish();
        }
        differs
    }

    /// Sends what the journal says.
    pub(super) fn publish(&self) {
        let uid = &self.journal.assignment.unit.uid;
        self.node.outbox.put(uid, self.journal.sequence, &self.journal.observed);
    }

    /// A journal that cannot be written costs the memory of a later crash, not the Unit: it is said and gone on.
    pub(super) fn save(&self) {
        if let Err(error) = self.journal.save(&self.dir) {
            tracing::error!(unit = %self.journal.assignment.unit.uid, %error, "a unit's journal cannot be written");
        }
    }

    fn observation(&self) -> Observed {
        let journal = &self.journal;
        let stages = self.stages();
        let before = &journal.observed;
        let lifecycle = match (&journal.stop, graph::all_started(&stages)) {
            (Some(_), _) => Lifecycle::Stopping,
            (None, true) => Lifecycle::Running,
            (None, false) => Lifecycle::Preparing,
        }
        .max(before.lifecycle);
        let spec = &journal.assignment.spec;
        let containers = spec.containers.iter().zip(&journal.containers);
        let over = graph::finished(&stages, journal.stop.is_some());
        Observed {
            lifecycle,
            containers: containers.map(|(spec, progress)| observed(spec, progress, &journal.published)).collect(),
            stop: journal.stop.as_ref().map(|s| StopObserved { cause: s.cause, reason: s.reason.clone() }),
            started_at: before.started_at.or_else(|| (lifecycle == Lifecycle::Running).then(|| self.node.now())),
            stopping_at: before.stopping_at.or(journal.stop.as_ref().map(|s| s.since)),
            execution_stopped_at: before.execution_stopped_at.or_else(|| {
                let ends = journal.containers.iter().filter_map(|c| c.finished_at);
                over.then(|| ends.max()).flatten()
            }),
            pull_started_at: before.pull_started_at,
            pull_stopped_at: before.pull_stopped_at,
            stopped_at: before.stopped_at,
        }
    }

    /// The last observation: nothing is left of the Unit but its logs.
    pub(super) fn observe_end(&mut self) {
        for container in &mut self.journal.containers {
            container.state = ContainerState::Stopped;
            container.restarting = false;
        }
        let mut last = self.observation();
        last.lifecycle = Lifecycle::Stopped;
        last.stopped_at = Some(self.node.now());
        self.journal.observed = last;
        self.journal.sequence += 1;
        self.save();
        self.publish();
    }
}

fn observed(spec: &ContainerSpec, progress: &Container, published: &[Published]) -> ContainerObserved {
    let ports = published.iter().filter(|p| p.container == spec.name).map(|p| PortBinding {
        host_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host_port: p.host_port,
        container_port: p.container_port,
        protocol: p.protocol,
    });
    ContainerObserved {
        name: spec.name.as_str().into(),
        essential: spec.essential,
        state: progress.state,
        runtime_id: (!progress.runtime_id.is_empty()).then(|| progress.runtime_id.as_str().into()),
        image_digest: progress.image_digest.as_deref().map(Into::into),
        exit_code: progress.exit_code,
        oom_killed: progress.oom_killed,
        reason: progress.reason.clone(),
        health: spec.health_check.as_ref().map(|_| progress.health.unwrap_or_default()),
        restarts: progress.attempt.saturating_sub(1),
        ports: ports.collect(),
        started_at: progress.started_at,
        finished_at: progress.finished_at,
        log_drops: progress.log_drops,
    }
}
