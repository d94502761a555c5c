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
    match serde_json::from_slice::<Read<T>>(bytes) {
        Ok(read) if read.level <= LEVEL => Ok(read.r),
        Ok(read) => Err(DecodeError::TooNew(read.level)),
        // What a newer level wrote may have another shape: that it is newer is the reason to tell.
        Err(malformed) => match serde_json::from_slice::<Read<serde::de::IgnoredAny>>(bytes) {
            Ok(read) if read.level > LEVEL => Err(DecodeError::TooNew(read.level)),
            _ => Err(malformed.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let bytes = encode(&vec![1, 2]);
        assert_eq!(bytes, br#"{"v":1,"r":[1,2]}"#);
        assert_eq!(decode::<Vec<u32>>(&bytes).unwrap(), [1, 2]);
    }

    #[test]
    fn a_newer_level_is_told_as_such_whatever_its_shape() {
        for newer in [&br#"{"v":2,"r":[1,2]}"#[..], br#"{"v":2,"r":{"other":"shape"},"more":true}"#] {
            let refused = decode::<Vec<u32>>(newer).unwrap_err();
            assert!(
                refused.to_string().contains("written by a newer Bayplan (level 2, this one reads up to 1)"),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_is_no_record_is_malformed() {
        for broken in [&b""[..], b"{}", br#"{"v":1}"#, br#"{"v":1,"r":"text"}"#, b"\xff"] {
            assert!(matches!(decode::<Vec<u32>>(broken), Err(DecodeError::Malformed(_))));
        }
    }
}
