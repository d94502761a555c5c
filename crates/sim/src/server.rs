//! The simulated server: real records, desk and controllers over a store that outlives it.

use crate::admission::Admission;
use crate::stepped::Stepped;
use controllers::{Alarms, Collector, LogSink, NodeDesk, Placer, Retention, ServiceScheduler, Settings};
use futures_util::future::BoxFuture;
use model::NodeId;
use records::{CommitError, Records};
use session::LogBatch;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Short too.
pub(crate) const SETTINGS: Settings = Settings { healthy_after_ms: 5_000, node_lost_after_ms: 10_000 };

pub(crate) struct Server {
    opened: Opened,
    pub(crate) desk: Arc<NodeDesk>,
    pub(crate) placer: Stepped<Placer>,
    pub(crate) collector: Stepped<Collector>,
    pub(crate) scheduler: Stepped<ServiceScheduler>,
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

/// Alarms that are on; they outlive every server.
#[derive(Clone, Default)]
pub(crate) struct Bells(Arc<Mutex<BTreeSet<String>>>);

impl Bells {
    /// Turns one on, or off if it was on; whether it is on then.
    pub(crate) fn ring(&self, name: &str) -> bool {
        let mut on = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !on.remove(name) && on.insert(name.into())
    }

    pub(crate) fn silence(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Alarms for Bells {
    fn firing(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is of a simulated server and outlives it.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) admission: Admission,
    pub(crate) bells: Bells,
}

impl Server {
    /// Opens what is stored; nothing is written yet.
    pub(crate) async fn open(ground: &Ground, seed: u64) -> Self {
        let opened = test_support::open(ground.store.clone(), ground.clock.clone()).await;
        let records = &opened.records;
        let (admission, bells) = (Arc::new(ground.admission.clone()), Arc::new(ground.bells.clone()));
        let scheduler = ServiceScheduler::new(admission, bells, SETTINGS, seed);
        Self {
            scheduler: Stepped::new(scheduler, records),
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
