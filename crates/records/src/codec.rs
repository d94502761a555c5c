//! The persisted encoding: JSON with the level of the writer, so that a later level can read an earlier one.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The level that this build writes; it reads this and all earlier ones.
const LEVEL: u32 = 1;

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    r: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    #[serde(rename = "v")]
    level: u32,
    r: T,
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("it was written by a newer Bayplan (level {0}, this one reads up to {LEVEL}); start that version again")]
    TooNew(u32),
    #[error("it cannot be read")]
    Malformed(#[from] serde_json::Error),
}

pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(&Written { v: LEVEL, r: record }).expect("records have only string keys")
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let read: Read<T> = serde_json::from_slice(bytes)?;
    if read.level > LEVEL { Err(DecodeError::TooNew(read.level)) } else { Ok(read.r) }
}
