//! The simulated server: real records, desk and controllers over a store that outlives it.

use crate::stepped::Stepped;
use controllers::{Collector, LogSink, NodeDesk, Placer, Retention};
use futures_util::future::BoxFuture;
use model::NodeId;
use records::{CommitError, Records};
use session::LogBatch;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Store;
use test_support::{HandClock, Opened};

/// Short, so that a run sees things go.
pub(crate) const RETENTION: Retention = Retention {
    stopped_units_ms: 60_000,
    client_tokens_ms: 60_000,
    inactive_clusters_ms: 60_000,
    inactive_services_ms: 60_000,
    service_events_ms: 60_000,
    deployments_ms: 60_000,
    deleted_providers_ms: 60_000,
};

pub(crate) struct Server {
    opened: Opened,
    pub(crate) desk: Arc<NodeDesk>,
    pub(crate) placer: Stepped<Placer>,
    pub(crate) collector: Stepped<Collector>,
    /// Nodes that this server believes to hold a session.
    pub(crate) seats: BTreeSet<NodeId>,
}

/// Log lines are not simulated.
struct NoLogs;

impl LogSink for NoLogs {
    fn take(&self, _: LogBatch) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

impl Server {
    /// Opens what is stored; nothing is written yet.
    pub(crate) async fn open(store: Arc<dyn Store>, clock: Arc<HandClock>, seed: u64) -> Self {
        let opened = test_support::open(store, clock).await;
        let records = &opened.records;
        Self {
            desk: NodeDesk::new(records.clone(), Arc::new(NoLogs), 1),
            placer: Stepped::new(Placer::new(seed), records),
            collector: Stepped::new(Collector::new(RETENTION), records),
            seats: BTreeSet::new(),
            opened,
        }
    }

    /// What a server does before it answers anybody.
    pub(crate) async fn begin(&self) -> Result<(), CommitError> {
        NodeDesk::forget_connections(self.records()).await
    }

    pub(crate) fn records(&self) -> &Records {
        &self.opened.records
    }
}
