//! What the planner promises, as sentences (`placement`, `gc`), as safety rules on random snapshots (`safety`), and as plans
//! that a person reads (`transcripts`).

#![allow(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]

mod gc;
mod naive;
mod placement;
mod safety;
mod service;
mod town;
mod transcripts;
mod world;
