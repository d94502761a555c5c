//! The project automation: generate, tidy.
fn main() {}
