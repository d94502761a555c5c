//! What a revision touched, so that loops are woken for what concerns them and never handed data to decide on.

use model::unit::Unit;
use model::{ClusterId, NodeId, ServiceId, Snapshot};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Before and after.
pub type UnitChange = (Option<Arc<Unit>>, Option<Arc<Unit>>);

/// One revision's changes, by what they concern.
#[derive(Clone, Default, Debug)]
pub struct Touched {
    pub revision: u64,
    /// Before and after of each Unit; one of both is there.
    pub units: Vec<UnitChange>,
    pub nodes: Vec<NodeId>,
    pub memberships: Vec<(ClusterId, NodeId)>,
    /// Services of which some record changed.
    pub services: Vec<ServiceId>,
    /// Records of any other kind that a loop may decide on; specs and ledgers change with their Units, families and settings
    /// matter to requests only.
    pub others: bool,
}

/// Follows [`Touched`]; a receiver that was too slow is told to look at everything.
pub struct TouchedReceiver {
    inner: broadcast::Receiver<Arc<Touched>>,
    current: watch::Receiver<Arc<Snapshot>>,
}

/// The next thing to look at.
#[derive(Clone, Debug)]
pub enum Wake {
    Touched(Arc<Touched>),
    /// Some were missed: everything may have changed.
    Everything,
}

impl TouchedReceiver {
    pub(crate) fn new(inner: broadcast::Receiver<Arc<Touched>>, current: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { inner, current }
    }

    /// Waits for the next revision; None when the server is shutting down.
    pub async fn next(&mut self) -> Option<Wake> {
        match self.inner.recv().await {
            Ok(touched) => Some(Wake::Touched(touched)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Wake::Everything),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// What has already happened, without waiting.
    pub fn ready(&mut self) -> Option<Wake> {
        match self.inner.try_recv() {
            Ok(touched) => Some(Wake::Touched(touched)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Wake::Everything),
            Err(_) => None,
        }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.borrow().clone()
    }
}
