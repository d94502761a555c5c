//! Quantities with units, exact in both APIs' spellings; no arithmetic that can wrap.

use serde::{Deserialize, Serialize};

/// Processor time, in 1/128,000 of a core: both an ECS CPU unit (1/1024 core) and a Kubernetes millicore are whole numbers of it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct Cpu(u64);

impl Cpu {
    pub const ZERO: Cpu = Cpu(0);
    const PER_CORE: u64 = 128_000;
    const PER_ECS_UNIT: u64 = 125;
    const PER_MILLI: u64 = 128;

    /// From ECS CPU units, 1024 a core.
    pub const fn from_ecs_units(units: u64) -> Self {
        Self(units.saturating_mul(Self::PER_ECS_UNIT))
    }
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(Self::PER_MILLI))
    }
    pub const fn from_cores(cores: u64) -> Self {
        Self(cores.saturating_mul(Self::PER_CORE))
    }
    /// In ECS CPU units, rounded down.
    pub const fn ecs_units(self) -> u64 {
        self.0 / Self::PER_ECS_UNIT
    }
    /// In microseconds of CPU per `period_us`, rounded up: a cgroup quota.
    pub const fn quota_us(self, period_us: u64) -> u64 {
        (self.0.saturating_mul(period_us)).div_ceil(Self::PER_CORE)
    }
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Memory in bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct Memory(u64);

impl Memory {
    pub const ZERO: Memory = Memory(0);
    const MIB: u64 = 1 << 20;

    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib.saturating_mul(Self::MIB))
    }
    pub const fn bytes(self) -> u64 {
        self.0
    }
    /// In MiB, rounded down.
    pub const fn mib(self) -> u64 {
        self.0 / Self::MIB
    }
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A moment on the wall clock, in milliseconds since the Unix epoch. For people and records, never for leases.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }
    pub const fn unix_ms(self) -> u64 {
        self.0
    }
    pub const fn saturating_add_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to this moment, 0 if it is not earlier.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecs_units_and_millicores_are_both_exact() {
        for n in 0..5000 {
            assert_eq!(Cpu::from_ecs_units(n).ecs_units(), n);
        }
        assert_eq!(Cpu::from_millis(250), Cpu::from_ecs_units(256));
        assert_eq!(Cpu::from_cores(1), Cpu::from_ecs_units(1024));
    }

    #[test]
    fn a_quota_is_rounded_up_so_that_no_task_gets_less_than_it_paid_for() {
        assert_eq!(Cpu::from_ecs_units(256).quota_us(100_000), 25_000);
        assert_eq!(Cpu::from_ecs_units(1).quota_us(100_000), 98);
    }
}
