//! One turn of the writer: requests answered against a working copy of the state, and what of it must be made durable. No I/O.

use std::time::Duration;

use super::Retention;
use super::database::LeaseRow;
use super::leases::Leases;
use super::request::{Call, Commit, Request};
use super::state::State;
use crate::error::StoreError;
use crate::kv::{LeaseId, Revision};
use crate::txn::{CommitOutcome, Invalid, Write};

/// Everything the writer knows. Copying it costs nothing, dropping a copy is how a turn is undone.
#[derive(Clone)]
pub(super) struct Core {
    pub(super) state: State,
    pub(super) leases: Leases,
}

/// What the disk lets a turn do.
#[derive(Clone)]
pub(super) enum Space {
    Enough,
    /// The turn did not fit: nothing that adds values is accepted, deletions and compaction are.
    NoGrowth(String),
    /// Not even deletions fitted: nothing that has to be stored is accepted.
    None(String),
}

/// A turn in the making.
pub(super) struct Turn {
    pub(super) core: Core,
    pub(super) lease_rows: Vec<LeaseRow>,
    pub(super) useless_rows: Vec<i64>,
    now: Duration,
    space: Space,
}

impl Turn {
    /// Begins a turn at `now`, with the end of all leases that are due.
    pub(super) fn begin(core: &Core, now: Duration, space: Space) -> Turn {
        let mut turn = Turn { core: core.clone(), lease_rows: Vec::new(), useless_rows: Vec::new(), now, space };
        if turn.may_shrink().is_ok() {
            while let Some(due) = turn.core.leases.first_due(now) {
                turn.end_lease(due);
            }
        }
        turn
    }

    /// Whether anything has to be made durable.
    pub(super) fn is_durable_as_is(&self, before: &Core) -> bool {
        self.core.state.revision() == before.state.revision()
            && self.core.state.floor() == before.state.floor()
            && self.lease_rows.is_empty()
    }

    /// Works out the answer to a request and keeps it in the request, to be sent when the turn is durable.
    pub(super) fn take(&mut self, request: &mut Request) {
        match request {
            Request::Commit(call) => call.answer = Some(self.commit(&call.question)),
            Request::LeaseGrant(Call { question, answer, .. }) => *answer = Some(self.grant(*question)),
            Request::LeaseKeepalive(Call { question, answer, .. }) => {
                let renewed = self.core.leases.renew(*question, self.now);
                *answer = Some(renewed.ok_or(StoreError::LeaseNotFound(*question)));
            }
            Request::LeaseRemaining(Call { question, answer, .. }) => {
                let remaining = self.core.leases.remaining(*question, self.now);
                *answer = Some(remaining.ok_or(StoreError::LeaseNotFound(*question)));
            }
            Request::LeaseRevoke(Call { question, answer, .. }) => *answer = Some(self.revoke(*question)),
            Request::Compact(Call { question, answer, .. }) => *answer = Some(self.compact(*question)),
            Request::Expire | Request::Close => {}
        }
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        let state = &self.core.state;
        let holds = |compare: &crate::Compare| compare.expect.holds(state.get(&compare.key).map(|kv| &**kv));
        if !commit.compares.iter().all(holds) {
            let current = commit.compares.iter().map(|compare| state.get(&compare.key).cloned()).collect();
            return Ok(CommitOutcome::Conflict { current, revision: state.revision() });
        }
        for write in &commit.writes {
            if let Write::Put { lease: Some(lease), .. } = write
                && !self.core.leases.alive(*lease, self.now)
            {
                return Err(StoreError::LeaseNotFound(*lease));
            }
        }
        let puts = commit.writes.iter().any(|write| matches!(write, Write::Put { .. }));
        let deletes = commit.writes.iter().any(|write| state.get(write.key()).is_some());
        if puts {
            self.may_grow()?;
        } else if deletes {
            self.may_shrink()?;
        }
        let changes = self.core.state.apply(&commit.writes);
        self.core.leases.follow(&changes);
        Ok(CommitOutcome::Committed(self.core.state.revision()))
    }

    fn grant(&mut self, ttl: Duration) -> Result<LeaseId, StoreError> {
        if ttl.is_zero() {
            return Err(StoreError::Invalid(Invalid::ZeroTtl));
        }
        self.may_grow()?;
        let id = self.core.leases.grant(self.now, ttl);
        self.lease_rows.push(LeaseRow::Granted(id, ttl));
        Ok(id)
    }

    fn revoke(&mut self, id: LeaseId) -> Result<Revision, StoreError> {
        if !self.core.leases.alive(id, self.now) {
            return Err(StoreError::LeaseNotFound(id));
        }
        self.may_shrink()?;
        self.end_lease(id);
        Ok(self.core.state.revision())
    }

    fn end_lease(&mut self, id: LeaseId) {
        let keys = self.core.leases.end(id).into_iter().flatten();
        let deletes: Vec<Write> = keys.map(|key| Write::Delete { key }).collect();
        self.core.state.apply(&deletes);
        self.lease_rows.push(LeaseRow::Ended(id));
    }

    fn compact(&mut self, at: Revision) -> Result<Revision, StoreError> {
        let state = &mut self.core.state;
        if at > state.revision() {
            return Err(StoreError::FutureRevision { requested: at, current: state.revision() });
        }
        if at > state.floor() {
            self.may_shrink()?;
            self.useless_rows.extend(self.core.state.compact(at));
        }
        Ok(self.core.state.floor())
    }

    /// Forgets the oldest history when there is clearly more of it than is to be kept; a little slack keeps this rare.
    pub(super) fn forget_old(&mut self, keep: Retention) {
        let state = &self.core.state;
        let (revisions, bytes) = state.history();
        let slack = |limit: u64| limit + limit / 8;
        if self.may_shrink().is_err() {
            return;
        }
        let surplus_revisions = match revisions as u64 {
            count if count > slack(keep.revisions) => count - keep.revisions,
            _ => 0,
        };
        let surplus_bytes = match bytes {
            bytes if bytes > slack(keep.bytes) => bytes - keep.bytes,
            _ => 0,
        };
        let floor = state.floor_without(surplus_revisions, surplus_bytes);
        if floor > state.floor() {
            self.useless_rows.extend(self.core.state.compact(floor));
        }
    }

    fn may_grow(&self) -> Result<(), StoreError> {
        match &self.space {
            Space::Enough => Ok(()),
            Space::NoGrowth(cause) | Space::None(cause) => Err(StoreError::NoSpace { cause: cause.clone() }),
        }
    }

    fn may_shrink(&self) -> Result<(), StoreError> {
        match &self.space {
            Space::Enough | Space::NoGrowth(_) => Ok(()),
            Space::None(cause) => Err(StoreError::NoSpace { cause: cause.clone() }),
        }
    }
}
