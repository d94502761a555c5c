//! The supervisor binary as bytes.
