//! What must hold after every step, in plain words; and what a step did, in words too.

use crate::node::{Deed, FakeNode};
use crate::server::RETENTION;
use imbl::ordmap::DiffItem;
use model::ecs::TaskFace;
use model::unit::observed::StopObserved;
use model::unit::{Face, Lifecycle, Placement, StopIntent, Unit};
use model::{Cpu, Memory, NodeId, Snapshot, Timestamp, UnitName, UnitUid};
use std::collections::{BTreeMap, BTreeSet};

/// What the world knows to be true beside what is stored.
#[derive(Default)]
pub(crate) struct Book {
    /// Tasks whose call was answered with success.
    pub(crate) accepted: BTreeSet<UnitName>,
    /// Tasks whose call was refused.
    pub(crate) denied: BTreeSet<UnitName>,
    /// Tasks whose stop was answered with success.
    pub(crate) stops: BTreeSet<UnitName>,
    /// Tasks that were deleted when they could be.
    forgotten: BTreeSet<UnitName>,
    began: BTreeSet<UnitUid>,
    /// How a Unit ended, as its node saw it.
    ends: BTreeMap<UnitUid, StopObserved>,
}

impl Book {
    /// A machine fell: of what it had not reported nobody knows, and what nobody knows of may begin again.
    pub(crate) fn rebooted(&mut self, node: &FakeNode) {
        for uid in node.journal.keys() {
            self.ends.remove(uid);
            self.began.remove(uid);
        }
    }

    /// Something happened on a node.
    pub(crate) fn witness(&mut self, node: &NodeId, deed: &Deed, snapshot: &Snapshot, broken: &mut Vec<String>) {
        match deed {
            Deed::Began(uid) => {
                if !self.began.insert(uid.clone()) {
                    broken.push(format!("{uid} began twice"));
                }
                let unit = snapshot.unit_by_uid(uid);
                let may_run = unit.is_some_and(|unit| unit.placement.node() == Some(node) && unit.holds_resources());
                if !may_run {
                    broken.push(format!("{uid} began on {node}, which is not where it is to run"));
                }
            }
            Deed::Ended(uid, stop) => drop(self.ends.insert(uid.clone(), stop.clone())),
            Deed::Other(..) => {}
        }
    }

    /// The rules about one snapshot.
    pub(crate) fn check(&self, snapshot: &Snapshot) -> Vec<String> {
        let mut broken = model::invariants::check(snapshot);
        for name in self.accepted.iter().filter(|name| !self.forgotten.contains(name)) {
            if !snapshot.units.contains_key(name) {
                broken.push(format!("{} was accepted and is not there", name.short()));
            }
        }
        for name in self.denied.iter().filter(|name| snapshot.units.contains_key(*name)) {
            broken.push(format!("{} was refused and is there", name.short()));
        }
        for unit in self.stops.iter().filter_map(|name| snapshot.units.get(name)) {
            if unit.intent.stop.is_none() && unit.observed.lifecycle != Lifecycle::Stopped {
                broken.push(format!("{} was to stop, and its record does not say so", unit.name.short()));
            }
        }
        broken
    }

    /// The rules about what a step did to the records. Adds a line for each thing it did.
    pub(crate) fn compare(
        &mut self,
        before: &Snapshot,
        after: &Snapshot,
        now: Timestamp,
        touched: &mut BTreeSet<NodeId>,
        story: &mut Vec<String>,
    ) -> Vec<String> {
        let mut broken = Vec::new();
        for item in before.units.diff(&after.units) {
            let (DiffItem::Add(_, some) | DiffItem::Update { new: (_, some), .. } | DiffItem::Remove(_, some)) = item;
            touched.extend(some.placement.node().cloned());
            match item {
                DiffItem::Add(name, new) => self.appeared(name, new, &mut broken),
                DiffItem::Update { old: (_, old), new: (_, new) } => self.changed(old, new, &mut broken, story),
                DiffItem::Remove(name, old) => {
                    story.push(format!("{} is forgotten", name.short()));
                    self.forgotten.insert(name.clone());
                    if !may_be_forgotten(old, now) {
                        broken.push(format!("{} was forgotten before its time", name.short()));
                    }
                }
            }
        }
        for item in before.nodes.diff(&after.nodes) {
            let (DiffItem::Add(id, node) | DiffItem::Update { new: (id, node), .. }) = item else { continue };
            let was = before.nodes.get(id).is_some_and(|node| node.connected);
            if was != node.connected {
                story
                    .push(format!("{id} is recorded as {}", if node.connected { "connected" } else { "disconnected" }));
            }
        }
        broken
    }

    fn appeared(&self, name: &UnitName, new: &Unit, broken: &mut Vec<String>) {
        if new.placement != Placement::Pending || new.observed.lifecycle != Lifecycle::Accepted {
            broken.push(format!("{} began with a placement or an observation", name.short()));
        }
        if self.forgotten.contains(name) {
            broken.push(format!("{} is back after it was forgotten", name.short()));
        }
    }

