//! The server's side: is this request what the holder of that secret sent, just now, to this service?

use http::request::Parts;
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::canonical::{Covered, PathRule, string_to_sign};
use super::claim::Claim;
use super::keys::{SecretKey, SigningKeys, signature};
use super::{AuthProblem, CredentialProblem, UNSIGNED_PAYLOAD};
use crate::wire;

/// Where secrets come from.
pub trait Secrets {
    /// The secret of an access key. A key that was given out with a session token is known only with that token.
    ///
    /// # Errors
    /// Why there is none; the caller still does the work of a check, so that time tells nothing.
    fn secret(&self, access_key_id: &str, session_token: Option<&str>) -> Result<SecretKey, CredentialProblem>;
}

/// What is demanded of every signature.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The region that the scope must name, if only one is served.
    pub region: Option<String>,
    /// How far the client's clock may be off, in seconds.
    pub clock_window_s: i64,
    /// Takes `UNSIGNED-PAYLOAD`: only over TLS, only for services where AWS does.
    pub unsigned_payload: bool,
}

impl Default for Rules {
    /// Any region, five minutes, no unsigned payload.
    fn default() -> Self {
        Self { region: None, clock_window_s: 300, unsigned_payload: false }
    }
}

/// Who sent a request, believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub access_key_id: String,
    pub session_token: Option<String>,
    /// The region that the request was signed for.
    pub region: String,
    pub signed_at: jiff::Timestamp,
    pub presigned: bool,
}

/// Verifies requests; keep one, it holds the cache of signing keys.
#[derive(Debug, Default)]
pub struct Verifier {
    rules: Rules,
    keys: SigningKeys,
}

impl Verifier {
    pub fn new(rules: Rules) -> Self {
        Self { rules, keys: SigningKeys::default() }
    }

    /// Checks a request to a service, by its signing name. `body` must be the very bytes that are parsed later.
    ///
    /// # Errors
    /// Why the request is not believed; [`AuthProblem::to_error`] makes the answer.
    pub fn verify(
        &self,
        parts: &Parts,
        body: &[u8],
        service: &str,
        secrets: &(impl Secrets + ?Sized),
        now: jiff::Timestamp,
    ) -> Result<Caller, AuthProblem> {
        // CONNECT's and OPTIONS' forms of a target have no path; nothing we serve is asked for so.
        if !parts.uri.path().starts_with('/') {
            return Err(AuthProblem::Incomplete("the request's target must be a path".to_owned()));
        }
        let claim = Claim::of(parts)?;
        self.check_scope(&claim, service)?;
        self.check_clock(&claim, now)?;
        let signed_headers = check_signed_headers(&claim, parts)?;
        let payload_hash = self.payload_hash(parts, body)?;
        let covered = Covered {
            parts,
            signed_headers: &signed_headers,
            payload_hash: &payload_hash,
            path_rule: PathRule::of(service),
            without: claim.expires_s.map(|_| "X-Amz-Signature"),
        };
        let canonical = covered.request().ok_or_else(|| {
            AuthProblem::Incomplete("a header in SignedHeaders is not in the request, or is not text".to_owned())
        })?;
        self.check_signature(&claim, &canonical, secrets)?;
        Ok(Caller {
            access_key_id: claim.access_key_id.into_owned(),
            session_token: claim.session_token.map(|token| token.into_owned()),
            region: claim.scope.region,
            signed_at: claim.time,
            presigned: claim.expires_s.is_some(),
        })
    }

    fn check_scope(&self, claim: &Claim<'_>, service: &str) -> Result<(), AuthProblem> {
        let scope = &claim.scope;
        if scope.service != service {
            return Err(wrong(format!("the credential is scoped to the service {}, not to {service}", scope.service)));
        }
        if let Some(region) = self.rules.region.as_ref().filter(|region| **region != scope.region) {
            return Err(wrong(format!("the credential is scoped to the region {}, not to {region}", scope.region)));
        }
        if claim.time_text.get(..8) != Some(scope.date.as_str()) {
            let (date, time) = (&scope.date, &claim.time_text);
            return Err(wrong(format!("the date in the credential scope, {date}, is not that of X-Amz-Date, {time}")));
        }
        Ok(())
    }

    fn check_clock(&self, claim: &Claim<'_>, now: jiff::Timestamp) -> Result<(), AuthProblem> {
        let window_s = self.rules.clock_window_s;
        let window = SignedDuration::from_secs(window_s);
        let age = now.duration_since(claim.time);
        if age < -window {
            return Err(wrong(format!(
                "the signature is not yet valid: it is of {}, which is more than {window_s} s ahead of this clock",
                claim.time_text
            )));
        }
        match claim.expires_s {
            Some(expires_s) if age > SignedDuration::from_secs(expires_s) => Err(AuthProblem::UrlExpired),
            None if age > window => Err(wrong(format!(
                "the signature has expired: it is of {}, which is more than {window_s} s behind this clock",
                claim.time_text
            ))),
            _ => Ok(()),
        }
    }

    /// The hash of the bytes themselves, whatever the client says it is.
    fn payload_hash(&self, parts: &Parts, body: &[u8]) -> Result<String, AuthProblem> {
        let stated = wire::text(&parts.headers, "x-amz-content-sha256");
        if stated == Some(UNSIGNED_PAYLOAD) {
            if self.rules.unsigned_payload {
                return Ok(UNSIGNED_PAYLOAD.to_owned());
            }
            return Err(AuthProblem::Incomplete("the payload must be signed here".to_owned()));
        }
        let hash = hex::encode(Sha256::digest(body));
        match stated {
            Some(stated) if !bool::from(stated.as_bytes().ct_eq(hash.as_bytes())) => {
                Err(wrong("the body does not have the hash that X-Amz-Content-Sha256 states".to_owned()))
            }
            _ => Ok(hash),
        }
    }

    fn check_signature(
        &self,
        claim: &Claim<'_>,
        canonical_request: &str,
        secrets: &(impl Secrets + ?Sized),
    ) -> Result<(), AuthProblem> {
        let found = secrets.secret(&claim.access_key_id, claim.session_token.as_deref());
        let text = string_to_sign(&claim.time_text, &claim.scope, canonical_request);
        // Without a secret the same work is done with another one, under a name no client can have.
        let (name, secret) = match &found {
            Ok(secret) => (claim.access_key_id.as_ref(), secret.clone()),
            Err(_) => ("", SecretKey::new("no secret is known by this name; this one is not")),
        };
        let expected = signature(&self.keys.get(name, &claim.scope, &secret), &text);
        let matches = bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes()));
        match found {
            Err(problem) => Err(problem.into()),
            Ok(_) if matches => Ok(()),
            Ok(_) => Err(AuthProblem::Mismatch),
        }
    }
}

/// `host` and every `x-amz-*` that is there must be signed; the list must be as the canonical form has it.
fn check_signed_headers<'c>(claim: &'c Claim<'_>, parts: &Parts) -> Result<Vec<&'c str>, AuthProblem> {
    let signed: Vec<&str> = claim.signed_headers.split(';').collect();
    if !signed.is_sorted_by(|one, next| one < next) || signed.iter().any(|name| name.contains(char::is_uppercase)) {
        return Err(AuthProblem::Incomplete("SignedHeaders must be lower case, sorted and without doubles".to_owned()));
    }
    let present = parts.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    for name in present.chain(["host"]) {
        if !signed.contains(&name) {
            return Err(AuthProblem::Incomplete(format!("the header {name} must be among SignedHeaders")));
        }
    }
    Ok(signed)
}

fn wrong(what: String) -> AuthProblem {
    AuthProblem::WrongScope(what)
}
