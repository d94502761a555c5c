//! A real controller that takes its turns one by one, when the simulation says so, on the snapshot that it gives.

use controllers::Controller;
use model::{Snapshot, Timestamp};
use records::{CommitError, Records, TouchedReceiver, Wake};
use std::sync::Arc;

pub(crate) struct Stepped<C> {
    controller: C,
    touched: TouchedReceiver,
    woken: bool,
    /// When it wants to look again although nothing has changed.
    pub(crate) due: Option<Timestamp>,
    /// No snapshot older than this may be planned on: it would not show the controller's own last commit.
    pub(crate) floor: u64,
}

impl<C: Controller> Stepped<C> {
    pub(crate) fn new(controller: C, records: &Records) -> Self {
        let floor = records.current().revision;
        Self { controller, touched: records.touched(), woken: true, due: None, floor }
    }

    /// Hears what has happened; `lost` says which wakes do not arrive.
    pub(crate) fn listen(&mut self, mut lost: impl FnMut() -> bool) {
        while let Some(wake) = self.touched.ready() {
            if !lost() {
                self.woken |= self.controller.concerned(&wake);
            }
        }
    }

    /// As after a wake that says that some were missed.
    pub(crate) fn wake(&mut self) {
        self.woken |= self.controller.concerned(&Wake::Everything);
    }

    pub(crate) fn wants_a_turn(&self, now: Timestamp) -> bool {
        self.woken || self.due.is_some_and(|due| due <= now)
    }

    /// One turn, as the harness takes it: what fails is taken again, on nothing older than what is stored by then.
    pub(crate) async fn turn(&mut self, snapshot: Arc<Snapshot>, records: &Records) -> Result<(), CommitError> {
        let before = records.current().revision;
        let taken = self.controller.turn(snapshot, records).await;
        if let Ok(due) = taken {
            (self.woken, self.due) = (false, due);
        } else {
            self.woken = true;
            let stored = records.status().await?.revision.0;
            self.floor = records.snapshot(records::Freshness::AtLeast(stored)).await.revision;
        }
        let after = records.current().revision;
        if after > before {
            self.floor = after;
        }
        taken.map(drop)
    }
}
