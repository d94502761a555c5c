//! The leases that live, as a value that can be copied and dropped: who is due when, and which keys hang on whom. No clock, no I/O.

use std::time::Duration;

use bytes::Bytes;
use imbl::{OrdMap, OrdSet};

use crate::kv::LeaseId;
use crate::watch::Change;

/// All leases. Deadlines are times of the store's clock; they are not stored, a reopened store gives every lease its whole TTL again.
#[derive(Clone, Default)]
pub(super) struct Leases {
    by_id: OrdMap<LeaseId, Lease>,
    by_deadline: OrdSet<(Duration, LeaseId)>,
    last: u64,
}

#[derive(Clone)]
struct Lease {
    ttl: Duration,
    deadline: Duration,
    keys: OrdSet<Bytes>,
}

impl Leases {
    /// No leases, and none of the ids up to `last` will be given again.
    pub(super) fn new(last: u64) -> Leases {
        Leases { last, ..Leases::default() }
    }

    pub(super) fn grant(&mut self, now: Duration, ttl: Duration) -> LeaseId {
        self.last += 1;
        let id = LeaseId(self.last);
        self.add(id, now, ttl);
        id
    }

    /// Adds a lease that has an id already.
    pub(super) fn add(&mut self, id: LeaseId, now: Duration, ttl: Duration) {
        let deadline = now.saturating_add(ttl);
        self.by_deadline.insert((deadline, id));
        self.by_id.insert(id, Lease { ttl, deadline, keys: OrdSet::new() });
    }

    /// Whether the lease lives at `now`. One that is due is dead, even if its keys are not yet deleted.
    pub(super) fn alive(&self, id: LeaseId, now: Duration) -> bool {
        self.remaining(id, now).is_some()
    }

    /// How long the lease lives after `now`, `None` if it does not.
    pub(super) fn remaining(&self, id: LeaseId, now: Duration) -> Option<Duration> {
        let lease = self.by_id.get(&id)?;
        lease.deadline.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Moves the deadline to a whole TTL after `now`; the TTL, or `None` if the lease does not live.
    pub(super) fn renew(&mut self, id: LeaseId, now: Duration) -> Option<Duration> {
        if !self.alive(id, now) {
            return None;
        }
        let lease = self.by_id.get_mut(&id)?;
        self.by_deadline.remove(&(lease.deadline, id));
        lease.deadline = now.saturating_add(lease.ttl);
        self.by_deadline.insert((lease.deadline, id));
        Some(lease.ttl)
    }

    /// Forgets the lease; its keys, in key order.
    pub(super) fn end(&mut self, id: LeaseId) -> Option<OrdSet<Bytes>> {
        let lease = self.by_id.remove(&id)?;
        self.by_deadline.remove(&(lease.deadline, id));
        Some(lease.keys)
    }

    /// The lease that ended the longest ago.
    pub(super) fn first_due(&self, now: Duration) -> Option<LeaseId> {
        let (deadline, id) = self.by_deadline.get_min()?;
        (*deadline <= now).then_some(*id)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.by_deadline.get_min().map(|(deadline, _)| *deadline)
    }

    /// Hangs a key on a lease; whether there is such a lease.
    pub(super) fn attach(&mut self, id: LeaseId, key: Bytes) -> bool {
        self.by_id.get_mut(&id).map(|lease| lease.keys.insert(key)).is_some()
    }

    /// Moves the changed keys from their former leases to their new ones.
    pub(super) fn follow(&mut self, changes: &[Change]) {
        for change in changes {
            let before = change.previous.as_ref().and_then(|kv| kv.lease);
            let after = change.current.as_ref().and_then(|kv| kv.lease);
            if before == after {
                continue;
            }
            if let Some(lease) = before.and_then(|id| self.by_id.get_mut(&id)) {
                lease.keys.remove(&change.key);
            }
            if let Some(id) = after {
                self.attach(id, change.key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_is_due_at_its_deadline_and_not_before() {
        let mut leases = Leases::new(0);
        let id = leases.grant(SECOND, 2 * SECOND);
        assert_eq!(leases.first_due(3 * SECOND - Duration::from_nanos(1)), None);
        assert_eq!(leases.first_due(3 * SECOND), Some(id));
        assert!(!leases.alive(id, 3 * SECOND));
    }

    #[test]
    fn a_due_lease_cannot_be_renewed() {
        let mut leases = Leases::new(0);
        let id = leases.grant(Duration::ZERO, SECOND);
        assert_eq!(leases.renew(id, SECOND), None);
    }

    #[test]
    fn renewing_moves_the_next_deadline() {
        let mut leases = Leases::new(0);
        let id = leases.grant(Duration::ZERO, 2 * SECOND);
        assert_eq!(leases.renew(id, SECOND), Some(2 * SECOND));
        assert_eq!(leases.next_deadline(), Some(3 * SECOND));
    }

    #[test]
    fn an_endless_ttl_does_not_overflow() {
        let mut leases = Leases::new(0);
        let id = leases.grant(SECOND, Duration::MAX);
        assert!(leases.alive(id, 100 * SECOND));
    }

    #[test]
    fn ids_go_on_after_the_last_one_ever_given() {
        assert_eq!(Leases::new(41).grant(Duration::ZERO, SECOND), LeaseId(42));
    }
}
