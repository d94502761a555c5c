//! Deletes what nothing holds any more, as `planner::gc` says.

use crate::harness::Controller;
use model::snapshot::Table;
use model::unit::Unit;
use model::{ServiceId, Snapshot, Timestamp};
pub use planner::gc::Retention;
use planner::gc::{Deletion, Record, next_due, plan, services};
use records::{CommitError, Draft, Records, Wake, units};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The only deleter of stopped Units, of what only they named, of definitions that clients have deleted, and of what deleted
/// objects leave behind.
pub struct Collector {
    retention: Retention,
    /// Services of which something has changed since the last turn; None for all.
    touched: Option<BTreeSet<ServiceId>>,
    /// When something of a service is due although nothing changes.
    due: BTreeMap<ServiceId, Timestamp>,
}

impl Collector {
    pub fn new(retention: Retention) -> Self {
        Self { retention, touched: None, due: BTreeMap::new() }
    }

    /// The services that a turn has to look at.
    fn to_look_at(&self, snapshot: &Snapshot, now: Timestamp) -> BTreeSet<ServiceId> {
        let Some(touched) = &self.touched else { return services::all(snapshot) };
        let due = self.due.iter().filter(|(_, at)| **at <= now).map(|(service, _)| service);
        touched.iter().chain(due).cloned().collect()
    }

    /// When to look again, if nothing of all this is due now.
    fn rest(&mut self, snapshot: &Snapshot, now: Timestamp, looked_at: BTreeSet<ServiceId>) -> Option<Timestamp> {
        for service in looked_at {
            match services::next_due(snapshot, &service, now, &self.retention) {
                Some(at) => self.due.insert(service, at),
                None => self.due.remove(&service),
            };
        }
        self.touched = Some(BTreeSet::new());
        next_due(snapshot, now, &self.retention).into_iter().chain(self.due.values().copied()).min()
    }
}

impl Controller for Collector {
    const NAME: &'static str = "collector";

    fn concerned(&mut self, wake: &Wake) -> bool {
        let Wake::Touched(touched) = wake else {
            self.touched = None;
            return true;
        };
        // A Unit that holds nothing any more may be the last one that held something else.
        let idle = |after: &Option<Arc<Unit>>| after.as_ref().is_none_or(|unit| !unit.holds_resources());
        let mut ended = touched.units.iter().filter(|(_, after)| idle(after)).peekable();
        let concerns = touched.others || !touched.services.is_empty() || ended.peek().is_some();
        if let Some(services) = &mut self.touched {
            services.extend(touched.services.iter().cloned());
            let owned = ended.flat_map(|(before, after)| before.iter().chain(after));
            services.extend(owned.filter_map(|unit| Some(unit.owner.as_ref()?.service().clone())));
        }
        concerns
    }

    async fn turn(&mut self, mut snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        let looked_at = self.to_look_at(&snapshot, records.now());
        loop {
            let now = records.now();
            let mut deletions = plan(&snapshot, now, &self.retention);
            deletions.extend(looked_at.iter().flat_map(|id| services::plan(&snapshot, id, now, &self.retention)));
            if deletions.is_empty() {
                return Ok(self.rest(&snapshot, now, looked_at));
            }
            let mut draft = Draft::new();
            for deletion in deletions.iter().take(BATCH) {
                delete(&mut draft, &snapshot, deletion);
            }
            snapshot = records.commit(draft).await?;
        }
    }
}

/// Deletions of one commit.
const BATCH: usize = 100;

fn delete(draft: &mut Draft, snapshot: &Snapshot, deletion: &Deletion) {
    match &deletion.record {
        Record::Unit(name) => units::forget(draft, name, deletion.revision),
        Record::Spec(hash) => drop_one(draft, &snapshot.specs, hash),
        Record::TaskDefinition(id) => drop_one(draft, &snapshot.task_definitions, id),
        Record::ClientToken(cluster, token) => {
            drop_one(draft, &snapshot.client_tokens, &(cluster.clone(), token.clone()))
        }
        Record::Membership(cluster, node) => drop_one(draft, &snapshot.memberships, &(cluster.clone(), node.clone())),
        Record::Cluster(id) => drop_one(draft, &snapshot.clusters, id),
        Record::CapacityProvider(id) => drop_one(draft, &snapshot.capacity_providers, id),
        Record::ServiceEvent(id) => drop_one(draft, &snapshot.service_events, id),
        Record::DeploymentState(id) => drop_one(draft, &snapshot.deployment_states, id),
        Record::Deployment(id) => drop_one(draft, &snapshot.deployments, id),
        Record::TaskSet(id) => drop_one(draft, &snapshot.task_sets, id),
        Record::ServiceRevision(id) => drop_one(draft, &snapshot.service_revisions, id),
        Record::Service(id) => drop_one(draft, &snapshot.services, id),
        Record::ServiceState(id) => drop_one(draft, &snapshot.service_states, id),
    }
}

/// Adds the deletion of a record as the plan's snapshot shows it.
fn drop_one<R: records::Record>(draft: &mut Draft, table: &Table<R::Id, R>, id: &R::Id) {
    if let Some(seen) = table.get(id) {
        draft.delete(id, seen);
    }
}
