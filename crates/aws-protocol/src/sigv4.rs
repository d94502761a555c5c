//! AWS Signature Version 4: signing requests, and verifying signed and presigned ones from the raw bytes.
//!
//! Signer and verifier share `canonical`; everything is pure, the clock is an argument.
//!
//! What a signature does not cover, by AWS's own rules: headers that are not listed in it (`host` and every `x-amz-*`
//! must be), the case of header names and of the digits in percent escapes, the order of query parameters, runs of
//! spaces in header values, and, but for S3, doubled slashes and dot segments in the path.

mod canonical;
mod claim;
mod keys;
mod problem;
mod sign;
mod verify;

pub use claim::scope_service;
pub use keys::{SecretKey, SigningKeys};
pub use problem::{AuthProblem, CredentialProblem};
pub use sign::{Credentials, presign, sign};
pub use verify::{Caller, Rules, Secrets, Verifier};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The scope of a signature: what a signing key is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    /// The signing name, for example `ecs`.
    pub service: String,
}

impl Scope {
    /// `20150830/us-east-1/iam/aws4_request`.
    fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// `YYYYMMDDTHHMMSSZ`.
fn format_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The inverse of [`format_time`]; nothing else is taken.
fn parse_time(text: &str) -> Option<jiff::Timestamp> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i16>().ok())?
    };
    let small = |range| i8::try_from(digits(range)?).ok();
    if text.len() != 16 || text.as_bytes()[8] != b'T' || text.as_bytes()[15] != b'Z' {
        return None;
    }
    let date = jiff::civil::Date::new(digits(0..4)?, small(4..6)?, small(6..8)?).ok()?;
    let time = jiff::civil::Time::new(small(9..11)?, small(11..13)?, small(13..15)?, 0).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(time)).ok()
}
