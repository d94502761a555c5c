//! How a group of like Units gets from one revision to the next: bounds, moves, circuit breaker and back-off, in numbers alone.
//!
//! Nothing here knows an API, a record or a clock. A scheduler counts what it has ([`moves::Tally`]), asks [`moves::plan`] how
//! many to start and to stop, and chooses which. ECS services and Kubernetes Deployments share it.

pub mod backoff;
pub mod breaker;
pub mod moves;

/// How many Units there may be, and how many healthy ones there must be, while revisions change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    pub desired: u32,
    /// At most so many that take part: waiting, coming up or running, whatever they were asked since.
    pub max: u32,
    /// No healthy Unit is stopped if fewer than so many would be left.
    pub min_healthy: u32,
}

impl Bounds {
    /// ECS API, DeploymentConfiguration: the maximum is rounded down, the minimum up. A maximum that leaves no way to move at all
    /// still lets the desired number run.
    pub fn from_percent(desired: u32, maximum_percent: u32, minimum_healthy_percent: u32) -> Self {
        let of = |percent: u32| u64::from(desired) * u64::from(percent);
        let max = u32::try_from(of(maximum_percent) / 100).unwrap_or(u32::MAX);
        let min_healthy = u32::try_from(of(minimum_healthy_percent).div_ceil(100)).unwrap_or(u32::MAX);
        Self { desired, max: max.max(desired), min_healthy }
    }

    /// Both revisions whole beside each other.
    pub fn unbounded(desired: u32) -> Self {
        Self { desired, max: u32::MAX, min_healthy: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_is_rounded_down_and_the_minimum_up() {
        assert_eq!(Bounds::from_percent(3, 150, 50), Bounds { desired: 3, max: 4, min_healthy: 2 });
        assert_eq!(Bounds::from_percent(4, 200, 100), Bounds { desired: 4, max: 8, min_healthy: 4 });
        assert_eq!(Bounds::from_percent(0, 200, 100), Bounds { desired: 0, max: 0, min_healthy: 0 });
    }

    #[test]
    fn a_maximum_below_all_still_lets_the_desired_number_run() {
        assert_eq!(Bounds::from_percent(1, 50, 0).max, 1);
    }
}
