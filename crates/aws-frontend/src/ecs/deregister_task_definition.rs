//! DeregisterTaskDefinition: a revision becomes INACTIVE; what runs of it goes on.

use super::describe_task_definition::{Reference, convert};
use super::errors;
use crate::context::Context;
use aws_api::ecs::{DeregisterTaskDefinitionInput, DeregisterTaskDefinitionOutput};
use aws_protocol::ServiceError;
use model::ecs::{TaskDefinition, TaskDefinitionStatus};
use records::{CommitError, Draft};

/// Attempts to change the record; each one means that somebody else changed it in between.
const ATTEMPTS: usize = 8;

pub(crate) async fn deregister_task_definition(
    context: Context,
    input: DeregisterTaskDefinitionInput,
) -> Result<DeregisterTaskDefinitionOutput, ServiceError> {
    let reference = Reference::parse(context.scope(), input.task_definition.as_deref().unwrap_or_default())?;
    if reference.revision.is_none() {
        return Err(errors::client("You must specify a revision: family:revision, or the full ARN."));
    }
    for _ in 0..ATTEMPTS {
        let snapshot = context.records().current();
        let seen = reference.find(context.scope(), &snapshot);
        let seen = seen.ok_or_else(|| errors::client("Unable to deregister task definition."))?;
        match seen.status {
            TaskDefinitionStatus::Active => {}
            // A repeated call finds what the first one did.
            TaskDefinitionStatus::Inactive => return answer(seen),
            TaskDefinitionStatus::DeleteInProgress => {
                return Err(errors::client(
                    "The task definition could not be deregistered because it is in the process of being deleted.",
                ));
            }
        }
        let next = TaskDefinition {
            status: TaskDefinitionStatus::Inactive,
            deregistered_at: Some(context.now()),
            ..(*seen.value).clone()
        };
        let mut draft = Draft::new();
        draft.update(&seen.id, seen, &next);
        match context.records().commit(draft).await {
            Ok(_) => return answer(&next),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::store(CommitError::Conflict))
}

fn answer(stored: &TaskDefinition) -> Result<DeregisterTaskDefinitionOutput, ServiceError> {
    Ok(DeregisterTaskDefinitionOutput { task_definition: Some(convert(stored)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, register};

    async fn deregister(context: &Context, reference: &str) -> Result<DeregisterTaskDefinitionOutput, ServiceError> {
        let input = DeregisterTaskDefinitionInput { task_definition: Some(reference.to_owned()) };
        deregister_task_definition(context.clone(), input).await
    }

    #[tokio::test]
    async fn a_deregistered_revision_is_inactive_and_the_next_one_is_still_newer() {
        let context = testing::context().await;
        register(&context, "web").await;
        let gone = deregister(&context, "web:1").await.unwrap().task_definition.unwrap();
        assert_eq!(gone.status.as_deref(), Some("INACTIVE"));
        assert!(gone.deregistered_at.is_some());
        assert_eq!(deregister(&context, "web:1").await.unwrap().task_definition.unwrap(), gone);
        assert_eq!(register(&context, "web").await.revision, Some(2));
    }

    #[tokio::test]
    async fn a_reference_without_or_to_no_revision_is_refused() {
        let context = testing::context().await;
        register(&context, "web").await;
        for reference in
            ["web", "web:2", "web:x", "web:0", "", "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:1"]
        {
            let error = deregister(&context, reference).await.unwrap_err();
            assert_eq!(error.code, "ClientException", "{reference}");
        }
    }
}