    fn changed(&self, old: &Unit, new: &Unit, broken: &mut Vec<String>, story: &mut Vec<String>) {
        let name = new.name.short();
        let mut demand = |holds: bool, words: &str| {
            if !holds {
                broken.push(format!("{name} {words}"));
            }
        };
        let born = |unit: &Unit| (unit.uid.clone(), unit.spec.clone(), unit.created_at, unit.scheduling.clone());
        let born = |unit: &Unit| (born(unit), unit.owner.clone(), face(unit));
        demand(born(old) == born(new), "changed in what never changes");
        demand(!old.settled || new.settled, "was settled, and then not");
        demand(new.observed.lifecycle >= old.observed.lifecycle, "went back in its life");
        let was_over = old.observed.lifecycle == Lifecycle::Stopped;
        demand(!was_over || old.observed == new.observed, "changed after its end");
        demand(stops_sooner(old.intent.stop.as_ref(), new.intent.stop.as_ref()), "was to stop, and then less so");
        if old.placement != new.placement {
            demand(old.placement == Placement::Pending, "was placed twice");
            demand(old.intent.stop.is_none(), "was placed although it was to stop");
            story.push(placed(new));
        }
        if old.intent.stop.is_none() && new.intent.stop.is_some() {
            story.push(format!("{name} is to stop"));
        }
        if new.observed.lifecycle > old.observed.lifecycle {
            let why = new.observed.stop.as_ref().map(|stop| format!(": {}", stop.reason)).unwrap_or_default();
            story.push(format!("{name} is recorded as {:?}{why}", new.observed.lifecycle));
        }
        if new.observed.lifecycle == Lifecycle::Stopped
            && let Some(seen) = self.ends.get(&new.uid)
        {
            demand(new.observed.stop.as_ref() == Some(seen), "is recorded with another end than it had");
        }
    }
}

/// All of a Unit's face but what its task protection says.
fn face(unit: &Unit) -> TaskFace {
    let Face::Ecs(face) = &unit.face;
    TaskFace { protected_until: None, ..(**face).clone() }
}

fn placed(unit: &Unit) -> String {
    let name = unit.name.short();
    match &unit.placement {
        Placement::Pending => format!("{name} is placed nowhere again"),
        Placement::Refused(refusal) => format!("{name} is refused: {}", refusal.main),
        Placement::Bound { node, address, container_addresses, .. } => {
            let own = address.iter().map(|a| a.address);
            let all = own.chain(container_addresses.iter().map(|(_, a)| *a)).map(|a| format!(" {a}"));
            format!("{name} is bound to {node}{}", all.collect::<String>())
        }
    }
}

fn stops_sooner(old: Option<&StopIntent>, new: Option<&StopIntent>) -> bool {
    match (old, new) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(old), Some(new)) => {
            let grace = |stop: &StopIntent| stop.grace_s.unwrap_or(u32::MAX);
            (old.by, &old.reason, old.requested_at) == (new.by, &new.reason, new.requested_at)
                && grace(new) <= grace(old)
        }
    }
}

/// Refused, or over for as long as it is kept.
fn may_be_forgotten(unit: &Unit, now: Timestamp) -> bool {
    let ended = match (&unit.placement, unit.observed.lifecycle) {
        (Placement::Refused(_), _) => return true,
        (_, Lifecycle::Stopped) => unit.observed.stopped_at,
        (Placement::Pending, _) => unit.intent.stop.as_ref().map(|stop| stop.requested_at),
        _ => None,
    };
    ended.is_some_and(|at| now.since_ms(at) >= RETENTION.stopped_units_ms)
}

/// No node whose Units have changed has given away more than it has.
pub(crate) fn on_records(snapshot: &Snapshot, touched: &BTreeSet<NodeId>) -> Vec<String> {
    let full = |id: &&NodeId| {
        let used = snapshot.node_use(id);
        snapshot.nodes.get(*id).is_some_and(|node| used.cpu > node.cpu || used.memory > node.memory)
    };
    touched.iter().filter(full).map(|id| format!("{id} has given away more than it has")).collect()
}

/// Where each Unit runs, as nodes were last looked at.
#[derive(Default)]
pub(crate) struct Runs {
    on: BTreeMap<UnitUid, NodeId>,
    of: BTreeMap<NodeId, Vec<UnitUid>>,
}

impl Runs {
    /// What runs on nodes on which something has changed, or of whose Units a record has, runs where and while its record says
    /// so, and fits.
    pub(crate) fn check(
        &mut self,
        snapshot: &Snapshot,
        nodes: &BTreeMap<NodeId, FakeNode>,
        touched: &BTreeSet<NodeId>,
    ) -> Vec<String> {
        let mut broken = Vec::new();
        for id in touched {
            for uid in self.of.remove(id).unwrap_or_default() {
                if self.on.get(&uid) == Some(id) {
                    self.on.remove(&uid);
                }
            }
        }
        for (id, node) in touched.iter().filter_map(|id| Some((id, nodes.get(id)?))) {
            let (mut cpu, mut memory) = (Cpu::ZERO, Memory::ZERO);
            for (uid, local) in node.journal.iter().filter(|(_, local)| local.runs()) {
                cpu = cpu.saturating_add(local.assignment.spec.reserve.cpu);
                memory = memory.saturating_add(local.assignment.spec.reserve.memory);
                if let Some(other) = self.on.insert(uid.clone(), id.clone()) {
                    broken.push(format!("{uid} runs on {other} and on {id}"));
                }
                self.of.entry(id.clone()).or_default().push(uid.clone());
                let record = snapshot.unit_by_uid(uid);
                if !record.is_some_and(|unit| unit.placement.node() == Some(id) && unit.holds_resources()) {
                    broken.push(format!("{uid} runs on {id}, and its record does not say so"));
                }
            }
            if cpu > node.node.cpu || memory > node.node.memory {
                broken.push(format!("{id} runs more than it has"));
            }
        }
        broken
    }
}
