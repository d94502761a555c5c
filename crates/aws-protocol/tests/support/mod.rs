//! Requests signed by others, as the tests read them from `tests/fixtures`.
#![allow(dead_code, reason = "every test binary uses its own part of this module")]
#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]

pub(crate) mod forms;
pub(crate) mod nodes;
pub(crate) mod xml;

use aws_protocol::sigv4::{CredentialProblem, SecretKey, Secrets};
use http::request::Parts;
use serde::Deserialize;

/// `tests/fixtures/signed.json`: what botocore sent.
#[derive(Deserialize)]
pub(crate) struct Signed {
    pub(crate) time: jiff_time::Time,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) input: serde_json::Value,
    pub(crate) session_token: Option<String>,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) mod jiff_time {
    #[derive(serde::Deserialize)]
    #[serde(try_from = "String")]
    pub(crate) struct Time(pub(crate) jiff::Timestamp);

    impl TryFrom<String> for Time {
        type Error = jiff::Error;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            text.parse().map(Self)
        }
    }
}

pub(crate) fn signed() -> Signed {
    serde_json::from_str(include_str!("../fixtures/signed.json")).unwrap()
}

/// The head of a request; `None` if it is not HTTP at all, which a server's parser would refuse.
pub(crate) fn parts(method: &[u8], target: &[u8], headers: &[(Vec<u8>, Vec<u8>)]) -> Option<Parts> {
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::from_bytes(method).ok()?;
    *request.uri_mut() = http::Uri::try_from(target).ok()?;
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name).ok()?;
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value).ok()?);
    }
    Some(request.into_parts().0)
}

impl Sample {
    pub(crate) fn headers_as_bytes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes())).collect()
    }

    pub(crate) fn parts(&self) -> Parts {
        parts(self.method.as_bytes(), self.target.as_bytes(), &self.headers_as_bytes()).unwrap()
    }
}

/// One access key, with or without a session token.
pub(crate) struct OneKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Secrets for OneKey {
    fn secret(&self, access_key_id: &str, session_token: Option<&str>) -> Result<SecretKey, CredentialProblem> {
        if access_key_id == self.id && session_token == self.token.as_deref() {
            Ok(SecretKey::new(self.secret.clone()))
        } else {
            Err(CredentialProblem::Unknown)
        }
    }
}
