//! Temporary credentials: what they say, and the MACs that make them believable; no state.

use crate::file::{Keys, random};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What a session token says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Temporary {
    pub role_arn: String,
    pub session: String,
    pub expires_unix_ms: u64,
}

/// The token is not one of ours, or belongs to another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenProblem;

fn mac(keys: &Keys, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.mac_key.as_bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(crate) fn issue(keys: &Keys, temporary: &Temporary) -> (String, String, String) {
    let id = format!("ASIA{}", hex::encode_upper(random::<8>()));
    let body = serde_json::to_vec(temporary).expect("a token has only string keys");
    let tag = mac(keys, &[b"token", id.as_bytes(), &body]);
    let token = URL_SAFE_NO_PAD.encode([&tag[..], &body].concat());
    let secret = secret(keys, &id);
    (id, secret, token)
}

/// The secret of a temporary key: derived, so that nothing has to be kept.
pub(crate) fn secret(keys: &Keys, access_key_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(keys, &[b"secret", access_key_id.as_bytes()]))
}

pub(crate) fn read(keys: &Keys, access_key_id: &str, token: &str) -> Result<Temporary, TokenProblem> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenProblem)?;
    let (tag, body) = bytes.split_at_checked(32).ok_or(TokenProblem)?;
    let right = mac(keys, &[b"token", access_key_id.as_bytes(), body]);
    if !bool::from(right[..].ct_eq(tag)) {
        return Err(TokenProblem);
    }
    serde_json::from_slice(body).map_err(|_| TokenProblem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyProblem, KeyRing, Principal};
    use std::sync::Arc;

    fn ring() -> KeyRing {
        let dir = tempfile::tempdir().unwrap();
        KeyRing::new(Arc::new(Keys::open(&dir.path().join("keys.json")).unwrap()))
    }

    #[test]
    fn a_tasks_credentials_work_until_they_expire_and_only_together() {
        let ring = ring();
        let (id, secret, token) = ring.issue("arn:aws:iam::0:role/web", "0a1b", 1000);
        assert_eq!(ring.secret(&id, Some(&token), 999), Ok(secret));
        assert_eq!(ring.secret(&id, Some(&token), 1000), Err(KeyProblem::Expired));
        assert_eq!(ring.secret(&id, None, 0), Err(KeyProblem::Unknown));
        let (other, _, other_token) = ring.issue("arn:aws:iam::0:role/web", "0a1b", 1000);
        assert_eq!(ring.secret(&id, Some(&other_token), 0), Err(KeyProblem::Unknown));
        assert_eq!(ring.secret(&other, Some(&token), 0), Err(KeyProblem::Unknown));
        let role = Principal::TaskRole { role_arn: "arn:aws:iam::0:role/web".into(), session: "0a1b".into() };
        assert_eq!(ring.principal(&id, Some(&token)), Some(role));
    }

    #[test]
    fn no_changed_token_is_believed() {
        let ring = ring();
        let (id, _, token) = ring.issue("arn:aws:iam::0:role/web", "0a1b", 1000);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last letter may hold bits that mean nothing; any other change must be refused.
            if changed != token && at + 1 < token.len() {
                assert_eq!(ring.secret(&id, Some(&changed), 0), Err(KeyProblem::Unknown), "byte {at}");
            }
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        let first = Keys::open(&path).unwrap();
        let second = Keys::open(&path).unwrap();
        assert_eq!(first.secret_access_key, second.secret_access_key);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
