//! What of one service may leave the store: old events and deployments, revisions that nothing names, task sets that have
//! drained, and everything once the service has been inactive for long enough.

use super::{Deletion, Record, Retention};
use model::ecs::deployment::{Deployment, DeploymentState};
use model::ecs::service::{Service, ServiceState, TaskSet};
use model::snapshot::{Table, Versioned};
use model::{ServiceId, Snapshot, Timestamp};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// However young they are, a service keeps no more events than its newest.
const EVENTS_MAX: usize = 1_000;
/// However old they are, a service keeps its newest deployments.
const DEPLOYMENTS_MIN: usize = 100;

/// Every service of which some record is there, were it only a leftover.
pub fn all(snapshot: &Snapshot) -> BTreeSet<ServiceId> {
    let mut all: BTreeSet<ServiceId> = snapshot.services.keys().cloned().collect();
    all.extend(snapshot.service_states.keys().cloned());
    all.extend(snapshot.service_revisions.keys().map(|(service, _)| service.clone()));
    all.extend(snapshot.deployments.keys().map(|(service, _)| service.clone()));
    all.extend(snapshot.deployment_states.keys().map(|(service, _)| service.clone()));
    all.extend(snapshot.task_sets.keys().map(|(service, _)| service.clone()));
    all.extend(snapshot.service_events.keys().map(|(service, _)| service.clone()));
    all
}

/// What of a service may go now. The service itself goes after all that hangs on it, and its state last: a service without a
/// state would be taken for a new one.
pub fn plan(snapshot: &Snapshot, id: &ServiceId, now: Timestamp, retention: &Retention) -> Vec<Deletion> {
    let shelf = Shelf { snapshot, id, retention };
    match shelf.present(now) {
        Some(service) => shelf.of_present(service, now),
        None => shelf.everything(),
    }
}

/// The moment from which [`plan`] has something to delete if nothing changes until then; `now` if it has already.
pub fn next_due(snapshot: &Snapshot, id: &ServiceId, now: Timestamp, retention: &Retention) -> Option<Timestamp> {
    let shelf = Shelf { snapshot, id, retention };
    if !plan(snapshot, id, now, retention).is_empty() {
        return Some(now);
    }
    let service = shelf.present(now)?;
    let event = shelf.events().next().map(|(_, event)| event.at.saturating_add_ms(retention.service_events_ms));
    let inactive = shelf.state(service).and_then(|state| state.inactive_since);
    let inactive = inactive.map(|since| since.saturating_add_ms(retention.inactive_services_ms));
    let deployment = shelf.beyond_the_newest(service).filter_map(|(_, state)| shelf.deployment_due(state)).min();
    [event, inactive, deployment].into_iter().flatten().min()
}

/// One service's records.
struct Shelf<'a> {
    snapshot: &'a Snapshot,
    id: &'a ServiceId,
    retention: &'a Retention,
}

