//! clientToken: the same call twice makes its tasks once.

use crate::ecs::task::{self, Tags, reference};
use crate::ecs::{arn, errors};
use aws_api::ecs::{RunTaskInput, Task};
use aws_protocol::ServiceError;
use model::ecs::ClientToken;
use model::snapshot::Versioned;
use model::{ClusterId, Snapshot, Timestamp, UnitName};
use records::Draft;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// ECS API, RunTask: printable characters without the space.
const TOKEN_MAX: usize = 64;

/// The token of a call and what it stands for.
pub(super) struct Token {
    id: (ClusterId, Arc<str>),
    parameters: String,
}

impl Token {
    /// None for a call without one.
    pub(super) fn read(cluster: &ClusterId, input: &RunTaskInput) -> Result<Option<Self>, ServiceError> {
        let Some(text) = input.client_token.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.len() > TOKEN_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(errors::invalid_parameter(format!(
                "clientToken can have at most {TOKEN_MAX} characters, those from ! to ~."
            )));
        }
        let call = RunTaskInput { client_token: None, cluster: None, ..input.clone() };
        let call = serde_json::to_vec(&call).expect("a shape of text, numbers and lists is always JSON");
        let parameters = hex::encode(&Sha256::digest(call)[..16]);
        Ok(Some(Self { id: (cluster.clone(), text.into()), parameters }))
    }

    fn seen<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Versioned<ClientToken>> {
        snapshot.client_tokens.get(&self.id)
    }

    /// The tasks of the first call with this token that have not been forgotten; None if there was none, or if it made no task,
    /// so that the call may try again.
    ///
    /// # Errors
    /// ConflictException, with the first call's tasks, if the token stood for other parameters.
    pub(super) fn first_call(&self, snapshot: &Snapshot) -> Result<Option<Vec<UnitName>>, ServiceError> {
        let Some(seen) = self.seen(snapshot) else { return Ok(None) };
        let names: Vec<UnitName> = seen.tasks.iter().map(|id| self.name(id)).collect();
        if seen.parameters != self.parameters {
            let tasks = names.iter().map(|name| arn::task(name.cluster(), name.short())).collect();
            return Err(errors::conflict(
                "The clientToken was used before with other parameters. Use a new one for another call.",
                tasks,
            ));
        }
        let is_there = |name: &UnitName| snapshot.units.get(name).is_some_and(|unit| reference::is_task(unit));
        let there: Vec<UnitName> = names.into_iter().filter(is_there).collect();
        Ok((!there.is_empty()).then_some(there))
    }

    fn name(&self, id: &str) -> UnitName {
        UnitName::EcsTask { cluster: self.id.0.clone(), id: id.into() }
    }

    /// Adds what a repetition will find.
    pub(super) fn record(&self, snapshot: &Snapshot, names: &[UnitName], now: Timestamp, draft: &mut Draft) {
        let record = ClientToken {
            token: self.id.1.to_string(),
            parameters: self.parameters.clone(),
            tasks: names.iter().map(|name| name.short().to_owned()).collect(),
            created_at: now,
        };
        draft.upsert(&self.id, self.seen(snapshot), &record);
    }
}

/// Tasks as they are now, without those that no node took.
pub(super) fn show(snapshot: &Snapshot, names: &[UnitName]) -> Vec<Task> {
    let units = names.iter().filter_map(|name| snapshot.units.get(name)).filter(|unit| reference::is_task(unit));
    units.map(|unit| task::convert(snapshot, unit, unit.version, Tags::Shown)).collect()
}
