//! The canonical request and the string to sign: the same text on both sides of a signature.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderMap, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::{ALGORITHM, Scope};

/// RFC 3986's unreserved characters stay as they are; all others are escaped.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same, for a whole path.
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// How a service wants its path: S3 takes it as sent, every other one normalised and escaped once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathRule {
    AsSent,
    NormalisedTwiceEscaped,
}

impl PathRule {
    pub(super) fn of(service: &str) -> Self {
        if service == "s3" { Self::AsSent } else { Self::NormalisedTwiceEscaped }
    }
}

/// Everything a signature covers.
pub(super) struct Covered<'a> {
    pub(super) parts: &'a Parts,
    /// Lower case, sorted.
    pub(super) signed_headers: &'a [&'a str],
    /// Hex SHA-256 of the body, or what stands for it.
    pub(super) payload_hash: &'a str,
    pub(super) path_rule: PathRule,
    /// A query parameter that is no part of the request: a presigned one's own signature.
    pub(super) without: Option<&'a str>,
}

impl Covered<'_> {
    /// The canonical request; `None` if a signed header is missing or is not text.
    pub(super) fn request(&self) -> Option<String> {
        let Parts { method, uri, headers, .. } = self.parts;
        let mut text = String::with_capacity(512);
        text.push_str(method.as_str());
        text.push('\n');
        text.push_str(&path(uri.path(), self.path_rule));
        text.push('\n');
        text.push_str(&query(uri.query().unwrap_or_default(), self.without));
        text.push('\n');
        for name in self.signed_headers {
            text.push_str(name);
            text.push(':');
            push_values(&mut text, headers, uri, name)?;
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed_headers.join(";"));
        text.push('\n');
        text.push_str(self.payload_hash);
        Some(text)
    }
}

pub(super) fn string_to_sign(time: &str, scope: &Scope, canonical_request: &str) -> String {
    let hash = hex::encode(Sha256::digest(canonical_request));
    format!("{ALGORITHM}\n{time}\n{}\n{hash}", scope.text())
}

pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

fn path(raw: &str, rule: PathRule) -> Cow<'_, str> {
    if raw.is_empty() || raw == "/" {
        return Cow::Borrowed("/");
    }
    match rule {
        PathRule::AsSent => Cow::Borrowed(raw),
        PathRule::NormalisedTwiceEscaped => Cow::Owned(utf8_percent_encode(&normalise(raw), STRICT_PATH).to_string()),
    }
}

/// RFC 3986, 5.2.4, and without doubled slashes.
fn normalise(raw: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let end = if raw.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Names and values unescaped, escaped strictly, and sorted.
fn query(raw: &str, without: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (renew(name), renew(value))
        })
        .filter(|(name, _)| Some(name.as_str()) != without)
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn renew(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, STRICT).to_string()
}

/// All values of a header, in order, trimmed, with runs of spaces as one, joined by commas.
fn push_values(text: &mut String, headers: &HeaderMap, uri: &Uri, name: &str) -> Option<()> {
    let mut first = true;
    for value in headers.get_all(name) {
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        let start = text.len();
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            if text.len() > start {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
    if first {
        // HTTP/2 carries the host as :authority, which the server puts into the URI.
        let authority = if name == "host" { uri.authority() } else { None };
        text.push_str(authority?.as_str());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_and_escaped_once_more() {
        let rule = PathRule::NormalisedTwiceEscaped;
        assert_eq!(path("", rule), "/");
        assert_eq!(path("/a//b/./c/../d/", rule), "/a/b/d/");
        assert_eq!(path("/../..", rule), "/");
        assert_eq!(path("/a%20b", rule), "/a%2520b");
        assert_eq!(path("/a%20b//.", PathRule::AsSent), "/a%20b//.");
    }

    #[test]
    fn a_query_is_sorted_by_its_escaped_names_and_values() {
        assert_eq!(query("b=2&a=z&a=b&c", None), "a=b&a=z&b=2&c=");
        assert_eq!(query("a=%c3%a9 /~", None), "a=%C3%A9%20%2F~");
        assert_eq!(query("X-Amz-Signature=ff&a=", Some("X-Amz-Signature")), "a=");
    }
}
