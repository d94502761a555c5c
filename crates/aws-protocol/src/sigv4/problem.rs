//! Why a request is not believed, and what AWS calls that in each family of protocols.

use aws_api::schema::Fault;
use thiserror::Error;

use crate::error::ServiceError;
use crate::wire::Wire;

/// Why no secret was given for an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialProblem {
    /// There is no such access key, or it needs another session token than the one sent.
    #[error("the access key is unknown, or its session token is missing or wrong; `bayplan env` prints valid ones")]
    Unknown,
    #[error("the session token has expired; ask for new credentials")]
    Expired,
    /// The key exists but may not be used.
    #[error("the access key is disabled")]
    Denied,
}

/// Why a request was not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthProblem {
    #[error("the request is not signed; set the credentials that `bayplan env` prints")]
    Missing,
    /// The signature's form is wrong; the text says what.
    #[error("the request signature is incomplete: {0}")]
    Incomplete(String),
    /// The scope, date or clock is wrong; the text says what.
    #[error("{0}")]
    WrongScope(String),
    /// The signature is well-formed and false.
    #[error(
        "the request signature does not match; check the secret access key, and that nothing between client and \
         Bayplan changes the request"
    )]
    Mismatch,
    /// A presigned URL is no longer good.
    #[error("the presigned URL has expired")]
    UrlExpired,
    #[error(transparent)]
    Credential(#[from] CredentialProblem),
}

impl AuthProblem {
    /// The error that AWS answers with in the client's protocol; JSON services use HTTP 400 where query ones use 403.
    pub fn to_error(&self, wire: Wire) -> ServiceError {
        let (code, status) = match wire {
            Wire::Json { .. } | Wire::Cbor { .. } => self.json_code(),
            Wire::Query { .. } => self.query_code(),
            Wire::Ec2 { .. } => self.ec2_code(),
        };
        ServiceError::new(code, status, Fault::Sender, sentence(&self.to_string()))
    }

    fn json_code(&self) -> (&'static str, u16) {
        match self {
            Self::Missing => ("MissingAuthenticationTokenException", 400),
            Self::Incomplete(_) => ("IncompleteSignatureException", 400),
            Self::WrongScope(_) | Self::Mismatch | Self::UrlExpired => ("InvalidSignatureException", 400),
            Self::Credential(CredentialProblem::Unknown) => ("UnrecognizedClientException", 400),
            Self::Credential(CredentialProblem::Expired) => ("ExpiredTokenException", 400),
            Self::Credential(CredentialProblem::Denied) => ("AccessDeniedException", 400),
        }
    }

    fn query_code(&self) -> (&'static str, u16) {
        match self {
            Self::Missing => ("MissingAuthenticationToken", 403),
            Self::Incomplete(_) => ("IncompleteSignature", 400),
            Self::WrongScope(_) | Self::Mismatch => ("SignatureDoesNotMatch", 403),
            Self::UrlExpired => ("RequestExpired", 400),
            Self::Credential(CredentialProblem::Unknown) => ("InvalidClientTokenId", 403),
            Self::Credential(CredentialProblem::Expired) => ("ExpiredToken", 403),
            Self::Credential(CredentialProblem::Denied) => ("AccessDenied", 403),
        }
    }

    fn ec2_code(&self) -> (&'static str, u16) {
        match self {
            Self::Credential(CredentialProblem::Unknown) | Self::WrongScope(_) | Self::Mismatch => ("AuthFailure", 401),
            Self::Credential(CredentialProblem::Expired) => ("RequestExpired", 400),
            Self::Credential(CredentialProblem::Denied) => ("UnauthorizedOperation", 403),
            other => other.query_code(),
        }
    }
}

/// A capital at the beginning and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
