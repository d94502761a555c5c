//! The scalar types that Rust lacks: points in time, bytes and free-form JSON.

use std::fmt;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z. JSON carries it as seconds with a fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Bytes, which JSON and XML carry as base64.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(pub Vec<u8>);

/// Any JSON value, where the model leaves the form open.
pub type Document = serde_json::Value;

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Rounds to the next millisecond; `None` for what is not a finite number or out of range.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let millis = (seconds * 1_000.0).round();
        // 2^53 ms is 285,000 years: beyond it a double no longer counts milliseconds.
        (millis.is_finite() && millis.abs() < 9.0e15).then_some(Self(millis as i64))
    }

    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}
