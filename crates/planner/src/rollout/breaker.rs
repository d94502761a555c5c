//! The circuit breaker's threshold: after how many failures in a row a rollout has failed.

/// How the threshold is given (ECS API, ThresholdConfiguration).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threshold {
    Count(u32),
    /// Of the desired count, but from 3 to 200.
    BoundedPercent(u32),
    /// Of the desired count.
    UnboundedPercent(u32),
}

/// Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures": half of the desired count.
pub const DEFAULT: Threshold = Threshold::BoundedPercent(50);
const BOUNDED: std::ops::RangeInclusive<u32> = 3..=200;

impl Threshold {
    /// At least one failure, whatever is wanted.
    pub fn failures(self, desired: u32) -> u32 {
        let share = |percent: u32| {
            let share = (u64::from(desired) * u64::from(percent)).div_ceil(100);
            u32::try_from(share).unwrap_or(u32::MAX)
        };
        match self {
            Threshold::Count(count) => count.max(1),
            Threshold::BoundedPercent(percent) => share(percent).clamp(*BOUNDED.start(), *BOUNDED.end()),
            Threshold::UnboundedPercent(percent) => share(percent).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_half_of_the_desired_count_but_from_3_to_200() {
        let table = [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (1000, 200)];
        for (desired, failures) in table {
            assert_eq!(DEFAULT.failures(desired), failures, "{desired} desired");
        }
    }

    #[test]
    fn an_unbounded_share_and_a_count_are_taken_as_they_are() {
        assert_eq!(Threshold::UnboundedPercent(10).failures(1000), 100);
        assert_eq!(Threshold::UnboundedPercent(50).failures(1), 1);
        assert_eq!(Threshold::UnboundedPercent(1).failures(0), 1);
        assert_eq!(Threshold::Count(2).failures(1000), 2);
        assert_eq!(Threshold::Count(0).failures(10), 1);
    }
}
