//! What callers hand to the writer thread, and how their answers get back.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::kv::{LeaseId, Revision};
use crate::txn::{CommitOutcome, Compare, Write};

/// One entry of the writer's queue.
pub(super) enum Request {
    Commit(Call<Commit, CommitOutcome>),
    LeaseGrant(Call<Duration, LeaseId>),
    LeaseKeepalive(Call<LeaseId, Duration>),
    LeaseRemaining(Call<LeaseId, Duration>),
    LeaseRevoke(Call<LeaseId, Revision>),
    Compact(Call<Revision, Revision>),
    /// A lease is due. Every turn ends due leases, so this only makes one happen.
    Expire,
    /// Answer what is queued, then end.
    Close,
}

/// A commit within the limits.
pub(super) struct Commit {
    pub(super) compares: Vec<Compare>,
    pub(super) writes: Vec<Write>,
}

/// A question, its answer once it is worked out, and who waits for it.
pub(super) struct Call<Q, A> {
    pub(super) question: Q,
    pub(super) answer: Option<Result<A, StoreError>>,
    waiting: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, A> Call<Q, A> {
    pub(super) fn new(question: Q, waiting: oneshot::Sender<Result<A, StoreError>>) -> Call<Q, A> {
        Call { question, answer: None, waiting }
    }

    fn send(self) {
        if let Some(answer) = self.answer {
            // Nobody waiting any more is fine: whoever dropped the call does not want to know.
            let _gone = self.waiting.send(answer);
        }
    }
}

impl Request {
    /// Sends the answer that the turn worked out.
    pub(super) fn answer(self) {
        match self {
            Request::Commit(call) => call.send(),
            Request::LeaseGrant(call) => call.send(),
            Request::LeaseKeepalive(call) | Request::LeaseRemaining(call) => call.send(),
            Request::LeaseRevoke(call) => call.send(),
            Request::Compact(call) => call.send(),
            Request::Expire | Request::Close => {}
        }
    }

    /// How many bytes of values the request may add.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Request::Commit(call) => call.question.writes.iter().map(Write::bytes).sum(),
            _ => 0,
        }
    }
}
