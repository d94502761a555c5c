//! The thread that owns the database: takes what is queued, makes it durable with one fsync, publishes it, answers. Decides nothing itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Retention;
use super::database::{Database, Step, WriteError};
use super::request::Request;
use super::state::State;
use super::turn::{Core, Space, Turn};
use crate::clock::Clock;

/// The most requests that share one fsync.
pub(super) const MAX_BATCH: usize = 512;
/// The most bytes of values that share one fsync, unless a single commit is larger.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// The write-ahead log is copied into the database at this many pages when nobody waits,
const IDLE_CHECKPOINT_PAGES: u64 = 256;
/// and at this many however busy the store is (16 MiB).
const BUSY_CHECKPOINT_PAGES: u64 = 4096;
/// Useless rows are deleted in steps of this many when nobody waits,
const IDLE_DELETE_ROWS: usize = 512;
/// and beside new rows, twice as fast as those come, while more than this many are left.
const BUSY_USELESS_ROWS: usize = 50_000;
/// How long to wait before a lease that is due is tried again on a full disk.
const FULL_DISK_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) core: Core,
    pub(super) database: Database,
    pub(super) requests: mpsc::Receiver<Request>,
    /// Where readers and watchers look; its end tells them that the store is closed.
    pub(super) published: watch::Sender<Arc<State>>,
    pub(super) next_deadline: watch::Sender<Option<Duration>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keep: Retention,
    /// Rows that compaction has made useless. Those written first are deleted first: where nearly all rows are useless they lie
    /// side by side, so that few pages change.
    pub(super) useless_rows: BTreeSet<i64>,
    pub(super) disk_is_full: bool,
}

impl Writer {
    /// Works until the store is closed or dropped, or the disk fails. Requests without an answer are dropped with their channels,
    /// which tells their callers that the outcome is unknown.
    pub(super) fn run(&mut self) -> Result<(), rusqlite::Error> {
        let mut queued = Vec::with_capacity(MAX_BATCH);
        while self.requests.blocking_recv_many(&mut queued, MAX_BATCH) > 0 {
            while !queued.is_empty() {
                let batch: Vec<Request> = queued.drain(..batch_length(&queued)).collect();
                self.turn(batch)?;
            }
            while self.requests.is_empty() && self.tidy()? {}
        }
        Ok(())
    }

    fn turn(&mut self, mut batch: Vec<Request>) -> Result<(), rusqlite::Error> {
        let (turn, space) = self.work_out(&mut batch)?;
        let moved = turn.core.state.revision() != self.core.state.revision()
            || turn.core.state.floor() != self.core.state.floor();
        self.core = turn.core;
        self.useless_rows.extend(turn.useless_rows);
        if moved {
            self.published.send_replace(Arc::new(self.core.state.clone()));
        }
        self.announce_deadline(&batch, &space);
        self.note_space(&space);
        if batch.iter().any(|request| matches!(request, Request::Close)) {
            self.requests.close();
        }
        batch.into_iter().for_each(Request::answer);
        self.checkpoint_from(BUSY_CHECKPOINT_PAGES).map(drop)
    }

    /// Answers the batch on a working copy and makes that durable; with less and less accepted when the disk is full.
    fn work_out(&mut self, batch: &mut [Request]) -> Result<(Turn, Space), rusqlite::Error> {
        let mut space = Space::Enough;
        loop {
            let mut turn = Turn::begin(&self.core, self.clock.now(), space.clone());
            batch.iter_mut().for_each(|request| turn.take(request));
            // History is what a full store gives up first: it is lost only to watchers who can list again.
            turn.forget_old(if matches!(space, Space::Enough) { self.keep } else { Retention::NONE });
            match self.make_durable(&turn) {
                Ok(()) => return Ok((turn, space)),
                Err(WriteError::Fatal(error)) => return Err(error),
                Err(WriteError::NoSpace { cause }) => {
                    self.make_room()?;
                    space = match space {
                        Space::Enough => Space::NoGrowth(cause),
                        Space::NoGrowth(_) => Space::None(cause),
                        Space::None(_) => unreachable!("a turn that stores nothing needs no space"),
                    };
                }
            }
        }
    }

