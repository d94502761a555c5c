//! Log batches on their way to the desk: one at a time, in the order in which they came.

use super::Desk;
use crate::wire::{LogAck, LogBatch};
use futures_util::future::BoxFuture;
use model::NodeId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Batches that may wait for the one under way; they are up to a megabyte each.
const WAITING: usize = 4;

pub(super) struct Logs {
    desk: Arc<dyn Desk>,
    node: NodeId,
    under_way: Option<BoxFuture<'static, LogAck>>,
    waiting: VecDeque<LogBatch>,
}

impl Logs {
    pub(super) fn new(desk: Arc<dyn Desk>, node: NodeId) -> Self {
        Self { desk, node, under_way: None, waiting: VecDeque::new() }
    }

    /// Nothing more may be read until one was taken.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    pub(super) fn push(&mut self, batch: LogBatch) {
        match self.under_way {
            Some(_) => self.waiting.push_back(batch),
            None => self.under_way = Some(self.hand_in(batch)),
        }
    }

    /// The answer to the next batch; for ever if none is under way. Cancel-safe.
    pub(super) async fn taken(&mut self) -> LogAck {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        let ack = under_way.await;
        self.under_way = self.waiting.pop_front().map(|batch| self.hand_in(batch));
        ack
    }

    fn hand_in(&self, batch: LogBatch) -> BoxFuture<'static, LogAck> {
        let (producer, sequence) = (batch.producer.clone(), batch.sequence);
        let taken = self.desk.logs(&self.node, batch);
        Box::pin(async move { LogAck { producer, sequence, refused: taken.await.err().unwrap_or_default() } })
    }
}
