//! DeleteTaskDefinitions: inactive revisions become DELETE_IN_PROGRESS. The collector removes them once nothing needs them.

use super::describe_task_definition::{Reference, convert};
use super::errors;
use crate::context::Context;
use aws_api::ecs::{self, DeleteTaskDefinitionsInput, DeleteTaskDefinitionsOutput};
use aws_protocol::ServiceError;
use model::ecs::{TaskDefinition, TaskDefinitionStatus};
use records::{CommitError, Draft};

// The reasons of ECS.
const NO_REVISION: &str =
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
const NOT_FOUND: &str =
    "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
const STILL_ACTIVE: &str =
    "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";

/// ECS API: revisions in one call.
const REFERENCES_MAX: usize = 10;
/// Attempts to change a record; each one means that somebody else changed it in between.
const ATTEMPTS: usize = 8;

pub(crate) async fn delete_task_definitions(
    context: Context,
    input: DeleteTaskDefinitionsInput,
) -> Result<DeleteTaskDefinitionsOutput, ServiceError> {
    let references = input.task_definitions.unwrap_or_default();
    if references.is_empty() || references.len() > REFERENCES_MAX {
        return Err(errors::invalid_parameter(format!(
            "taskDefinitions must have from 1 to {REFERENCES_MAX} items, not {}.",
            references.len()
        )));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match delete(&context, &reference).await? {
            Ok(stored) => deleted.push(convert(&stored)?),
            Err(reason) => {
                failures.push(ecs::Failure { arn: Some(reference), reason: Some(reason), ..Default::default() })
            }
        }
    }
    Ok(DeleteTaskDefinitionsOutput { task_definitions: Some(deleted), failures: Some(failures) })
}

/// Marks one revision; the inner error is a failure of this item only.
async fn delete(context: &Context, reference: &str) -> Result<Result<TaskDefinition, String>, ServiceError> {
    let reference = match Reference::parse(context.scope(), reference) {
        Ok(reference) if reference.revision.is_some() => reference,
        _ => return Ok(Err(NO_REVISION.to_owned())),
    };
    for _ in 0..ATTEMPTS {
        let snapshot = context.records().current();
        let Some(seen) = reference.find(context.scope(), &snapshot) else {
            return Ok(Err(NOT_FOUND.to_owned()));
        };
        match seen.status {
            TaskDefinitionStatus::Inactive => {}
            TaskDefinitionStatus::DeleteInProgress => return Ok(Ok((*seen.value).clone())),
            TaskDefinitionStatus::Active => {
                return Ok(Err(STILL_ACTIVE.to_owned()));
            }
        }
        let next = TaskDefinition {
            status: TaskDefinitionStatus::DeleteInProgress,
            delete_requested_at: Some(context.now()),
            ..(*seen.value).clone()
        };
        let mut draft = Draft::new();
        draft.update(&seen.id, seen, &next);
        match context.records().commit(draft).await {
            Ok(_) => return Ok(Ok(next)),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::store(CommitError::Conflict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, deregister, register};

    async fn delete(context: &Context, references: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
        let input =
            DeleteTaskDefinitionsInput { task_definitions: Some(references.iter().map(|r| (*r).to_owned()).collect()) };
        let answer = delete_task_definitions(context.clone(), input).await.unwrap();
        let deleted = answer.task_definitions.unwrap().into_iter().map(|d| {
            assert_eq!(d.status.as_deref(), Some("DELETE_IN_PROGRESS"));
            assert!(d.delete_requested_at.is_some());
            d.task_definition_arn.unwrap().rsplit('/').next().unwrap().to_owned()
        });
        let failures = answer.failures.unwrap().into_iter().map(|f| (f.arn.unwrap(), f.reason.unwrap()));
        (deleted.collect(), failures.collect())
    }

    #[tokio::test]
    async fn an_inactive_revision_is_marked_whatever_runs_and_its_number_is_never_used_again() {
        let context = testing::context().await;
        register(&context, "web").await;
        deregister(&context, "web:1").await;
        testing::run(&context, "web:1").await;
        assert_eq!(delete(&context, &["web:1"]).await, (vec!["web:1".to_owned()], vec![]));
        let requested_at = |context: &Context| {
            let snapshot = context.records().current();
            snapshot.task_definitions.values().map(|stored| stored.delete_requested_at).collect::<Vec<_>>()
        };
        assert_eq!(requested_at(&context), [Some(testing::NOW)]);
        assert_eq!(delete(&context, &["web:1"]).await.0, ["web:1"], "a repeated call");
        assert_eq!(register(&context, "web").await.revision, Some(2));
    }

    #[tokio::test]
    async fn each_reference_fails_by_itself() {
        let context = testing::context().await;
        register(&context, "web").await;
        register(&context, "web").await;
        deregister(&context, "web:2").await;
        let (deleted, failures) = delete(&context, &["web:1", "web:2", "web:3", "web", "web:x"]).await;
        assert_eq!(deleted, ["web:2"]);
        let failed: Vec<(&str, &str)> = failures.iter().map(|(arn, reason)| (arn.as_str(), reason.as_str())).collect();
        let expected = [("web:1", STILL_ACTIVE), ("web:3", NOT_FOUND), ("web", NO_REVISION), ("web:x", NO_REVISION)];
        assert_eq!(failed, expected);
    }

    #[tokio::test]
    async fn more_than_ten_or_none_is_refused_as_a_whole() {
        let context = testing::context().await;
        for count in [0, 11] {
            let input = DeleteTaskDefinitionsInput { task_definitions: Some(vec!["web:1".to_owned(); count]) };
            let error = delete_task_definitions(context.clone(), input).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
        }
    }
}