    fn make_durable(&mut self, turn: &Turn) -> Result<(), WriteError> {
        if turn.is_durable_as_is(&self.core) {
            return Ok(());
        }
        let new_rows = turn.core.state.next_row() - self.core.state.next_row();
        let deletions = match self.useless_rows.len() {
            many if many > BUSY_USELESS_ROWS => 2 * usize::try_from(new_rows).unwrap_or(0),
            _ => 0,
        };
        let useless_rows = self.oldest_useless(deletions);
        self.database.write(&Step {
            before: &self.core.state,
            after: &turn.core.state,
            leases: &turn.lease_rows,
            useless_rows: &useless_rows,
        })?;
        self.forget_useless(&useless_rows);
        Ok(())
    }

    /// Gives up what the disk holds in vain: useless rows, and a log whose pages fit into the database file.
    fn make_room(&mut self) -> Result<(), rusqlite::Error> {
        while !self.useless_rows.is_empty() && self.delete_useless()? {}
        self.checkpoint_from(1).map(drop)
    }

    /// One small step of housekeeping; whether there was anything to do.
    fn tidy(&mut self) -> Result<bool, rusqlite::Error> {
        let enough = if self.disk_is_full { 1 } else { IDLE_DELETE_ROWS };
        if self.useless_rows.len() >= enough {
            return self.delete_useless();
        }
        self.checkpoint_from(IDLE_CHECKPOINT_PAGES)
    }

    /// Deletes some useless rows; false if even that does not fit on the disk.
    fn delete_useless(&mut self) -> Result<bool, rusqlite::Error> {
        let useless_rows = self.oldest_useless(IDLE_DELETE_ROWS);
        let state = &self.core.state;
        let step = Step { before: state, after: state, leases: &[], useless_rows: &useless_rows };
        match self.database.write(&step) {
            Ok(()) => {
                self.forget_useless(&useless_rows);
                Ok(true)
            }
            Err(error) => unless_full(error),
        }
    }

    fn oldest_useless(&self, at_most: usize) -> Vec<i64> {
        self.useless_rows.iter().take(at_most).copied().collect()
    }

    fn forget_useless(&mut self, deleted: &[i64]) {
        deleted.iter().for_each(|row| {
            self.useless_rows.remove(row);
        });
    }

    fn checkpoint_from(&self, pages: u64) -> Result<bool, rusqlite::Error> {
        let due = || Ok(self.database.pages_to_checkpoint()? >= pages);
        match due() {
            Ok(true) => self.database.checkpoint().map(|()| true).or_else(unless_full),
            Ok(false) => Ok(false),
            Err(error) => unless_full(error),
        }
    }

    fn announce_deadline(&self, batch: &[Request], space: &Space) {
        let mut deadline = self.core.leases.next_deadline();
        if matches!(space, Space::None(_)) {
            deadline = deadline.map(|deadline| deadline.max(self.clock.now() + FULL_DISK_RETRY));
        }
        // The timer that sent `Expire` waits for an announcement, even of the same deadline.
        let asked = batch.iter().any(|request| matches!(request, Request::Expire));
        if asked || *self.next_deadline.borrow() != deadline {
            self.next_deadline.send_replace(deadline);
        }
    }

    fn note_space(&mut self, space: &Space) {
        match space {
            Space::NoGrowth(cause) | Space::None(cause) if !self.disk_is_full => {
                self.disk_is_full = true;
                tracing::warn!(%cause, "the store has no space left: it refuses writes and goes on answering reads");
            }
            Space::Enough if self.disk_is_full => {
                self.disk_is_full = false;
                tracing::info!("the store has space again");
            }
            _ => {}
        }
    }
}

fn unless_full(error: WriteError) -> Result<bool, rusqlite::Error> {
    match error {
        WriteError::NoSpace { .. } => Ok(false),
        WriteError::Fatal(error) => Err(error),
    }
}

/// How many of the queued requests go into the next turn.
fn batch_length(queued: &[Request]) -> usize {
    let mut bytes = 0;
    let fits = queued.iter().take_while(|request| {
        bytes += request.bytes();
        bytes <= MAX_BATCH_BYTES
    });
    fits.count().max(1)
}
