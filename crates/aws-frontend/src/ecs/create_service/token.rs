//! clientToken: the same call twice makes its service once.

use crate::ecs::{errors, service};
use aws_api::ecs::CreateServiceInput;
use aws_protocol::ServiceError;
use model::ecs::Service;
use model::{ServiceId, Snapshot};
use sha2::{Digest, Sha256};

/// ECS API, CreateService: printable characters without the space.
const TOKEN_MAX: usize = 36;

/// The token of a call and what the call asked for.
pub(super) struct Token {
    text: String,
    parameters: String,
}

impl Token {
    /// None for a call without one.
    pub(super) fn read(input: &CreateServiceInput) -> Result<Option<Self>, ServiceError> {
        let Some(text) = input.client_token.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.len() > TOKEN_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(errors::invalid_parameter(format!(
                "clientToken can have at most {TOKEN_MAX} characters, those from ! to ~."
            )));
        }
        let call = CreateServiceInput { client_token: None, cluster: None, ..input.clone() };
        let call = serde_json::to_vec(&call).expect("a shape of text, numbers and lists is always JSON");
        Ok(Some(Self { text: text.to_owned(), parameters: hex::encode(&Sha256::digest(call)[..16]) }))
    }

    /// What the service keeps of it.
    pub(super) fn record(&self) -> (String, String) {
        (self.text.clone(), self.parameters.clone())
    }

    /// Whether the call that made a service had this token, and then whether it asked for the same.
    pub(super) fn agrees(&self, service: &Service) -> Option<bool> {
        let (text, parameters) = service.client_token.as_ref()?;
        (*text == self.text).then(|| *parameters == self.parameters)
    }

    /// # Errors
    /// InvalidParameterException if a service of another name was made with the token.
    pub(super) fn refuse_other_names(&self, snapshot: &Snapshot, id: &ServiceId) -> Result<(), ServiceError> {
        let of_cluster = service::of_cluster(snapshot, &id.cluster);
        let mut others = of_cluster.filter(|other| other.id != *id && other.deleted_at.is_none());
        match others.any(|other| self.agrees(other).is_some()) {
            true => Err(errors::not_idempotent()),
            false => Ok(()),
        }
    }
}
