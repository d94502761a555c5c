//! The wall clock at the edge of the process: the one place of the binary that reads it.

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
