//! What a request claims about its signature: the Authorization header or the presigned parameters, parsed.

use std::borrow::Cow;

use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::{ALGORITHM, AuthProblem, Scope, TERMINATOR, parse_time};
use crate::wire;

/// A claim, not yet believed.
#[derive(Debug)]
pub(super) struct Claim<'r> {
    pub(super) access_key_id: Cow<'r, str>,
    pub(super) scope: Scope,
    /// Lower case, sorted, as the client listed them.
    pub(super) signed_headers: Cow<'r, str>,
    /// Hex.
    pub(super) signature: Cow<'r, str>,
    /// As the client wrote it, since that text is signed.
    pub(super) time_text: Cow<'r, str>,
    pub(super) time: jiff::Timestamp,
    pub(super) session_token: Option<Cow<'r, str>>,
    /// How long a presigned URL is good for.
    pub(super) expires_s: Option<i64>,
}

/// The signing name in a request's credential scope, believed or not; routing needs it before any check.
pub fn scope_service(parts: &Parts) -> Option<String> {
    let credential = match authorization(parts) {
        Some(header) => Cow::Borrowed(Header::parse(header).ok()?.credential),
        None => parameter(parts, "X-Amz-Credential")?,
    };
    credential_scope(&credential).ok().map(|(_, scope)| scope.service)
}

impl<'r> Claim<'r> {
    /// Parses whichever of the two forms the request has.
    pub(super) fn of(parts: &'r Parts) -> Result<Self, AuthProblem> {
        match (authorization(parts), parameter(parts, "X-Amz-Algorithm")) {
            (Some(_), Some(_)) => Err(incomplete("a request is signed by its header or by its URL, not by both")),
            (Some(header), None) => Self::from_header(parts, header),
            (None, Some(algorithm)) => Self::from_url(parts, &algorithm),
            (None, None) => Err(AuthProblem::Missing),
        }
    }

    fn from_header(parts: &'r Parts, header: &'r str) -> Result<Self, AuthProblem> {
        let Header { credential, signed_headers, signature } = Header::parse(header)?;
        let (access_key_id, scope) = credential_scope(credential)?;
        let time_text = wire::text(&parts.headers, "x-amz-date");
        let time_text = time_text.ok_or_else(|| incomplete("the request has no X-Amz-Date header"))?;
        Ok(Self {
            access_key_id: Cow::Borrowed(access_key_id),
            scope,
            signed_headers: Cow::Borrowed(signed_headers),
            signature: Cow::Borrowed(signature),
            time: time(time_text)?,
            time_text: Cow::Borrowed(time_text),
            session_token: wire::text(&parts.headers, "x-amz-security-token").map(Cow::Borrowed),
            expires_s: None,
        })
    }

    fn from_url(parts: &'r Parts, algorithm: &str) -> Result<Self, AuthProblem> {
        if algorithm != ALGORITHM {
            return Err(incomplete(&format!("X-Amz-Algorithm must be {ALGORITHM}")));
        }
        let need = |name: &str| parameter(parts, name).ok_or_else(|| incomplete(&format!("the URL has no {name}")));
        let all = need("X-Amz-Credential")?;
        let (access_key_id, scope) = credential_scope(&all)?;
        let time_text = need("X-Amz-Date")?;
        // Query API: presigned URLs are good for one second to seven days.
        let expires_s = need("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=604_800).contains(seconds));
        Ok(Self {
            access_key_id: Cow::Owned(access_key_id.to_owned()),
            scope,
            signed_headers: need("X-Amz-SignedHeaders")?,
            signature: need("X-Amz-Signature")?,
            time: time(&time_text)?,
            time_text,
            session_token: parameter(parts, "X-Amz-Security-Token"),
            expires_s: Some(expires_s.ok_or_else(|| incomplete("X-Amz-Expires must be 1 to 604800 seconds"))?),
        })
    }
}

fn authorization(parts: &Parts) -> Option<&str> {
    wire::text(&parts.headers, "authorization")
}

/// The three parts of an Authorization header.
struct Header<'h> {
    credential: &'h str,
    signed_headers: &'h str,
    signature: &'h str,
}

impl<'h> Header<'h> {
    /// Takes each part once, in any order, and nothing else.
    fn parse(header: &'h str) -> Result<Self, AuthProblem> {
        let Some(list) = header.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')) else {
            return Err(incomplete(&format!("the Authorization header must begin with {ALGORITHM}")));
        };
        let names = ["Credential", "SignedHeaders", "Signature"];
        let mut values = [None; 3];
        for part in list.split(',') {
            let (name, value) = part.trim_matches(' ').split_once('=').unwrap_or((part, ""));
            match names.iter().position(|known| *known == name) {
                Some(at) if values[at].is_none() => values[at] = Some(value),
                _ => return Err(incomplete(&format!("the Authorization header has an unexpected part {name:.40}"))),
            }
        }
        match values {
            [Some(credential), Some(signed_headers), Some(signature)] => {
                Ok(Self { credential, signed_headers, signature })
            }
            _ => Err(incomplete("the Authorization header must have Credential, SignedHeaders and Signature")),
        }
    }
}

fn raw_parameter<'r>(parts: &'r Parts, name: &str) -> Option<&'r str> {
    let pairs = parts.uri.query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn parameter<'r>(parts: &'r Parts, name: &str) -> Option<Cow<'r, str>> {
    percent_decode_str(raw_parameter(parts, name)?).decode_utf8().ok()
}

fn credential_scope(text: &str) -> Result<(&str, Scope), AuthProblem> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [id, date, region, service, TERMINATOR] if !id.is_empty() => {
            let scope = Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
            Ok((id, scope))
        }
        _ => Err(incomplete("the credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request")),
    }
}

fn time(text: &str) -> Result<jiff::Timestamp, AuthProblem> {
    parse_time(text).ok_or_else(|| incomplete("X-Amz-Date must be YYYYMMDDTHHMMSSZ"))
}

fn incomplete(what: &str) -> AuthProblem {
    AuthProblem::Incomplete(what.to_owned())
}
