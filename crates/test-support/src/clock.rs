//! Wall clocks of tests: one stands until it is moved, one follows the runtime's time, which a test may pause.

use model::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock in milliseconds since the Unix epoch.
#[derive(Debug)]
pub struct HandClock(AtomicU64);

impl HandClock {
    /// 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    pub fn advance_ms(&self, by: u64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

impl Default for HandClock {
    fn default() -> Self {
        Self(AtomicU64::new(Self::START.unix_ms()))
    }
}

impl records::Clock for HandClock {
    fn now(&self) -> Timestamp {
        HandClock::now(self)
    }
}

/// A clock that goes with the runtime's time, from [`HandClock::START`] on.
#[derive(Debug)]
pub struct RuntimeClock(tokio::time::Instant);

impl Default for RuntimeClock {
    fn default() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl records::Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        HandClock::START.saturating_add_ms(self.0.elapsed().as_millis() as u64)
    }
}
