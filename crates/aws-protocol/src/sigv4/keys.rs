//! Secrets, the signing keys derived from them, and a small cache of these.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{Scope, TERMINATOR};

/// A secret access key. It prints as nothing.
#[derive(Clone)]
pub struct SecretKey(String);

/// A key derived for one scope.
pub(super) type SigningKey = [u8; 32];

impl SecretKey {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

pub(super) fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// Four rounds of HMAC, as every AWS SDK does it.
pub(super) fn derive(secret: &SecretKey, scope: &Scope) -> SigningKey {
    let date = hmac(format!("AWS4{}", secret.0).as_bytes(), scope.date.as_bytes());
    let region = hmac(&date, scope.region.as_bytes());
    let service = hmac(&region, scope.service.as_bytes());
    hmac(&service, TERMINATOR.as_bytes())
}

/// Hex signature of a string to sign.
pub(super) fn signature(key: &SigningKey, string_to_sign: &str) -> String {
    hex::encode(hmac(key, string_to_sign.as_bytes()))
}

/// Signing keys by access key and scope, so that verifying costs one HMAC, not five.
#[derive(Default)]
pub struct SigningKeys {
    known: Mutex<HashMap<(String, Scope), Known>>,
}

struct Known {
    secret: SecretKey,
    key: SigningKey,
}

/// When the cache is full it starts afresh: a day has few scopes, and one derivation costs microseconds.
const MOST: usize = 1_024;

impl SigningKeys {
    /// The key for that scope. A cached one counts only while the secret is still the same.
    pub(super) fn get(&self, access_key_id: &str, scope: &Scope, secret: &SecretKey) -> SigningKey {
        let name = (access_key_id.to_owned(), scope.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&name)
            && bool::from(found.secret.0.as_bytes().ct_eq(secret.0.as_bytes()))
        {
            return found.key;
        }
        if known.len() >= MOST {
            known.clear();
        }
        let key = derive(secret, scope);
        known.insert(name, Known { secret: secret.clone(), key });
        key
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys")
    }
}
