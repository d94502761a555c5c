//! How long to wait before the next start when starts fail one after the other.

/// Failures in a row that are answered at once: most are singular, and their replacement is urgent.
const AT_ONCE: u32 = 2;
const FIRST_MS: u64 = 1000;
const LONGEST_MS: u64 = 300_000;

/// Milliseconds to wait after so many failures in a row: nothing, then a second, doubled up to five minutes. It never gives up.
///
/// ECS waits only for tasks that never ran, and up to 27 minutes; this is for those that start and exit at once too.
pub fn delay_ms(failures: u32) -> u64 {
    match failures.checked_sub(AT_ONCE + 1) {
        None => 0,
        Some(doublings) => FIRST_MS.saturating_mul(1 << doublings.min(20)).min(LONGEST_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failures_cost_nothing_then_it_doubles_to_five_minutes() {
        let delays: Vec<u64> = (0..=6).map(delay_ms).collect();
        assert_eq!(delays, [0, 0, 0, 1000, 2000, 4000, 8000]);
        assert_eq!(delay_ms(12), 300_000);
        assert_eq!(delay_ms(u32::MAX), 300_000);
    }
}
