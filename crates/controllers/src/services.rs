//! Runs ECS services as `planner::ecs::service` says: one service at a time is planned and committed, many at once.

use crate::harness::Controller;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use model::ecs::deployment::DeploymentState;
use model::ecs::service::{SchedulingStrategy, Service, ServiceEvent, ServiceRevision, ServiceState};
use model::snapshot::Versioned;
use model::unit::{Admit, StopIntent};
use model::{ClusterId, NodeId, ServiceId, Snapshot, Timestamp};
pub use planner::ecs::service::Settings;
use planner::ecs::service::{Around, Event, Plan, plan, refused, started};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use records::units::{self, Intake};
use records::{CommitError, Draft, Records, Wake};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Services that are planned at the same time, so that their commits share a sync.
const AT_ONCE: usize = 16;
/// Plans of one service in a row before the others have their turn.
const PLANS_MAX: usize = 64;

/// Which alarms are on.
pub trait Alarms: Send + Sync {
    fn firing(&self) -> BTreeSet<String>;
}

/// No alarm is ever on.
pub struct Quiet;

impl Alarms for Quiet {
    fn firing(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

/// The only writer of service states, deployment states and service events, and the only maker of services' Units.
pub struct ServiceScheduler {
    admit: Arc<dyn Admit>,
    alarms: Arc<dyn Alarms>,
    settings: Settings,
    rng: StdRng,
    concerned: Scope,
    /// When to look at a service again although nothing has changed.
    due: BTreeMap<ServiceId, Timestamp>,
}

/// What has changed since the last turn.
#[derive(Default)]
struct Scope {
    everything: bool,
    services: BTreeSet<ServiceId>,
    nodes: BTreeSet<NodeId>,
    memberships: BTreeSet<(ClusterId, NodeId)>,
}

impl ServiceScheduler {
    pub fn new(admit: Arc<dyn Admit>, alarms: Arc<dyn Alarms>, settings: Settings, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        let concerned = Scope { everything: true, ..Scope::default() };
        Self { admit, alarms, settings, rng, concerned, due: BTreeMap::new() }
    }

    /// The services that a turn has to look at.
    fn to_look_at(&self, snapshot: &Snapshot, now: Timestamp) -> BTreeSet<ServiceId> {
        if self.concerned.everything {
            return snapshot.services.keys().cloned().collect();
        }
        let mut services = self.concerned.services.clone();
        services.extend(self.due.iter().filter(|(_, at)| **at <= now).map(|(service, _)| service.clone()));
        let nodes = self.concerned.nodes.iter().chain(self.concerned.memberships.iter().map(|(_, node)| node));
        for node in nodes {
            services
                .extend(snapshot.units_of_node(node).filter_map(|unit| Some(unit.owner.as_ref()?.service().clone())));
        }
        if !self.concerned.nodes.is_empty() || !self.concerned.memberships.is_empty() {
            let follows_nodes = |service: &&Versioned<Service>| {
                service.scheduling == SchedulingStrategy::Daemon || service.zone_rebalancing
            };
            services.extend(snapshot.services.values().filter(follows_nodes).map(|service| service.id.clone()));
        }
        services
    }
}

impl Controller for ServiceScheduler {
    const NAME: &'static str = "services";

    fn concerned(&mut self, wake: &Wake) -> bool {
        let Wake::Touched(touched) = wake else {
            self.concerned.everything = true;
            return true;
        };
        let scope = &mut self.concerned;
        let units = touched.units.iter().flat_map(|(before, after)| [before, after]).flatten();
        scope.services.extend(units.filter_map(|unit| Some(unit.owner.as_ref()?.service().clone())));
        scope.services.extend(touched.services.iter().cloned());
        scope.nodes.extend(touched.nodes.iter().cloned());
        scope.memberships.extend(touched.memberships.iter().cloned());
        scope.everything || !(scope.services.is_empty() && scope.nodes.is_empty() && scope.memberships.is_empty())
    }

    async fn turn(&mut self, snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        let mut waiting = self.to_look_at(&snapshot, records.now()).into_iter();
        let firing = self.alarms.firing();
        let mut under_way = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while under_way.len() < AT_ONCE
                && let Some(service) = waiting.next()
            {
                let rng = StdRng::seed_from_u64(self.rng.random());
                let worker = Worker { admit: self.admit.clone(), settings: self.settings, firing: &firing, rng };
                under_way.push(worker.follow(service, snapshot.clone(), records));
            }
            match under_way.next().await {
                None => break,
                Some((service, Ok(Some(at)))) => drop(self.due.insert(service, at)),
                Some((service, Ok(None))) => drop(self.due.remove(&service)),
                Some((_, Err(error))) => failed = Some(error),
            }
        }
        drop(under_way);
        if let Some(error) = failed {
            // What was looked at in vain is looked at again.
            return Err(error);
        }
        self.concerned = Scope::default();
        Ok(self.due.values().min().copied())
    }
}

struct Worker<'a> {
    admit: Arc<dyn Admit>,
    settings: Settings,
    firing: &'a BTreeSet<String>,
    rng: StdRng,
}

