//! Snapshot in, plan out: placement, scheduling and garbage collection; no I/O, no clock, no async.

pub mod ecs;
pub mod gc;
pub mod placement;
pub mod rollout;
