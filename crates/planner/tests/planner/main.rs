//! What the planner promises, as sentences (`placement`, `gc`), as safety rules on random snapshots (`safety`), and as plans
//! that a person reads (`transcripts`).

mod gc;
mod naive;
mod placement;
mod safety;
mod transcripts;
mod world;
