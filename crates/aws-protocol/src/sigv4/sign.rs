//! The client's side: signing a request by headers or by its URL.

use http::HeaderValue;
use http::request::Parts;
use sha2::{Digest as _, Sha256};

use super::canonical::{Covered, PathRule, escape, string_to_sign};
use super::keys::{SecretKey, derive, signature};
use super::{ALGORITHM, Scope, UNSIGNED_PAYLOAD, format_time};
use crate::wire;

/// What a client signs with.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret: SecretKey,
    pub session_token: Option<String>,
}

/// Signs by headers: adds `x-amz-date`, `x-amz-security-token` where there is one, and `authorization`. Covers `host`
/// (which the request must have, as header or in its URI), `content-type` and every `x-amz-*`; an
/// `x-amz-content-sha256` of `UNSIGNED-PAYLOAD` leaves the body out.
pub fn sign(
    parts: &mut Parts,
    body: &[u8],
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: jiff::Timestamp,
) {
    let time = format_time(now);
    parts.headers.insert("x-amz-date", header(&time));
    if let Some(token) = &credentials.session_token {
        parts.headers.insert("x-amz-security-token", header(token));
    }
    let scope = scope(&time, region, service);
    let names = signed_names(parts, |name| name == "content-type");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let signature = seal(parts, &names, body, credentials, &scope, &time);
    let value = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        scope.text(),
        names.join(";")
    );
    parts.headers.insert("authorization", header(&value));
}

/// Signs by the URL, for someone else to use within `expires_s` seconds.
pub fn presign(
    parts: &mut Parts,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: jiff::Timestamp,
    expires_s: u32,
) {
    let time = format_time(now);
    let scope = scope(&time, region, service);
    let names = signed_names(parts, |_| false);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let credential = format!("{}/{}", credentials.access_key_id, scope.text());
    let mut query = parts.uri.query().map(|query| format!("{query}&")).unwrap_or_default();
    query += &format!(
        "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires={expires_s}\
         &X-Amz-SignedHeaders={}",
        escape(&credential),
        escape(&names.join(";"))
    );
    if let Some(token) = &credentials.session_token {
        query += &format!("&X-Amz-Security-Token={}", escape(token));
    }
    set_query(parts, &query);
    let signature = seal(parts, &names, b"", credentials, &scope, &time);
    set_query(parts, &format!("{query}&X-Amz-Signature={signature}"));
}

fn seal(
    parts: &Parts,
    signed_headers: &[&str],
    body: &[u8],
    credentials: &Credentials,
    scope: &Scope,
    time: &str,
) -> String {
    let unsigned = wire::text(&parts.headers, "x-amz-content-sha256") == Some(UNSIGNED_PAYLOAD);
    let payload_hash = if unsigned { UNSIGNED_PAYLOAD.to_owned() } else { hex::encode(Sha256::digest(body)) };
    let path_rule = PathRule::of(&scope.service);
    let covered = Covered { parts, signed_headers, payload_hash: &payload_hash, path_rule, without: None };
    let canonical = covered.request().expect("the signed headers are those the request has");
    signature(&derive(&credentials.secret, scope), &string_to_sign(time, scope, &canonical))
}

fn scope(time: &str, region: &str, service: &str) -> Scope {
    Scope { date: time[..8].to_owned(), region: region.to_owned(), service: service.to_owned() }
}

/// `host`, every `x-amz-*` and what else is wanted, sorted.
fn signed_names(parts: &Parts, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(|name| name.as_str())
        .filter(|name| name.starts_with("x-amz-") || wanted(name))
        .map(str::to_owned)
        .collect();
    if parts.headers.contains_key("host") || parts.uri.authority().is_some() {
        names.push("host".to_owned());
    }
    names.sort();
    names
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("keys, tokens and scopes are printable ASCII")
}

fn set_query(parts: &mut Parts, query: &str) {
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let path = uri.path_and_query.as_ref().map_or("/", |whole| whole.path());
    let whole = format!("{path}?{query}").parse().expect("an escaped query after a valid path is valid");
    uri.path_and_query = Some(whole);
    parts.uri = http::Uri::from_parts(uri).expect("only the query of a valid URI changed");
}
