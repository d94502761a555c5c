//! A modelled node: what an agent takes on, starts, sees end and reports, with containers that only have states.
//!
//! Its journal survives the agent, not the machine; all else ends with the agent. It follows the agent's rules: an older step is
//! ignored, a Unit that is absent from a complete set ends, a Unit that it does not know is begun only if nobody has begun it.

use crate::chance::Chance;
use crate::temper::{Season, Temper};
use model::unit::observed::StopObserved;
use model::unit::{ContainerObserved, ContainerState, Health, Lifecycle, Observed, StopCause};
use model::{Node, Timestamp, UnitUid};
use session::server::Settled;
use session::{Assignment, Desired, ObservedUpdate};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The most that a start, a stop or an exit takes, in milliseconds.
const START_MS: u64 = 3_000;
const STOP_MS: u64 = 4_000;
const RUN_MS: u64 = 30_000;

/// One connection to the server, with what is on its way; each way keeps its order.
pub(crate) struct Link {
    /// What the desk has made and the session has not said yet.
    pub(crate) steps: mpsc::Receiver<Desired>,
    pub(crate) settled: Settled,
    pub(crate) to_node: VecDeque<Message>,
    pub(crate) reports: VecDeque<ObservedUpdate>,
}

/// What a session says.
pub(crate) enum Message {
    Step(Desired),
    Ack(UnitUid, u64),
}

/// One Unit as the node's journal has it.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) assignment: Assignment,
    pub(crate) observed: Observed,
    sequence: u64,
    /// When it moves on, unless somebody ends it before.
    next_at: Timestamp,
}

impl Local {
    pub(crate) fn runs(&self) -> bool {
        matches!(self.observed.lifecycle, Lifecycle::Running | Lifecycle::Stopping)
    }
}

/// An observation until it is acknowledged.
struct Waiting {
    sequence: u64,
    observed: Observed,
    sent: bool,
}

pub(crate) struct FakeNode {
    pub(crate) node: Node,
    pub(crate) journal: BTreeMap<UnitUid, Local>,
    pub(crate) link: Option<Link>,
    /// Whatever it does takes its time.
    pub(crate) is_slow: bool,
    outbox: BTreeMap<UnitUid, Waiting>,
    gone: BTreeSet<UnitUid>,
    newest: u64,
}

/// What a Unit on a node did.
pub(crate) enum Deed {
    Began(UnitUid),
    Ended(UnitUid, StopObserved),
    Other(UnitUid, &'static str),
}

impl FakeNode {
    pub(crate) fn new(node: Node, is_slow: bool) -> Self {
        Self {
            node,
            is_slow,
            journal: BTreeMap::new(),
            link: None,
            outbox: BTreeMap::new(),
            gone: BTreeSet::new(),
            newest: 0,
        }
    }

    /// The agent falls and begins again with its journal; containers go on.
    pub(crate) fn restart_agent(&mut self) {
        self.link = None;
        self.gone.clear();
        self.newest = 0;
        let again = |local: &Local| Waiting { sequence: local.sequence, observed: local.observed.clone(), sent: false };
        self.outbox = self.journal.iter().map(|(uid, local)| (uid.clone(), again(local))).collect();
    }

    /// The machine falls: no container, no journal.
    pub(crate) fn reboot(&mut self) {
        self.journal.clear();
        self.restart_agent();
        self.node.boot_id.push('+');
    }

    pub(crate) fn connect(&mut self, steps: mpsc::Receiver<Desired>) {
        self.link =
            Some(Link { steps, settled: Settled::default(), to_node: VecDeque::new(), reports: VecDeque::new() });
        self.outbox.values_mut().for_each(|waiting| waiting.sent = false);
        self.send();
    }

    /// Puts what was not sent yet on its way.
    pub(crate) fn send(&mut self) {
        let Some(link) = &mut self.link else { return };
        for (uid, waiting) in self.outbox.iter_mut().filter(|(_, waiting)| !waiting.sent) {
            waiting.sent = true;
            link.reports.push_back(ObservedUpdate::new(uid, waiting.sequence, &waiting.observed));
        }
    }

    pub(crate) fn acknowledged(&mut self, uid: &UnitUid, sequence: u64) {
        let Some(waiting) = self.outbox.get(uid).filter(|waiting| waiting.sequence <= sequence) else { return };
        let last = waiting.observed.lifecycle == Lifecycle::Stopped;
        self.outbox.remove(uid);
        if last {
            self.journal.remove(uid);
        }
    }

