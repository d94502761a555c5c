//! The one binary: reads as the list of everything that runs.
fn main() {}
