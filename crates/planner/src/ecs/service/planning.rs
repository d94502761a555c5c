//! A plan in the making: what was looked up once, and what has been decided so far.

use super::members::{self, Member, Phase};
use super::{ACTIONS_MAX, Around, Event, Plan, Start, Stop, words};
use crate::rollout::moves::Tally;
use model::ecs::deployment::{Deployment, DeploymentState};
use model::ecs::service::{Service, ServiceRevision, ServiceState};
use model::snapshot::Versioned;
use model::unit::{SlotPlace, SlotWish, StopCause};
use model::{ServiceId, Snapshot, Timestamp};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Planning<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) service: &'a Service,
    pub(super) around: &'a Around<'a>,
    pub(super) rng: &'a mut dyn Rng,
    pub(super) members: Vec<Member<'a>>,
    pub(super) state: ServiceState,
    /// States of deployments that this plan has looked at, as they are to be.
    pub(super) deployments: BTreeMap<Arc<str>, DeploymentState>,
    pub(super) plan: Plan,
    stored: Option<&'a Versioned<ServiceState>>,
}

impl<'a> Planning<'a> {
    /// None if there is no such service or nothing more will happen to it.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        id: &'a ServiceId,
        around: &'a Around<'a>,
        rng: &'a mut dyn Rng,
    ) -> Option<Self> {
        let service = &*snapshot.services.get(id)?.value;
        let stored = snapshot.service_states.get(id);
        let state = match stored {
            Some(state) if state.service_uid == service.uid => (*state.value).clone(),
            // The events of a former service of the name keep their numbers.
            other => ServiceState {
                service_uid: service.uid.clone(),
                next_event: other.map_or(0, |former| former.next_event),
                ..ServiceState::default()
            },
        };
        if state.inactive_since.is_some() {
            return None;
        }
        let of_it = snapshot.units_of_service(id);
        let members = of_it.filter_map(|unit| Member::new(snapshot, service, unit, around)).collect();
        let deployments = BTreeMap::new();
        Some(Self { snapshot, service, around, rng, members, state, deployments, plan: Plan::default(), stored })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.around.now
    }

    pub(super) fn name(&self) -> &'a str {
        &self.service.id.name
    }

    pub(super) fn say(&mut self, message: String) {
        self.plan.events.push(Event::Said(message));
    }

    /// Looks again at a moment, if nothing changes before.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.plan.next = Some(self.plan.next.map_or(at, |next| next.min(at)));
    }

    /// How many more Units this plan may start, stop or settle.
    pub(super) fn room(&self) -> usize {
        let starts: usize = self.plan.start.iter().map(|start| start.count).sum();
        ACTIONS_MAX.saturating_sub(starts + self.plan.stop.len() + self.plan.settle.len())
    }

    pub(super) fn tally(&self, set: &str) -> Tally {
        let mut tally = Tally::default();
        self.members.iter().filter(|member| &**member.set == set).for_each(|member| member.count(&mut tally));
        tally
    }

    pub(super) fn revision(&self, number: &Arc<str>) -> Option<&'a ServiceRevision> {
        let revision = self.snapshot.service_revisions.get(&(self.service.id.clone(), number.clone()))?;
        Some(&*revision.value)
    }

    /// A deployment of this service as it was asked for.
    pub(super) fn deployment(&self, id: &Arc<str>) -> Option<&'a Deployment> {
        let deployment = self.snapshot.deployments.get(&(self.service.id.clone(), id.clone()))?;
        (deployment.service_uid == self.service.uid).then_some(&*deployment.value)
    }

    /// How far a deployment has come; a change to it is part of the plan.
    pub(super) fn progress(&mut self, id: &Arc<str>) -> Option<&mut DeploymentState> {
        if !self.deployments.contains_key(id) {
            let stored = self.snapshot.deployment_states.get(&(self.service.id.clone(), id.clone()))?;
            self.deployments.insert(id.clone(), (*stored.value).clone());
        }
        self.deployments.get_mut(id)
    }

    pub(super) fn stop(&mut self, place: usize, reason: String, by: StopCause) {
        let member = &mut self.members[place];
        self.plan.stop.push(Stop { unit: member.unit.name.clone(), by, reason });
        member.phase = if member.phase == Phase::Waiting { Phase::Over } else { Phase::Leaving };
    }

    /// 19 decimal digits, as ECS numbers sets and revisions.
    pub(super) fn new_number(&mut self) -> String {
        (0..19).map(|place| char::from(b'0' + self.rng.random_range(u8::from(place == 0)..10))).collect()
    }

    /// The moments at which a Unit changes without anybody saying so.
    fn wake_for_members(&mut self) {
        let mut moments: Vec<Timestamp> = Vec::new();
        for member in self.members.iter().filter(|member| member.takes_part()) {
            if let Phase::Warming(Some(at)) = member.phase {
                moments.push(at);
            }
            moments.extend(member.protected_until);
            let node = member.node().and_then(|node| members::lost_at(self.snapshot, node, self.around));
            moments.extend(node.filter(|at| *at > self.around.now));
        }
        if let Some(first) = moments.into_iter().min() {
            self.wake_at(first);
        }
    }

    pub(super) fn into_plan(mut self) -> Plan {
        self.wake_for_members();
        self.tell_of_shortage();
        let acts = !self.plan.start.is_empty() || !self.plan.stop.is_empty();
        if acts {
            self.state.steady = false;
        }
        let changed = self.stored.is_none_or(|stored| *stored.value != self.state);
        self.plan.state = changed.then_some(self.state);
        let id = &self.service.id;
        let differs = |(key, next): &(Arc<str>, DeploymentState)| {
            let stored = self.snapshot.deployment_states.get(&(id.clone(), key.clone()));
            stored.is_none_or(|stored| *stored.value != *next)
        };
        let now = self.around.now;
        let updated = |(key, next)| (key, DeploymentState { updated_at: now, ..next });
        self.plan.deployments = self.deployments.into_iter().filter(differs).map(updated).collect();
        self.plan
    }

    /// Says once why a Unit gets no node, until all have one.
    fn tell_of_shortage(&mut self) {
        let waiting = self.members.iter().filter(|member| member.phase == Phase::Waiting);
        let told =
            |member: &Member<'_>| Some(words::shortage(self.name(), member.unit.waits_for.as_ref()?, member.unit));
        let message = waiting.map(told).next().flatten();
        match message {
            Some(message) if self.state.told_shortage.as_deref() != Some(&message) => {
                self.state.told_shortage = Some(message.clone());
                self.say(message);
            }
            // What admission said stays said as long as starts wait for it.
            None if self.state.throttle.until.is_none() => self.state.told_shortage = None,
            _ => {}
        }
    }

    pub(super) fn wish(&self, set: &Arc<str>, revision: &Arc<str>, place: SlotPlace) -> SlotWish {
        SlotWish { service: self.service.id.clone(), set: set.clone(), revision: revision.clone(), place }
    }

    pub(super) fn start(&mut self, start: Start) {
        if start.count == 0 {
            return;
        }
        let set = &start.wish.set;
        let known =
            self.plan.events.iter().any(|event| matches!(event, Event::Started { set: said, .. } if said == set));
        if !known {
            let prefix = words::subject(self.service, set);
            self.plan.events.push(Event::Started { set: set.clone(), prefix });
        }
        self.plan.start.push(start);
    }
}
