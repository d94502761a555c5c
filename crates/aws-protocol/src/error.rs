//! The one error type that front-ends answer with, before it has a wire format.

use std::borrow::Cow;
use std::fmt;

use aws_api::schema::{Api, ErrorShape, Fault, Operation};

/// An error of an AWS API as the client will see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceError {
    /// The exception's name, for example `ClusterNotFoundException`.
    pub code: Cow<'static, str>,
    /// What XML answers say instead of `code`, where the model gives another one.
    pub xml_code: Option<&'static str>,
    /// HTTP status.
    pub status: u16,
    /// One sentence for the user: what was wrong and what to do.
    pub message: String,
    pub fault: Fault,
    /// Further members of the exception; JSON and CBOR answers carry them.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl ServiceError {
    /// An error that the service's model declares.
    pub fn of(shape: &'static ErrorShape, message: impl Into<String>) -> Self {
        let xml_code = (shape.code != shape.name).then_some(shape.code);
        Self { xml_code, ..Self::new(shape.name, shape.status, shape.fault, message) }
    }

    /// An error of that exact name, modelled or not.
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, fault: Fault, message: impl Into<String>) -> Self {
        let fields = serde_json::Map::new();
        Self { code: code.into(), xml_code: None, status, message: message.into(), fault, fields }
    }

    /// The client's mistake, HTTP 400.
    pub fn sender(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, 400, Fault::Sender, message)
    }

    /// An operation that the model lists and nobody has built yet. 501 is a status that SDKs do not retry.
    pub fn not_built(api: &Api, operation: &Operation) -> Self {
        let message = format!(
            "Bayplan does not implement {}:{} yet; docs/compat/{}.md lists what it does",
            api.name, operation.name, api.name
        );
        Self::new("NotImplementedException", 501, Fault::Receiver, message)
    }

    /// Adds a member of the exception.
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The code in XML answers.
    pub(crate) fn xml_code(&self) -> &str {
        self.xml_code.unwrap_or(&self.code)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ServiceError {}
