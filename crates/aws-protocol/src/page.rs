//! Page tokens: where the next page begins, in a text that means nothing to the client.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

const VERSION: u8 = 1;
const CHECK_LEN: usize = 8;

/// A token that we did not make, or made for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the page token is not one that this operation gave out; start again without it")]
pub struct BadToken;

/// Makes a token. `scope` is what it is good for (the operation, and whatever filters must stay the same); `after` is
/// the key of the last item given out. It holds all that is needed: the server keeps nothing.
pub fn encode(scope: &str, after: &str) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&check(scope, after));
    bytes.extend_from_slice(after.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The `after` of a token made for that scope.
///
/// # Errors
/// It was made for another scope, by another version, or was changed.
pub fn decode(scope: &str, token: &str) -> Result<String, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let (&version, rest) = bytes.split_first().ok_or(BadToken)?;
    let (found, after) = rest.split_at_checked(CHECK_LEN).ok_or(BadToken)?;
    let after = std::str::from_utf8(after).map_err(|_| BadToken)?;
    if version != VERSION || found != check(scope, after) {
        return Err(BadToken);
    }
    Ok(after.to_owned())
}

/// Against accident and curiosity, not against forgers: a token names nothing its holder could not ask for anyway.
fn check(scope: &str, after: &str) -> [u8; CHECK_LEN] {
    let digest =
        Sha256::new().chain_update([VERSION]).chain_update(scope).chain_update([0]).chain_update(after).finalize();
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&digest[..CHECK_LEN]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_where_it_stands() {
        let token = encode("ecs:ListTasks", "task/é/7");
        assert_eq!(decode("ecs:ListTasks", &token).as_deref(), Ok("task/é/7"));
    }

    #[test]
    fn a_token_of_another_operation_or_a_changed_one_is_refused() {
        let token = encode("ecs:ListTasks", "task/7");
        assert_eq!(decode("ecs:ListClusters", &token), Err(BadToken));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(decode("ecs:ListTasks", &changed), Err(BadToken), "byte {at}");
        }
        for junk in ["", "A", "====", "AQ", "not a token at all"] {
            assert_eq!(decode("ecs:ListTasks", junk), Err(BadToken));
        }
    }
}