    /// Takes a step of the desired state; false if it was too old to count.
    pub(crate) fn take(&mut self, step: Desired, now: Timestamp, chance: &mut Chance) -> bool {
        if step.revision < self.newest {
            return false;
        }
        self.newest = step.revision;
        if step.complete {
            let wanted: BTreeSet<UnitUid> = step.assignments.iter().map(|a| a.unit.uid.clone()).collect();
            let absent: Vec<UnitUid> = self.journal.keys().filter(|uid| !wanted.contains(uid)).cloned().collect();
            absent.iter().for_each(|uid| self.forget(uid, now));
        }
        for assignment in step.assignments {
            self.assign(assignment, now, chance);
        }
        step.gone.iter().for_each(|uid| self.forget(uid, now));
        self.send();
        true
    }

    fn assign(&mut self, assignment: Assignment, now: Timestamp, chance: &mut Chance) {
        let uid = assignment.unit.uid.clone();
        if let Some(local) = self.journal.get_mut(&uid) {
            if assignment.revision > local.assignment.revision {
                if assignment.unit.intent.stop.is_some() {
                    local.next_at = local.next_at.min(now);
                }
                local.assignment = assignment;
            }
        } else if assignment.unit.observed.lifecycle == Lifecycle::Accepted {
            let next_at = now.saturating_add_ms(chance.ms(START_MS));
            let observed = Observed::default();
            self.journal.insert(uid, Local { assignment, observed, sequence: 0, next_at });
        } else if assignment.unit.observed.lifecycle != Lifecycle::Stopped {
            // It ran here once and nothing of it is left.
            let mut observed = assignment.unit.observed.clone();
            observed.lifecycle = Lifecycle::Stopped;
            observed.stopped_at = Some(now);
            observed.stop = Some(StopObserved {
                cause: StopCause::NodeFailure,
                reason: "the machine was restarted while it ran".into(),
            });
            self.outbox.insert(uid, Waiting { sequence: u64::MAX, observed, sent: false });
        }
    }

    fn forget(&mut self, uid: &UnitUid, now: Timestamp) {
        match self.journal.get_mut(uid) {
            Some(local) if local.observed.lifecycle == Lifecycle::Stopped => drop(self.journal.remove(uid)),
            Some(local) => {
                local.next_at = now;
                self.gone.insert(uid.clone());
            }
            None => {}
        }
    }

    /// Units that can move on by now.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<UnitUid> {
        let is_due = |local: &Local| local.next_at <= now && local.observed.lifecycle != Lifecycle::Stopped;
        self.journal.iter().filter(|(_, local)| is_due(local)).map(|(uid, _)| uid.clone()).collect()
    }

    /// Moves one Unit on.
    pub(crate) fn work(&mut self, uid: &UnitUid, now: Timestamp, season: Season, chance: &mut Chance) -> Option<Deed> {
        let local = self.journal.get_mut(uid)?;
        let wished = local.assignment.unit.intent.stop.as_ref();
        let ending = wished.map(|stop| StopObserved { cause: stop.by, reason: stop.reason.clone() }).or_else(|| {
            let reason = "its record was deleted".into();
            self.gone.contains(uid).then_some(StopObserved { cause: StopCause::UserInitiated, reason })
        });
        let deed = local.advance(now, season, ending, chance)?;
        local.sequence += 1;
        let (sequence, observed) = (local.sequence, local.observed.clone());
        self.outbox.insert(uid.clone(), Waiting { sequence, observed, sent: false });
        if self.gone.contains(uid) && local.observed.lifecycle == Lifecycle::Stopped {
            self.journal.remove(uid);
        }
        self.send();
        Some(deed)
    }

    /// Whether everything that it has to say was heard.
    pub(crate) fn has_said_all(&self) -> bool {
        self.outbox.is_empty()
    }
}

