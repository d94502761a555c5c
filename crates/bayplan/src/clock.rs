//! The wall clock at the edge of the process: the one place of the binary that reads it; and the clock of what is only played.

use model::Timestamp;

/// The machine's clock.
pub(crate) struct SystemClock;

impl records::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

#[allow(clippy::disallowed_methods, reason = "the clock at the edge of the process")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_unix_ms(since.map_or(0, |d| d.as_millis() as u64))
}

/// A clock that goes with tokio's, which can be paused: then time passes only where everybody waits for it.
pub(crate) struct PlayedClock {
    began: tokio::time::Instant,
    began_at: Timestamp,
}

impl PlayedClock {
    pub(crate) fn new() -> Self {
        Self { began: tokio::time::Instant::now(), began_at: now() }
    }
}

impl records::Clock for PlayedClock {
    fn now(&self) -> Timestamp {
        self.began_at.saturating_add_ms(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
