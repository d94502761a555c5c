//! SHA-256 content digests in their OCI spelling, and a reader that digests what passes through it; no other algorithm.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of some bytes, written `sha256:<64 lower-case hex digits>` (OCI image spec, "Digests").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a usable digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("digest {0:?} has no algorithm: write sha256:<64 hex digits>")]
    NoAlgorithm(String),
    #[error("digest algorithm {0:?} is not supported: only sha256 is")]
    Algorithm(String),
    #[error("digest {0:?} is not sha256: followed by 64 lower-case hex digits")]
    Hex(String),
}

impl Digest {
    /// Digests bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The 64 hex digits without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The chain id of a layer on top of `parent` (OCI image spec, "Layer ChainID"): it names the whole stack below too.
    pub fn chain(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
        match parent {
            None => *diff_id,
            Some(parent) => Digest::of(format!("{parent} {diff_id}").as_bytes()),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (algorithm, digits) = text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm(text.to_owned()))?;
        if algorithm != "sha256" {
            return Err(DigestError::Algorithm(algorithm.to_owned()));
        }
        let bad = || DigestError::Hex(text.to_owned());
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| bad())?;
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Passes bytes through while counting and digesting them.
pub(crate) struct Hashing<R> {
    inner: R,
    state: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Hashing { inner, state: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The digest of everything read so far.
    pub(crate) fn digest(&self) -> Digest {
        Digest(self.state.clone().finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.state.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_it_is_written() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
    }

    #[test]
    fn other_spellings_of_a_digest_are_refused() {
        let hex = Digest::of(b"").hex();
        assert!(matches!(hex.parse::<Digest>(), Err(DigestError::NoAlgorithm(_))));
        assert!(matches!(format!("sha512:{hex}").parse::<Digest>(), Err(DigestError::Algorithm(_))));
        assert!(matches!(format!("sha256:{}", hex.to_uppercase()).parse::<Digest>(), Err(DigestError::Hex(_))));
        assert!(matches!("sha256:../../etc/passwd".parse::<Digest>(), Err(DigestError::Hex(_))));
        assert!(matches!(format!("sha256:{hex}00").parse::<Digest>(), Err(DigestError::Hex(_))));
    }

    #[test]
    fn a_chain_id_of_one_layer_is_its_diff_id() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(Digest::chain(None, &a), a);
        assert_eq!(Digest::chain(Some(&a), &b), Digest::of(format!("{a} {b}").as_bytes()));
    }
}
