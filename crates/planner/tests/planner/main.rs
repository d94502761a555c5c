//! What the planner promises, as sentences (`placement`, `service`, `gc`, `definitions`), as safety rules on random snapshots
//! (`safety`), on indexes that a recount confirms (`indexes`), and as plans and stories
//! that a person reads (`transcripts`).

#![allow(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]

mod definitions;
mod gc;
mod gc_services;
mod indexes;
mod naive;
mod placement;
mod safety;
mod service;
mod town;
mod transcripts;
mod world;
