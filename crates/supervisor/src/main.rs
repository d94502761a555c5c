//! One small process per Unit: makes its containers, reaps them, keeps their exits; pure mechanism, no decisions.
fn main() {}