impl Local {
    fn advance(
        &mut self,
        now: Timestamp,
        season: Season,
        ending: Option<StopObserved>,
        chance: &mut Chance,
    ) -> Option<Deed> {
        let uid = self.assignment.unit.uid.clone();
        let image = self.assignment.spec.containers.first().map_or("", |container| &container.image);
        let temper = Temper::of(image).in_season(season);
        let observed = &mut self.observed;
        match (observed.lifecycle, ending) {
            (Lifecycle::Accepted, None) => {
                observed.lifecycle = Lifecycle::Preparing;
                self.next_at = now.saturating_add_ms(chance.ms(START_MS));
                Some(Deed::Other(uid, "is prepared"))
            }
            (Lifecycle::Accepted | Lifecycle::Preparing, Some(stop)) => Some(self.end(uid, stop, None, now)),
            (Lifecycle::Preparing, None) if temper.fails_to_start(season, chance) => {
                let reason = "CannotPullContainerError: there is no such image".into();
                let stop = StopObserved { cause: StopCause::FailedToStart, reason };
                Some(self.end(uid, stop, None, now))
            }
            (Lifecycle::Preparing, None) => {
                observed.lifecycle = Lifecycle::Running;
                observed.started_at = Some(now);
                let spec = &self.assignment.spec;
                observed.containers = spec.containers.iter().map(|c| running(&c.name, c.essential)).collect();
                if let Some(first) = observed.containers.first_mut() {
                    first.health = temper.has_check().then_some(Health::Unknown);
                    first.image_digest = Some(digest_of(image));
                }
                self.next_at =
                    now.saturating_add_ms(chance.ms(if temper == Temper::Moody { RUN_MS } else { START_MS }));
                Some(Deed::Began(uid))
            }
            (Lifecycle::Running, Some(stop)) => {
                observed.lifecycle = Lifecycle::Stopping;
                observed.stopping_at = Some(now);
                observed.stop = Some(stop);
                self.next_at = now.saturating_add_ms(chance.ms(STOP_MS));
                Some(Deed::Other(uid, "is told to stop"))
            }
            (Lifecycle::Running, None) if temper != Temper::Moody => self.go_on(uid, temper, now, season, chance),
            (Lifecycle::Running, None) if season != Season::Rough => None,
            (Lifecycle::Running, None) if chance.one_in(3) => {
                let code = chance.below(3) as i32;
                let reason = format!("container exited with code {code}");
                let stop = StopObserved { cause: StopCause::EssentialContainerExited, reason };
                Some(self.end(uid, stop, Some(code), now))
            }
            (Lifecycle::Running, None) => {
                let health = chance.one_of(&[Health::Healthy, Health::Unhealthy]);
                let container = observed.containers.first_mut()?;
                container.restarts += 1;
                container.health = Some(health);
                self.next_at = now.saturating_add_ms(chance.ms(RUN_MS));
                Some(Deed::Other(uid, if health == Health::Healthy { "is healthy" } else { "is unhealthy" }))
            }
            (Lifecycle::Stopping, _) => {
                let unsaid = || StopObserved { cause: StopCause::UserInitiated, reason: String::new() };
                let stop = self.observed.stop.clone().unwrap_or_else(unsaid);
                Some(self.end(uid, stop, Some(143), now))
            }
            (Lifecycle::Stopped, _) => None,
        }
    }

    /// A container of a service is up.
    fn go_on(
        &mut self,
        uid: UnitUid,
        temper: Temper,
        now: Timestamp,
        season: Season,
        chance: &mut Chance,
    ) -> Option<Deed> {
        if temper == Temper::Exits || (season == Season::Rough && chance.one_in(12)) {
            let reason = "container exited with code 1".into();
            let stop = StopObserved { cause: StopCause::EssentialContainerExited, reason };
            return Some(self.end(uid, stop, Some(1), now));
        }
        self.next_at = now.saturating_add_ms(chance.ms(RUN_MS));
        let container = self.observed.containers.first_mut().filter(|container| container.health.is_some())?;
        let health = match temper {
            Temper::Sick => Health::Unhealthy,
            Temper::Flaps if container.health == Some(Health::Healthy) => Health::Unhealthy,
            _ => Health::Healthy,
        };
        if container.health.replace(health) == Some(health) {
            return None;
        }
        Some(Deed::Other(uid, if health == Health::Healthy { "is healthy" } else { "is unhealthy" }))
    }

    fn end(&mut self, uid: UnitUid, stop: StopObserved, code: Option<i32>, now: Timestamp) -> Deed {
        self.observed.lifecycle = Lifecycle::Stopped;
        self.observed.stopped_at = Some(now);
        self.observed.stop = Some(stop.clone());
        for container in &mut self.observed.containers {
            container.state = ContainerState::Stopped;
            container.exit_code = code;
        }
        Deed::Ended(uid, stop)
    }
}

/// What an image's tag stands for.
fn digest_of(image: &str) -> Arc<str> {
    let sum = image.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("sha256:{sum:064x}").into()
}

fn running(name: &str, essential: bool) -> ContainerObserved {
    ContainerObserved { name: name.into(), essential, state: ContainerState::Running, ..ContainerObserved::default() }
}
