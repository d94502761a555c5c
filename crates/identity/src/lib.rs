//! Access keys and temporary credentials of an installation; knows no protocol.
//!
//! The root's key pair lies in one file, mode 0600. Temporary credentials are derived, not stored: the key id and the
//! session token say whom they are for and until when, under a MAC with a key that never leaves the installation, so they
//! survive a restart and need no table.

mod file;
mod temporary;

pub use file::{IdentityError, Keys};
pub use temporary::{Temporary, TokenProblem};

use std::sync::Arc;

/// Whom an access key belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Principal {
    /// The account root.
    Root,
    /// A task that runs under a role.
    TaskRole { role_arn: String, session: String },
}

/// Why there is no secret for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyProblem {
    Unknown,
    Expired,
}

/// Every access key that the installation knows.
#[derive(Debug)]
pub struct KeyRing {
    keys: Arc<Keys>,
}

impl KeyRing {
    pub fn new(keys: Arc<Keys>) -> Self {
        Self { keys }
    }

    /// The secret of a key. Temporary ones are known only with their session token, and only until they expire.
    pub fn secret(&self, access_key_id: &str, session_token: Option<&str>, now_ms: u64) -> Result<String, KeyProblem> {
        if access_key_id == self.keys.access_key_id {
            return if session_token.is_none() {
                Ok(self.keys.secret_access_key.clone())
            } else {
                Err(KeyProblem::Unknown)
            };
        }
        let token = session_token.ok_or(KeyProblem::Unknown)?;
        let temporary = temporary::read(&self.keys, access_key_id, token).map_err(|_| KeyProblem::Unknown)?;
        if temporary.expires_unix_ms <= now_ms {
            return Err(KeyProblem::Expired);
        }
        Ok(temporary::secret(&self.keys, access_key_id))
    }

    /// Whom a verified request with this key and token comes from.
    pub fn principal(&self, access_key_id: &str, session_token: Option<&str>) -> Option<Principal> {
        if access_key_id == self.keys.access_key_id {
            return Some(Principal::Root);
        }
        let temporary = temporary::read(&self.keys, access_key_id, session_token?).ok()?;
        Some(Principal::TaskRole { role_arn: temporary.role_arn, session: temporary.session })
    }

    /// Credentials for a task's role, good until `expires_unix_ms`: (access key id, secret, session token).
    pub fn issue(&self, role_arn: &str, session: &str, expires_unix_ms: u64) -> (String, String, String) {
        temporary::issue(
            &self.keys,
            &Temporary { role_arn: role_arn.to_owned(), session: session.to_owned(), expires_unix_ms },
        )
    }
}
