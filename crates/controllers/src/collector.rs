//! Deletes what nothing holds any more, as `planner::gc` says.

use crate::harness::Controller;
use model::{Snapshot, Timestamp};
pub use planner::gc::Retention;
use planner::gc::{Deletion, Record, next_due, plan};
use records::{CommitError, Draft, Records, Wake, units};
use std::sync::Arc;

/// The only deleter of stopped Units and of what only they named.
pub struct Collector {
    retention: Retention,
}

impl Collector {
    pub fn new(retention: Retention) -> Self {
        Self { retention }
    }
}

impl Controller for Collector {
    const NAME: &'static str = "collector";

    fn concerned(&mut self, wake: &Wake) -> bool {
        let Wake::Touched(touched) = wake else { return true };
        touched.others || touched.units.iter().any(|(_, after)| after.as_ref().is_none_or(|u| !u.holds_resources()))
    }

    async fn turn(&mut self, mut snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        loop {
            let deletions = plan(&snapshot, records.now(), &self.retention);
            if deletions.is_empty() {
                return Ok(next_due(&snapshot, records.now(), &self.retention));
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
        Record::Spec(hash) => {
            if let Some(seen) = snapshot.specs.get(hash) {
                draft.delete(hash, seen);
            }
        }
        Record::ClientToken(cluster, token) => {
            let id = (cluster.clone(), token.clone());
            if let Some(seen) = snapshot.client_tokens.get(&id) {
                draft.delete(&id, seen);
            }
        }
        Record::Membership(cluster, node) => {
            let id = (cluster.clone(), node.clone());
            if let Some(seen) = snapshot.memberships.get(&id) {
                draft.delete(&id, seen);
            }
        }
        Record::Cluster(id) => {
            if let Some(seen) = snapshot.clusters.get(id) {
                draft.delete(id, seen);
            }
        }
    }
}
