//! clientToken of what a service is and has: the same call twice makes it once.

use crate::ecs::errors;
use aws_protocol::ServiceError;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// ECS API, CreateService and CreateTaskSet: printable characters without the space.
const TOKEN_MAX: usize = 36;

/// The token of a call and what the call asked for.
pub(in crate::ecs) struct Token {
    text: String,
    parameters: String,
}

impl Token {
    /// None for a call without one. Of `call` all counts but the token itself, which is to be left out of it.
    pub(in crate::ecs) fn read(text: Option<&str>, call: &impl Serialize) -> Result<Option<Self>, ServiceError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.len() > TOKEN_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(errors::invalid_parameter(format!(
                "clientToken can have at most {TOKEN_MAX} characters, those from ! to ~."
            )));
        }
        let call = serde_json::to_vec(call).expect("a shape of text, numbers and lists is always JSON");
        Ok(Some(Self { text: text.to_owned(), parameters: hex::encode(&Sha256::digest(call)[..16]) }))
    }

    /// What is kept of it with what the call made.
    pub(in crate::ecs) fn record(&self) -> (String, String) {
        (self.text.clone(), self.parameters.clone())
    }

    /// Whether the call that something is kept of had this token, and then whether it asked for the same.
    pub(in crate::ecs) fn agrees(&self, kept: Option<&(String, String)>) -> Option<bool> {
        let (text, parameters) = kept?;
        (*text == self.text).then(|| *parameters == self.parameters)
    }
}
