//! Percentiles of times.

use std::time::Duration;

use serde::Serialize;

/// What a set of times comes to, in milliseconds.
#[derive(Serialize, Debug, PartialEq)]
pub(crate) struct Times {
    pub count: usize,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub longest_ms: f64,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        let at = |share: f64| {
            let index = (times.len().saturating_sub(1) as f64 * share).round() as usize;
            times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        Times { count: times.len(), p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), longest_ms: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let times = Times::of((1..=101).rev().map(Duration::from_millis).collect());
        assert_eq!(times, Times { count: 101, p50_ms: 51.0, p95_ms: 96.0, p99_ms: 100.0, longest_ms: 101.0 });
    }

    #[test]
    fn no_times_have_no_percentiles() {
        assert!(Times::of(Vec::new()).p50_ms.is_nan());
    }
}