impl<'a> Shelf<'a> {
    /// The service, unless it has been inactive for long enough or is not there at all.
    fn present(&self, now: Timestamp) -> Option<&'a Versioned<Service>> {
        let service = self.snapshot.services.get(self.id)?;
        let inactive = self.state(service).and_then(|state| state.inactive_since);
        let due = inactive.map(|since| since.saturating_add_ms(self.retention.inactive_services_ms));
        due.is_none_or(|due| now < due).then_some(service)
    }

    /// The state of this service; that of a former one of its name says nothing of it.
    fn state(&self, service: &Service) -> Option<&'a Versioned<ServiceState>> {
        self.snapshot.service_states.get(self.id).filter(|state| state.service_uid == service.uid)
    }

    fn everything(&self) -> Vec<Deletion> {
        let mut deletions: Vec<Deletion> = Vec::new();
        deletions.extend(self.events().map(|(place, event)| self.event(place, event.revision)));
        deletions.extend(self.of(&self.snapshot.deployment_states, Record::DeploymentState));
        deletions.extend(self.of(&self.snapshot.deployments, Record::Deployment));
        deletions.extend(self.of(&self.snapshot.task_sets, Record::TaskSet));
        deletions.extend(self.of(&self.snapshot.service_revisions, Record::ServiceRevision));
        let service = self.snapshot.services.get(self.id);
        deletions.extend(service.map(|seen| delete(Record::Service(self.id.clone()), seen)));
        let state = self.snapshot.service_states.get(self.id);
        deletions.extend(state.map(|seen| delete(Record::ServiceState(self.id.clone()), seen)));
        deletions
    }

    fn of_present(&self, service: &Service, now: Timestamp) -> Vec<Deletion> {
        let mut deletions: Vec<Deletion> = self.old_events(service, now).collect();
        let (gone, states) = self.old_deployments(service, now);
        deletions.extend(states);
        deletions.extend(gone.iter().map(|(key, seen)| delete(Record::Deployment((*key).clone()), seen)));
        let drained = self.range(&self.snapshot.task_sets).filter(|(_, set)| self.is_drained(service, set));
        deletions.extend(drained.map(|(key, seen)| delete(Record::TaskSet(key.clone()), seen)));
        if deletions.is_empty() {
            // What was deleted names nothing any more, which the next plan sees.
            let named = self.named(service);
            let revisions = self.range(&self.snapshot.service_revisions);
            let unnamed =
                revisions.filter(|((_, number), seen)| seen.service_uid != service.uid || !named.contains(number));
            deletions.extend(unnamed.map(|(key, seen)| delete(Record::ServiceRevision(key.clone()), seen)));
        }
        deletions
    }

    /// Events lie in the order in which they happened.
    fn old_events(&self, service: &'a Service, now: Timestamp) -> impl Iterator<Item = Deletion> {
        let first = self.events().next().map_or(0, |(place, _)| *place);
        let last = self.events().next_back().map_or(0, |(place, _)| *place);
        // None is left out in between.
        let spare = (last + 1 - first).saturating_sub(EVENTS_MAX as u64);
        let (uid, keep_ms) = (&service.uid, self.retention.service_events_ms);
        let is_old = move |place: u64, at: Timestamp| place - first < spare || at.saturating_add_ms(keep_ms) <= now;
        let old =
            self.events().take_while(move |(place, event)| is_old(**place, event.at) || event.service_uid != *uid);
        old.map(|(place, event)| self.event(place, event.revision))
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = (&'a u64, &'a Versioned<model::ecs::ServiceEvent>)> + use<'a> {
        let all: RangeInclusive<(ServiceId, u64)> = (self.id.clone(), 0)..=(self.id.clone(), u64::MAX);
        self.snapshot.service_events.range(all).map(|((_, place), event)| (place, event))
    }

    fn event(&self, place: &u64, revision: u64) -> Deletion {
        Deletion { record: Record::ServiceEvent((self.id.clone(), *place)), revision }
    }

    /// Deployments that go, and states that go with them or have outlived theirs.
    fn old_deployments(&self, service: &Service, now: Timestamp) -> (Vec<Kept<'a, Deployment>>, Vec<Deletion>) {
        let old = self
            .beyond_the_newest(service)
            .filter(|(_, state)| self.deployment_due(state).is_some_and(|due| due <= now));
        let former = self.range(&self.snapshot.deployments).filter(|(_, seen)| seen.service_uid != service.uid);
        let gone: Vec<Kept<'a, Deployment>> = former.chain(old.map(|(deployment, _)| deployment)).collect();
        let goes = |key: &Key| gone.iter().any(|(other, _)| *other == key);
        let states = self.range(&self.snapshot.deployment_states);
        let states = states.filter(|(key, _)| goes(key) || !self.snapshot.deployments.contains_key::<Key>(key));
        let states = states.map(|(key, seen)| delete(Record::DeploymentState(key.clone()), seen)).collect();
        (gone, states)
    }

    /// The service's deployments but for the newest and the present one, with their states.
    fn beyond_the_newest(
        &self,
        service: &Service,
    ) -> impl Iterator<Item = (Kept<'a, Deployment>, &'a DeploymentState)> {
        let ours = self.range(&self.snapshot.deployments).filter(|(_, seen)| seen.service_uid == service.uid);
        let mut ours: Vec<Kept<'a, Deployment>> = ours.collect();
        if ours.len() <= DEPLOYMENTS_MIN {
            ours.clear();
        }
        ours.sort_by(|(a, x), (b, y)| y.created_at.cmp(&x.created_at).then_with(|| a.cmp(b)));
        let present = service.deployment.clone();
        let old = ours.into_iter().skip(DEPLOYMENTS_MIN).filter(move |((_, id), _)| present.as_ref() != Some(id));
        let snapshot = self.snapshot;
        old.filter_map(|kept| Some((kept, &*snapshot.deployment_states.get(kept.0)?.value)))
    }

    /// When a deployment that has ended may go.
    fn deployment_due(&self, state: &DeploymentState) -> Option<Timestamp> {
        let ended = state.finished_at.or(state.stopped_at).unwrap_or(state.updated_at);
        state.status.is_final().then(|| ended.saturating_add_ms(self.retention.deployments_ms))
    }

    /// It was deleted, and the last of its tasks has stopped; or it is a former service's.
    fn is_drained(&self, service: &Service, set: &TaskSet) -> bool {
        let runs = || {
            let mut units = self.snapshot.units_of_service(self.id);
            units.any(|unit| !unit.is_over() && unit.owner.as_ref().is_some_and(|owner| *owner.set() == set.id))
        };
        let is_kept = || self.state(service).is_some_and(|state| state.set(&set.id).is_some());
        set.service_uid != service.uid || (set.deleted_at.is_some() && !is_kept() && !runs())
    }

    /// The revisions that something names.
    fn named(&self, service: &Service) -> BTreeSet<Arc<str>> {
        let mut named = BTreeSet::new();
        for (_, deployment) in self.range(&self.snapshot.deployments) {
            named.extend(deployment.source.iter().cloned());
            named.insert(deployment.target.clone());
        }
        for (_, state) in self.range(&self.snapshot.deployment_states) {
            named.extend(state.rollback.iter().map(|rollback| rollback.revision.clone()));
        }
        named.extend(self.range(&self.snapshot.task_sets).map(|(_, set)| set.value.revision.clone()));
        if let Some(state) = self.state(service) {
            named.extend(state.sets.iter().map(|set| set.revision.clone()));
            named.extend(state.completed.clone());
        }
        named
    }

    fn of<T>(&self, table: &'a Table<Key, T>, record: fn(Key) -> Record) -> impl Iterator<Item = Deletion> {
        self.range(table).map(move |(key, seen)| delete(record(key.clone()), seen))
    }

    /// The service's own part of a table.
    fn range<T>(&self, table: &'a Table<Key, T>) -> impl Iterator<Item = Kept<'a, T>> + use<'a, T> {
        let id = self.id.clone();
        let from: Key = (id.clone(), Arc::from(""));
        table.range(from..).take_while(move |((service, _), _)| *service == id)
    }
}

type Key = (ServiceId, Arc<str>);
type Kept<'a, T> = (&'a Key, &'a Versioned<T>);

fn delete<T>(record: Record, seen: &Versioned<T>) -> Deletion {
    Deletion { record, revision: seen.revision }
}
