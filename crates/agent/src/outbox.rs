//! Observations on their way to the server: the newest of each Unit waits until the server has stored it.

use model::UnitUid;
use model::unit::{Lifecycle, Observed};
use session::ObservedUpdate;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// Something is to be sent.
    pub(crate) filled: Notify,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<UnitUid, Waiting>,
}

struct Waiting {
    update: ObservedUpdate,
    sent: bool,
    last: bool,
}

impl Outbox {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn put(&self, uid: &UnitUid, sequence: u64, observed: &Observed) {
        let update = ObservedUpdate::new(uid, sequence, observed);
        let last = observed.lifecycle == Lifecycle::Stopped;
        self.state().waiting.insert(uid.clone(), Waiting { update, sent: false, last });
        self.filled.notify_one();
    }

    /// What was not sent on this connection yet; marks it sent.
    pub(crate) fn take_unsent(&self) -> Vec<ObservedUpdate> {
        let mut state = self.state();
        let unsent = state.waiting.values_mut().filter(|w| !w.sent);
        unsent
            .map(|w| {
                w.sent = true;
                w.update.clone()
            })
            .collect()
    }

    /// A new connection: everything that was not acknowledged goes out again.
    pub(crate) fn resend(&self) {
        for waiting in self.state().waiting.values_mut() {
            waiting.sent = false;
        }
        self.filled.notify_one();
    }

    /// Drops what the server has stored. True if that was the Unit's last observation.
    pub(crate) fn acknowledge(&self, uid: &UnitUid, sequence: u64) -> bool {
        let mut state = self.state();
        let Some(waiting) = state.waiting.get(uid).filter(|w| w.update.sequence <= sequence) else { return false };
        let last = waiting.last;
        state.waiting.remove(uid);
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lifecycle: Lifecycle) -> Observed {
        Observed { lifecycle, ..Observed::default() }
    }

    #[test]
    fn the_newest_observation_waits_until_it_is_acknowledged() {
        let (outbox, uid) = (Outbox::default(), UnitUid::new("u"));
        outbox.put(&uid, 1, &at(Lifecycle::Preparing));
        outbox.put(&uid, 2, &at(Lifecycle::Running));
        let sent: Vec<u64> = outbox.take_unsent().iter().map(|u| u.sequence).collect();
        assert_eq!(sent, [2]);
        assert!(outbox.take_unsent().is_empty());
        assert!(!outbox.acknowledge(&uid, 1));
        outbox.resend();
        assert_eq!(outbox.take_unsent().len(), 1);
        outbox.put(&uid, 3, &at(Lifecycle::Stopped));
        assert!(outbox.acknowledge(&uid, 3), "the last one");
        assert!(outbox.take_unsent().is_empty());
    }
}
