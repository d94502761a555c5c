//! The end of a run: no more faults, every node is back, everything is delivered; then what must have come true is asked.

use crate::rules_of_services;
use crate::temper::Season;
use crate::world::World;
use model::ecs::MembershipStatus;
use model::unit::Lifecycle;
use model::{NodeId, Snapshot, UnitUid};
use planner::placement::{Answer, plan};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::time::Duration;
use test_support::cluster_id;

/// Rounds after which a cluster without faults must be quiet.
const ROUNDS: usize = 400;
/// Rounds in which what services run stays as it is, so that bad deployments come to their ends.
const UNMENDED: usize = 60;
/// Time that goes by in a round: more than a start or a stop takes.
const ROUND_MS: u64 = 5_000;

#[derive(Clone, Copy)]
enum Turn {
    Schedule,
    Place,
    Collect,
}

impl World {
    pub(crate) async fn calm_down(&mut self) {
        self.weather.set(None);
        self.season = Season::Calm;
        self.bells.silence();
        self.say("the faults end").await;
        // Farewells that could not be stored wait a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for node in &nodes {
            self.take_back(node).await;
        }
        // Some wakes were lost; from now on none is.
        self.server.placer.wake();
        self.server.collector.wake();
        self.server.scheduler.wake();
        for round in 0..ROUNDS {
            let moved = self.round(&nodes).await;
            if !self.broken.is_empty() {
                return;
            }
            if self.season == Season::Calm && (!moved || round >= UNMENDED) {
                self.season = Season::Mended;
                self.say("what services run is mended").await;
            } else if !moved {
                self.say("all is quiet").await;
                self.check_quiet();
                return;
            }
        }
        self.broken.push(format!("it is not quiet after {ROUNDS} rounds without faults"));
    }

    async fn say(&mut self, words: impl Into<String>) {
        self.settle("calm", words.into()).await;
    }

    async fn take_back(&mut self, node: &NodeId) {
        let membership = self.server.records().current().membership(&cluster_id("default"), node);
        if membership.status != MembershipStatus::Active {
            let mut active = (*membership).clone();
            active.status = MembershipStatus::Active;
            let words = self.set_membership(node, active).await;
            self.say(words).await;
        }
    }

    /// Everything once that can happen; whether anything did.
    pub(crate) async fn round(&mut self, nodes: &[NodeId]) -> bool {
        let before = self.server.records().current().revision;
        let mut moved = false;
        for node in nodes {
            if let Some(words) = self.notice(node) {
                self.say(words).await;
                moved = true;
            }
            if let Some(words) = self.connect(node).await {
                self.say(words).await;
                moved = true;
            }
        }
        // A turn that finds nothing to do is not worth a line.
        let mut idle = self.server.records().current().revision;
        for turn in [Turn::Schedule, Turn::Place, Turn::Collect] {
            let words = match turn {
                Turn::Schedule => self.schedule().await,
                Turn::Place => self.place().await,
                Turn::Collect => self.collect().await,
            };
            let revision = self.server.records().current().revision;
            if let Some(words) = words.filter(|_| revision != idle) {
                self.say(words).await;
            }
            idle = revision;
        }
        for node in nodes {
            while let Some(words) = self.next_delivery(node).await {
                self.say(words).await;
                moved = true;
            }
            for uid in self.nodes[node].due(self.clock.now()) {
                if let Some(words) = self.work(node, &uid) {
                    self.say(words).await;
                    moved = true;
                }
            }
        }
        let starting = self.nodes.values().any(|node| node.journal.values().any(|local| !local.runs()));
        moved |= starting || self.server.records().current().revision != before;
        // Where nothing happens for a while, the next thing that is due does.
        let due = [self.server.scheduler.due, self.server.collector.due].into_iter().flatten().min();
        match due {
            Some(due) if !moved => {
                self.clock.advance_ms(due.since_ms(self.clock.now()).max(1));
                return true;
            }
            _ => self.clock.advance_ms(ROUND_MS),
        }
        moved
    }

    /// Whether every service has what it is to have.
    pub(crate) fn are_steady(&self) -> bool {
        let (snapshot, now) = (self.server.records().current(), self.clock.now());
        snapshot.services.values().all(|service| rules_of_services::is_steady(&snapshot, service, now).is_ok())
    }

    async fn next_delivery(&mut self, node: &NodeId) -> Option<String> {
        if let Some(words) = self.say_step(node) {
            return Some(words);
        }
        if let Some(words) = self.deliver_report(node).await {
            return Some(words);
        }
        self.deliver(node)
    }

    fn check_quiet(&mut self) {
        self.check_all();
        let snapshot = self.server.records().current();
        let now = self.clock.now();
        let mut broken = everybody_is_answered(&snapshot, now);
        broken.extend(rules_of_services::leftovers(&snapshot));
        for service in snapshot.services.values() {
            let is_steady = rules_of_services::is_steady(&snapshot, service, now);
            if let Err(why) = is_steady
                && rules_of_services::excuse(&snapshot, service, now).is_none()
            {
                let stage = rules_of_services::stage(&snapshot, service);
                broken.push(format!("{} is not steady although there is room: {why}, {stage:?}", service.id.name));
            }
        }
        for unit in snapshot.units.values() {
            let asked = unit.intent.stop.is_some() && unit.placement.node().is_some();
            if asked && unit.observed.lifecycle != Lifecycle::Stopped {
                broken.push(format!("{} was to stop and has not", unit.name.short()));
            }
        }
        for (id, node) in &self.nodes {
            let recorded: BTreeSet<&UnitUid> = snapshot.units_of_node(id).map(|unit| &unit.uid).collect();
            let real: BTreeSet<&UnitUid> = node.journal.keys().collect();
            if recorded != real {
                broken.push(format!("{id} holds {real:?}, its records say {recorded:?}"));
            }
            for (uid, local) in &node.journal {
                let record = snapshot.unit_by_uid(uid);
                if record.is_some_and(|unit| unit.observed != local.observed) {
                    broken.push(format!("{uid} is not recorded as {id} last saw it"));
                }
            }
            if !node.has_said_all() {
                broken.push(format!("{id} has something to say that nobody has heard"));
            }
            if !snapshot.nodes.get(id).is_some_and(|node| node.connected) {
                broken.push(format!("{id} is connected and not recorded so"));
            }
        }
        self.broken.extend(broken);
    }
}

/// No Unit waits for an answer that a placer would give now.
fn everybody_is_answered(snapshot: &Snapshot, now: model::Timestamp) -> Vec<String> {
    let answers = plan(snapshot, snapshot.awaiting_placement(), now, &mut StdRng::seed_from_u64(0)).answers;
    let owed = answers.iter().filter(|answer| !matches!(answer, Answer::Wait(_)));
    owed.map(|answer| format!("{} waits although placement has an answer", answer.unit().short())).collect()
}
