//! Which Units live here and how to reach their supervisors; who waits for the end of which exec.

use crate::link::Link;
use model::UnitUid;
use runtime::protocol::ExecExit;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// Execs of health checks count from here on; those of users below it.
pub(crate) const FIRST_PROBE: u64 = 1 << 32;

/// One live Unit.
#[derive(Clone)]
pub(crate) struct Entry {
    pub link: Arc<Link>,
    /// Container names with their newest attempt.
    pub containers: Vec<(String, u32)>,
}

pub(crate) struct Directory {
    live: Mutex<HashMap<UnitUid, watch::Sender<Option<Entry>>>>,
    execs: Mutex<HashMap<(UnitUid, u64), oneshot::Sender<ExecExit>>>,
    next_exec: AtomicU64,
}

impl Default for Directory {
    fn default() -> Self {
        Self { live: Mutex::default(), execs: Mutex::default(), next_exec: AtomicU64::new(random_u32().into()) }
    }
}

/// Where ids begin, so that those of a former agent, which may still be in use, are not met again.
pub(crate) fn random_u32() -> u32 {
    let mut random = [0; 4];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    u32::from_ne_bytes(random)
}

impl Directory {
    fn live(&self) -> MutexGuard<'_, HashMap<UnitUid, watch::Sender<Option<Entry>>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn execs(&self) -> MutexGuard<'_, HashMap<(UnitUid, u64), oneshot::Sender<ExecExit>>> {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Unit that is to live here, or is being gone on with: its entry comes, unless it ends before.
    pub(crate) fn expect(&self, uid: &UnitUid) {
        self.live().entry(uid.clone()).or_default();
    }

    pub(crate) fn put(&self, uid: &UnitUid, entry: Entry) {
        drop(self.live().entry(uid.clone()).or_default().send_replace(Some(entry)));
    }

    /// The Unit has ended: whoever follows it is told, and its execs end unheard.
    pub(crate) fn remove(&self, uid: &UnitUid) {
        self.live().remove(uid);
        self.execs().retain(|(of, _), _| of != uid);
    }

    /// The Unit's entry, once it has one; its channel closes when the Unit ends.
    pub(crate) fn follow(&self, uid: &UnitUid) -> Option<watch::Receiver<Option<Entry>>> {
        self.live().get(uid).map(watch::Sender::subscribe)
    }

    /// A fresh exec id of a Unit, and its end.
    pub(crate) fn begin_exec(&self, uid: &UnitUid) -> (u64, oneshot::Receiver<ExecExit>) {
        let id = self.next_exec.fetch_add(1, Ordering::Relaxed) % FIRST_PROBE;
        let (ended, wait) = oneshot::channel();
        self.execs().insert((uid.clone(), id), ended);
        (id, wait)
    }

    pub(crate) fn exec_ended(&self, uid: &UnitUid, exit: ExecExit) {
        if let Some(waiting) = self.execs().remove(&(uid.clone(), exit.exec)) {
            // Its user may have gone.
            let _ = waiting.send(exit);
        }
    }
}
