//! Played nodes: their tasks start, turn healthy, end and stop as the plan says, when it says; nothing runs.

use super::plan::{Behaviour, NodeKind};
use controllers::Controller;
use model::unit::Placement;
use model::unit::observed::{ContainerObserved, StopObserved};
use model::unit::{ContainerState, Face, Health, Lifecycle, Observed, StopCause, Unit, UnitSpec};
use model::{Cpu, Memory, Node, NodeId, Snapshot, Timestamp, UnitUid};
use records::{CommitError, Draft, Records, Wake, units};
use std::collections::BTreeMap;
use std::sync::Arc;

/// ECS's name for the zone of a container instance.
const ZONE: &str = "ecs.availability-zone";

/// Adds the nodes that the plan describes.
pub(super) fn register(draft: &mut Draft, kinds: &[NodeKind], region: &str, now: Timestamp) {
    let alike = kinds.iter().flat_map(|kind| (0..kind.count).map(move |_| kind));
    for (number, kind) in alike.enumerate() {
        let id = NodeId::new(format!("node-{:03}", number + 1));
        let mut attributes = aws_frontend::ecs::node_registration_attributes(region);
        attributes.extend(kind.zone.iter().map(|zone| (ZONE.to_owned(), Some(zone.clone()))));
        attributes.extend(kind.attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        let node = Node {
            hostname: id.as_str().to_owned(),
            cpu: Cpu::from_ecs_units(kind.cpu),
            memory: Memory::from_mib(kind.memory_mib),
            attributes,
            boot_id: "played".to_owned(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            registered_at: now,
            connected: true,
            disconnected_at: None,
            reserved_ports: Vec::new(),
            id: id.clone(),
        };
        draft.create(&id, &node);
    }
}

/// All nodes, played as one controller: what it writes are observations.
pub(super) struct Nodes {
    pub(super) behaviours: BTreeMap<String, Behaviour>,
}

impl Controller for Nodes {
    const NAME: &'static str = "played nodes";

    fn concerned(&mut self, _: &Wake) -> bool {
        true
    }

    async fn turn(&mut self, mut snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        loop {
            let Moves { due, next } = moves(&snapshot, &self.behaviours, records.now());
            if due.is_empty() {
                return Ok(next);
            }
            for (node, uid, observed) in &due {
                units::observe(records, node, uid, observed).await?;
            }
            snapshot = records.current();
        }
    }
}

/// What nodes see now, and when the next thing happens.
#[derive(Default)]
struct Moves {
    due: Vec<(NodeId, UnitUid, Observed)>,
    next: Option<Timestamp>,
}

fn moves(snapshot: &Snapshot, behaviours: &BTreeMap<String, Behaviour>, now: Timestamp) -> Moves {
    let mut moves = Moves::default();
    let works = Behaviour::default();
    for (node, unit) in
        snapshot.nodes.keys().flat_map(|node| snapshot.units_of_node(node).map(move |unit| (node, unit)))
    {
        let Some(spec) = snapshot.specs.get(&unit.spec) else { continue };
        let Face::Ecs(face) = &unit.face;
        let name = format!("{}:{}", face.task_definition.family, face.task_definition.revision);
        match step(unit, spec, behaviours.get(&name).unwrap_or(&works), now) {
            Some(Step::Now(observed)) => moves.due.push((node.clone(), unit.uid.clone(), observed)),
            Some(Step::At(at)) => moves.next = Some(moves.next.map_or(at, |next| next.min(at))),
            None => {}
        }
    }
    moves
}

/// What happens to one task next.
#[derive(PartialEq, Debug)]
enum Step {
    Now(Observed),
    At(Timestamp),
}

fn step(unit: &Unit, spec: &UnitSpec, behaviour: &Behaviour, now: Timestamp) -> Option<Step> {
    let seen = &unit.observed;
    let wished = unit.intent.stop.as_ref().map(|stop| StopObserved { cause: stop.by, reason: stop.reason.clone() });
    match seen.lifecycle {
        Lifecycle::Stopped => None,
        Lifecycle::Accepted | Lifecycle::Preparing => {
            let Placement::Bound { at, .. } = &unit.placement else { return None };
            let runs_at = later(*at, behaviour.start_seconds);
            match wished {
                Some(stop) => Some(Step::Now(ended(seen, stop, None, now))),
                None if seen.lifecycle == Lifecycle::Accepted => {
                    Some(Step::Now(Observed { lifecycle: Lifecycle::Preparing, ..seen.clone() }))
                }
                None if now < runs_at => Some(Step::At(runs_at)),
                None if behaviour.fails_to_start => {
                    let reason = "CannotStartContainerError: the simulated container does not start".to_owned();
                    Some(Step::Now(ended(seen, StopObserved { cause: StopCause::FailedToStart, reason }, None, now)))
                }
                None => Some(Step::Now(running(spec, now))),
            }
        }
        Lifecycle::Running => match wished {
            Some(stop) => {
                let stop = Some(stop);
                Some(Step::Now(Observed {
                    lifecycle: Lifecycle::Stopping,
                    stopping_at: Some(now),
                    stop,
                    ..seen.clone()
                }))
            }
            None => go_on(seen, behaviour, now),
        },
        Lifecycle::Stopping => {
            let stopped_at = later(seen.stopping_at.unwrap_or(now), behaviour.stop_seconds);
            let stop = seen.stop.clone().or(wished)?;
            Some(if now < stopped_at { Step::At(stopped_at) } else { Step::Now(ended(seen, stop, Some(143), now)) })
        }
    }
}

/// A running task that nobody stops.
fn go_on(seen: &Observed, behaviour: &Behaviour, now: Timestamp) -> Option<Step> {
    let since = seen.started_at.unwrap_or(now);
    let exits_at = behaviour.exits_after_seconds.map(|after| later(since, after));
    if exits_at.is_some_and(|at| at <= now) {
        let reason = "Essential container in task exited".to_owned();
        let stop = StopObserved { cause: StopCause::EssentialContainerExited, reason };
        return Some(Step::Now(ended(seen, stop, Some(behaviour.exit_code), now)));
    }
    let undecided = seen.containers.iter().any(|container| container.health == Some(Health::Unknown));
    let verdict_at = undecided.then(|| later(since, behaviour.healthy_after_seconds));
    if verdict_at.is_some_and(|at| at <= now) {
        let verdict = if behaviour.never_healthy { Health::Unhealthy } else { Health::Healthy };
        let mut observed = seen.clone();
        let checked = observed.containers.iter_mut().filter_map(|container| container.health.as_mut());
        checked.for_each(|health| *health = verdict);
        return Some(Step::Now(observed));
    }
    [exits_at, verdict_at].into_iter().flatten().min().map(Step::At)
}

fn running(spec: &UnitSpec, now: Timestamp) -> Observed {
    let container = |of: &model::unit::spec::ContainerSpec| ContainerObserved {
        name: of.name.as_str().into(),
        essential: of.essential,
        state: ContainerState::Running,
        image_digest: Some(digest_of(&of.image)),
        health: of.health_check.as_ref().map(|_| Health::Unknown),
        started_at: Some(now),
        ..ContainerObserved::default()
    };
    Observed {
        lifecycle: Lifecycle::Running,
        containers: spec.containers.iter().map(container).collect(),
        started_at: Some(now),
        ..Observed::default()
    }
}

/// What an image's name stands for: a scheduler waits for it before it starts more of a revision.
fn digest_of(image: &str) -> Arc<str> {
    let sum = image.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("sha256:{sum:064x}").into()
}

fn ended(seen: &Observed, stop: StopObserved, code: Option<i32>, now: Timestamp) -> Observed {
    let mut observed = seen.clone();
    observed.lifecycle = Lifecycle::Stopped;
    observed.stop = Some(stop);
    (observed.execution_stopped_at, observed.stopped_at) = (Some(now), Some(now));
    for container in &mut observed.containers {
        (container.state, container.exit_code, container.finished_at) = (ContainerState::Stopped, code, Some(now));
    }
    observed
}

fn later(from: Timestamp, seconds: f64) -> Timestamp {
    from.saturating_add_ms((seconds.max(0.0) * 1000.0) as u64)
}
