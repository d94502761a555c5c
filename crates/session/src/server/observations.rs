//! Observations on their way to the desk: of one Unit one at a time, since a later one replaces all earlier ones.

use super::Desk;
use crate::wire::ObservedUpdate;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use model::NodeId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The first wait after an observation that could not be stored; doubled up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What one session has received and not stored yet: at most two observations of each Unit.
pub(super) struct Observations {
    desk: Arc<dyn Desk>,
    node: NodeId,
    under_way: FuturesUnordered<BoxFuture<'static, Attempt>>,
    /// The newest observation of each Unit that has one under way.
    waiting: HashMap<String, Option<ObservedUpdate>>,
}

struct Attempt {
    update: ObservedUpdate,
    stored: Result<(), String>,
    backoff: Duration,
}

impl Observations {
    pub(super) fn new(desk: Arc<dyn Desk>, node: NodeId) -> Self {
        Self { desk, node, under_way: FuturesUnordered::new(), waiting: HashMap::new() }
    }

    pub(super) fn push(&mut self, update: ObservedUpdate) {
        match self.waiting.get_mut(&update.uid) {
            Some(newest) => *newest = Some(update),
            None => {
                self.waiting.insert(update.uid.clone(), None);
                self.attempt(update, Duration::ZERO);
            }
        }
    }

    /// The next one that is stored; for ever if none is under way. Cancel-safe.
    pub(super) async fn stored(&mut self) -> ObservedUpdate {
        loop {
            let Some(Attempt { update, stored, backoff }) = self.under_way.next().await else {
                return std::future::pending().await;
            };
            let newer = self.waiting.get_mut(&update.uid).and_then(Option::take);
            match stored {
                Ok(()) => {
                    match newer {
                        Some(newer) => self.attempt(newer, Duration::ZERO),
                        None => drop(self.waiting.remove(&update.uid)),
                    }
                    return update;
                }
                Err(error) => {
                    tracing::warn!(uid = %update.uid, error, "an observation could not be stored; trying again");
                    self.attempt(newer.unwrap_or(update), (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX));
                }
            }
        }
    }

    fn attempt(&mut self, update: ObservedUpdate, backoff: Duration) {
        let (desk, node) = (self.desk.clone(), self.node.clone());
        self.under_way.push(Box::pin(async move {
            if !backoff.is_zero() {
                tokio::time::sleep(backoff).await;
            }
            let stored = desk.observe(&node, update.clone()).await;
            Attempt { update, stored, backoff }
        }));
    }
}
