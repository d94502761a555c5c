//! What users do: run tasks of any shape, stop them, drain nodes; each call as its front-end makes it.

use crate::chance::Chance;
use crate::world::World;
use model::ecs::{Membership, MembershipStatus};
use model::unit::placement::BinpackBy;
use model::unit::spec::NetworkMode;
use model::unit::{Constraint, Lifecycle, Strategy};
use model::{NodeId, UnitName};
use records::units::{self, Intake};
use records::{CommitError, Draft};
use store::StoreError;
use test_support::{Wish, cluster_id, stop_wish};

/// Tasks of one call.
const COUNT_MAX: usize = 4;

/// How a call was answered.
pub(crate) enum Answer {
    Done,
    /// It was not done.
    Refused,
    /// It may have been done.
    Unknown,
}

impl Answer {
    pub(crate) fn of(outcome: Result<impl Sized, CommitError>) -> Self {
        match outcome {
            Ok(_) => Answer::Done,
            Err(CommitError::Store(StoreError::Unknown)) => Answer::Unknown,
            Err(_) => Answer::Refused,
        }
    }

    pub(crate) fn words(&self) -> &'static str {
        match self {
            Answer::Done => "accepted",
            Answer::Refused => "refused",
            Answer::Unknown => "no answer",
        }
    }
}

pub(crate) fn any_wish(chance: &mut Chance) -> Wish {
    let networks = [NetworkMode::None, NetworkMode::Unit, NetworkMode::PerContainer, NetworkMode::Host];
    let network = chance.one_of(&networks);
    let ports =
        if network == NetworkMode::Host && chance.one_in(2) { vec![chance.one_of(&[8080, 8081])] } else { vec![] };
    let constraints = match chance.below(6) {
        0 => vec![Constraint::DistinctInstance],
        1 => vec![Constraint::MemberOf { expression: "attribute:ecs.os-type == linux".into() }],
        2 => vec![Constraint::MemberOf { expression: "runningTasksCount < 3".into() }],
        _ => Vec::new(),
    };
    let strategy = match chance.below(5) {
        0 => vec![Strategy::Random],
        1 => vec![Strategy::Spread { field: "instanceId".into() }],
        2 => vec![Strategy::Binpack { by: BinpackBy::Cpu }],
        3 => vec![Strategy::Spread { field: "instanceId".into() }, Strategy::Binpack { by: BinpackBy::Memory }],
        _ => Vec::new(),
    };
    Wish {
        cluster: "default".into(),
        cpu: chance.one_of(&[64, 128, 256, 512]),
        memory_mib: chance.one_of(&[32, 64, 256]),
        network,
        containers: 1 + chance.below(3),
        host_ports: ports,
        constraints,
        strategy,
        group: chance.one_of(&["family:a", "family:b"]).into(),
        wait_for_room: chance.one_in(2),
    }
}

impl World {
    pub(crate) async fn run_tasks(&mut self) -> String {
        let wish = any_wish(&mut self.chance);
        let count = 1 + self.chance.below(COUNT_MAX);
        let mut made = Vec::new();
        for _ in 0..count {
            self.tasks += 1;
            made.push(wish.unit(&format!("t{:03}", self.tasks), self.clock.now()));
        }
        let names: Vec<UnitName> = made.iter().map(|unit| unit.name.clone()).collect();
        let mut intake = Intake::new();
        for unit in &made {
            intake.admit(unit, &wish.spec());
        }
        let outcome = self.server.records().commit(intake.into_draft()).await;
        let answer = Answer::of(outcome);
        match answer {
            Answer::Done => self.book.accepted.extend(names.iter().cloned()),
            Answer::Refused => self.book.denied.extend(names.iter().cloned()),
            Answer::Unknown => {}
        }
        let ports = wish.host_ports.iter().map(|port| format!(" port {port}")).collect::<String>();
        let waits = if wish.wait_for_room { " patiently" } else { "" };
        format!(
            "user runs {}{waits}: cpu {} memory {} {:?}{ports}: {}",
            short(&names),
            wish.cpu,
            wish.memory_mib,
            wish.network,
            answer.words()
        )
    }

    pub(crate) async fn stop_task(&mut self) -> Option<String> {
        let snapshot = self.server.records().current();
        let open: Vec<UnitName> = snapshot
            .units
            .values()
            .filter(|unit| unit.observed.lifecycle != Lifecycle::Stopped)
            .map(|unit| unit.name.clone())
            .collect();
        let name = self.chance.pick(&open)?.clone();
        let grace = self.chance.one_of(&[None, Some(2), Some(30)]);
        let wish = model::unit::StopIntent {
            requested_at: self.clock.now(),
            ..stop_wish(&format!("wish {}", self.chance.below(100)), grace)
        };
        let answer = Answer::of(units::stop(self.server.records(), &name, wish).await);
        if matches!(answer, Answer::Done) {
            self.book.stops.insert(name.clone());
        }
        Some(format!("user stops {}: {}", name.short(), answer.words()))
    }

    /// Drains a node or takes it back.
    pub(crate) async fn drain(&mut self) -> Option<String> {
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        let node = self.chance.pick(&nodes)?.clone();
        let snapshot = self.server.records().current();
        if !snapshot.nodes.contains_key(&node) {
            return None;
        }
        let mut membership = (*snapshot.membership(&cluster_id("default"), &node)).clone();
        membership.status = match membership.status {
            MembershipStatus::Active => MembershipStatus::Draining,
            _ => MembershipStatus::Active,
        };
        Some(self.set_membership(&node, membership).await)
    }

    pub(crate) async fn set_membership(&mut self, node: &NodeId, membership: Membership) -> String {
        let id = (cluster_id("default"), node.clone());
        let mut draft = Draft::new();
        draft.upsert(&id, self.server.records().current().memberships.get(&id), &membership);
        let answer = Answer::of(self.server.records().commit(draft).await);
        format!("user sets {node} {:?}: {}", membership.status, answer.words())
    }
}

fn short(names: &[UnitName]) -> String {
    names.iter().map(UnitName::short).collect::<Vec<_>>().join(" ")
}