impl Worker<'_> {
    /// Plans and commits one service until there is nothing to do now; when to look again.
    async fn follow(
        mut self,
        service: ServiceId,
        mut snapshot: Arc<Snapshot>,
        records: &Records,
    ) -> (ServiceId, Result<Option<Timestamp>, CommitError>) {
        for _ in 0..PLANS_MAX {
            let around = Around { now: records.now(), settings: self.settings, firing: self.firing };
            let Some(planned) = plan(&snapshot, &service, &around, &mut self.rng) else { return (service, Ok(None)) };
            let next = planned.next;
            if planned.is_nothing() {
                return (service, Ok(next));
            }
            let draft = self.draft(&snapshot, &service, planned, around.now);
            match records.commit(draft).await {
                Ok(committed) => snapshot = committed,
                Err(error) => return (service, Err(error)),
            }
        }
        let now = records.now();
        (service, Ok(Some(now)))
    }

    /// One commit: everything that the plan says, decided on the service as it was seen.
    fn draft(&mut self, snapshot: &Snapshot, id: &ServiceId, plan: Plan, now: Timestamp) -> Draft {
        let Some(service) = snapshot.services.get(id) else { return Draft::new() };
        let stored = snapshot.service_states.get(id);
        let mut state = plan.state.unwrap_or_else(|| stored.map(|state| (*state.value).clone()).unwrap_or_default());
        let (intake, mut messages, refusal) = self.admit(snapshot, &plan.start, &plan.events, now);
        if let Some(reason) = refusal {
            let (next, told) = refused(&state, id, &reason, now);
            state = next;
            messages.extend(told);
        }
        let mut draft = intake.into_draft();
        draft.expect(id, service);
        write_deployments(&mut draft, snapshot, id, &plan.deployments);
        if let Some((number, images)) = plan.images
            && let Some(seen) = snapshot.service_revisions.get(&(id.clone(), number.clone()))
        {
            draft.update(&(id.clone(), number), seen, &ServiceRevision { images, ..(*seen.value).clone() });
        }
        for unit in plan.settle.iter().filter_map(|name| snapshot.units.get(name)) {
            units::settle(&mut draft, unit);
        }
        for stop in &plan.stop {
            let Some(unit) = snapshot.units.get(&stop.unit) else { continue };
            let wish = StopIntent { by: stop.by, reason: stop.reason.clone(), requested_at: now, grace_s: None };
            units::end(&mut draft, unit, wish);
        }
        self.write_events(&mut draft, service, &mut state, messages, now);
        if stored.is_none_or(|stored| *stored.value != state) {
            draft.upsert(id, stored, &state);
        }
        draft
    }

    /// Makes the Units of the starts, and the sentences that name them. The first refusal ends it: the others are alike.
    fn admit(
        &self,
        snapshot: &Snapshot,
        starts: &[planner::ecs::service::Start],
        events: &[Event],
        now: Timestamp,
    ) -> (Intake, Vec<String>, Option<String>) {
        let mut intake = Intake::new();
        let mut made: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        let mut refusal = None;
        for start in starts {
            match self.admit.admit(snapshot, &start.wish, start.count, now) {
                Ok(admitted) => {
                    for unit in &admitted.units {
                        intake.admit(unit, &admitted.spec);
                        made.entry(start.wish.set.clone()).or_default().push(unit.name.short().into());
                    }
                }
                Err(not_admitted) => {
                    refusal = Some(not_admitted.reason);
                    break;
                }
            }
        }
        let say = |event: &Event| match event {
            Event::Said(message) => Some(message.clone()),
            Event::Started { set, prefix } => {
                let ids: Vec<&str> = made.get(set)?.iter().map(|id| &**id).collect();
                Some(format!("{prefix} {}", started(&ids)))
            }
        };
        (intake, events.iter().filter_map(say).collect(), refusal)
    }

    fn write_events(
        &mut self,
        draft: &mut Draft,
        service: &Service,
        state: &mut ServiceState,
        messages: Vec<String>,
        now: Timestamp,
    ) {
        for message in messages {
            let event = ServiceEvent { service_uid: service.uid.clone(), id: self.uuid().into(), at: now, message };
            draft.create(&(service.id.clone(), state.next_event), &event);
            state.next_event += 1;
        }
    }

    fn uuid(&mut self) -> String {
        let hex = format!("{:032x}", self.rng.random::<u128>());
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

fn write_deployments(draft: &mut Draft, snapshot: &Snapshot, id: &ServiceId, changed: &[(Arc<str>, DeploymentState)]) {
    for (deployment, next) in changed {
        let key = (id.clone(), deployment.clone());
        let seen: Option<&Versioned<DeploymentState>> = snapshot.deployment_states.get(&key);
        draft.upsert(&key, seen, next);
    }
}
