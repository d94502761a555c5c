//! RegisterTaskDefinition: refuse or normalise a definition and store it as its family's next revision.

mod attributes;
mod compatibility;
mod containers;
mod graph;
mod linux;
mod logs;
mod normalise;
mod ports;
mod size;
mod validate;
mod volumes;

pub use attributes::node_attributes;
pub(crate) use attributes::{requires_attributes, unsupported};
pub(crate) use compatibility::fargate_size;
pub(crate) use logs::byte_size;
pub(crate) use normalise::{DEFAULT_NETWORK_MODE, normalise};
pub(crate) use ports::{port_range, ranges_fit};
pub(crate) use size::{cpu_units, memory_mib, misfit};

use super::{describe_task_definition, errors, tags};
use crate::context::Context;
use aws_api::ecs::{self, RegisterTaskDefinitionInput, RegisterTaskDefinitionOutput};
use aws_protocol::ServiceError;
use model::TaskDefinitionId;
use model::ecs::{Family, Tags, TaskDefinition, TaskDefinitionStatus};
use records::{CommitError, Draft};
use std::sync::Arc;

/// Attempts to take the next revision; each one means that somebody else registered in between.
const ATTEMPTS: usize = 32;

pub(crate) async fn register_task_definition(
    context: Context,
    input: RegisterTaskDefinitionInput,
) -> Result<RegisterTaskDefinitionOutput, ServiceError> {
    let tags = tags::convert(input.tags.as_deref().unwrap_or_default())?;
    let document = prepare(input)?;
    let stored = store(&context, &document, &tags).await?;
    Ok(RegisterTaskDefinitionOutput {
        task_definition: Some(describe_task_definition::convert(&stored)?),
        tags: (!tags.is_empty()).then(|| tags::show(&tags)),
    })
}

/// Validates and normalises a request; all of the answer but what its place in the family adds.
pub(crate) fn prepare(input: RegisterTaskDefinitionInput) -> Result<ecs::TaskDefinition, ServiceError> {
    validate::request(&input)?;
    let mut document = normalise(input);
    validate::definition(&document)?;
    document.compatibilities = Some(compatibility::compatibilities(&document));
    document.requires_attributes = Some(requires_attributes(&document)).filter(|attributes| !attributes.is_empty());
    Ok(document)
}

/// Stores a document as the next revision of its family. Revisions only grow, also when all were deleted.
async fn store(context: &Context, document: &ecs::TaskDefinition, tags: &Tags) -> Result<TaskDefinition, ServiceError> {
    let family: Arc<str> = document.family.as_deref().unwrap_or_default().into();
    let family_id = (context.scope().clone(), family.clone());
    for _ in 0..ATTEMPTS {
        let snapshot = context.records().current();
        let seen = snapshot.families.get(&family_id);
        let last_revision = seen.map_or(0, |f| f.last_revision);
        let revision = last_revision.checked_add(1).filter(|r| i32::try_from(*r).is_ok());
        let revision =
            revision.ok_or_else(|| errors::client(format!("The family {family} has no revision numbers left.")))?;
        let id = TaskDefinitionId { scope: context.scope().clone(), family: family.clone(), revision };
        let stored = TaskDefinition {
            document: describe_task_definition::stored_document(document, &id),
            status: TaskDefinitionStatus::Active,
            tags: tags.clone(),
            registered_at: context.now(),
            registered_by: context.caller.arn.to_string(),
            deregistered_at: None,
            delete_requested_at: None,
            id: id.clone(),
        };
        let mut draft = Draft::new();
        draft.upsert(&family_id, seen, &Family { last_revision: revision }).create(&id, &stored);
        match context.records().commit(draft).await {
            Ok(_) => return Ok(stored),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::client("Too many concurrent attempts to create a new revision of the specified family."))
}

#[cfg(test)]
mod tests;
