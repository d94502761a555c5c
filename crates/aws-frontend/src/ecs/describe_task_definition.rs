//! DescribeTaskDefinition, and how every operation finds and shows a task definition.

use super::{arn, errors, tags};
use crate::context::Context;
use aws_api::ecs::{self, DescribeTaskDefinitionInput, DescribeTaskDefinitionOutput};
use aws_api::schema::Timestamp;
use aws_protocol::ServiceError;
use model::ecs::{TaskDefinition, TaskDefinitionStatus};
use model::snapshot::Versioned;
use model::{Scope, Snapshot, TaskDefinitionId};

pub(crate) async fn describe_task_definition(
    context: Context,
    input: DescribeTaskDefinitionInput,
) -> Result<DescribeTaskDefinitionOutput, ServiceError> {
    let snapshot = context.records().current();
    let reference = Reference::parse(context.scope(), input.task_definition.as_deref().unwrap_or_default())?;
    let stored = reference.find(context.scope(), &snapshot).ok_or_else(errors::no_task_definition)?;
    let asked = input.include.iter().flatten().any(|part| part == "TAGS");
    Ok(DescribeTaskDefinitionOutput {
        task_definition: Some(convert(stored)?),
        tags: Some(if asked { tags::show(&stored.tags) } else { Vec::new() }),
    })
}

/// How a request names a task definition: a family, a family and revision, or an ARN of either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    pub family: &'a str,
    /// None is the latest active one.
    pub revision: Option<u32>,
}

impl<'a> Reference<'a> {
    /// # Errors
    /// ClientException for another account's or region's ARN and for a revision that is no number.
    pub(crate) fn parse(scope: &Scope, reference: &'a str) -> Result<Self, ServiceError> {
        let name = arn::resource(scope, "task-definition", reference).map_err(|_| errors::no_task_definition())?;
        let Some((family, revision)) = name.split_once(':') else { return Ok(Self { family: name, revision: None }) };
        let number = revision.parse().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| errors::client(format!("Invalid revision number. Number: {revision}")))?;
        Ok(Self { family, revision: Some(number) })
    }

    /// The revision that the reference means, whatever its status where the revision is said.
    pub(crate) fn find<'s>(&self, scope: &Scope, snapshot: &'s Snapshot) -> Option<&'s Versioned<TaskDefinition>> {
        let id = |revision| TaskDefinitionId { scope: scope.clone(), family: self.family.into(), revision };
        match self.revision {
            Some(revision) => snapshot.task_definitions.get(&id(revision)),
            None => {
                let revisions = snapshot.task_definitions.range(id(0)..=id(u32::MAX)).rev();
                revisions.map(|(_, stored)| stored).find(|stored| stored.status == TaskDefinitionStatus::Active)
            }
        }
    }
}

/// The document as it is stored: with its ARN and revision, without what changes later.
pub(crate) fn stored_document(document: &ecs::TaskDefinition, id: &TaskDefinitionId) -> serde_json::Value {
    let revision = i32::try_from(id.revision).expect("registering checks that a revision fits the API's integer");
    let whole = ecs::TaskDefinition {
        task_definition_arn: Some(arn::task_definition(id)),
        revision: Some(revision),
        ..document.clone()
    };
    serde_json::to_value(whole).expect("a shape of text, numbers and lists is always JSON")
}

/// The stored document, read back.
pub(crate) fn document(stored: &TaskDefinition) -> Result<ecs::TaskDefinition, ServiceError> {
    serde_json::from_value(stored.document.clone()).map_err(|error| {
        tracing::error!(%error, definition = %arn::task_definition(&stored.id), "a stored task definition is unreadable");
        errors::server("A stored task definition is unreadable. The server's log says why.")
    })
}

/// A task definition as ECS shows it.
pub(crate) fn convert(stored: &TaskDefinition) -> Result<ecs::TaskDefinition, ServiceError> {
    let time = |at: model::Timestamp| Timestamp::from_millis(at.unix_ms() as i64);
    Ok(ecs::TaskDefinition {
        status: Some(status(stored.status).to_owned()),
        registered_at: Some(time(stored.registered_at)),
        registered_by: Some(stored.registered_by.clone()),
        deregistered_at: stored.deregistered_at.map(time),
        delete_requested_at: stored.delete_requested_at.map(time),
        ..document(stored)?
    })
}

pub(crate) fn status(status: TaskDefinitionStatus) -> &'static str {
    match status {
        TaskDefinitionStatus::Active => "ACTIVE",
        TaskDefinitionStatus::Inactive => "INACTIVE",
        TaskDefinitionStatus::DeleteInProgress => "DELETE_IN_PROGRESS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, deregister, register};

    async fn describe(context: &Context, reference: &str) -> Result<ecs::TaskDefinition, ServiceError> {
        let input = DescribeTaskDefinitionInput { task_definition: Some(reference.to_owned()), include: None };
        describe_task_definition(context.clone(), input).await.map(|answer| answer.task_definition.unwrap())
    }

    #[tokio::test]
    async fn a_family_is_its_latest_active_revision_and_a_revision_is_itself_whatever_its_status() {
        let context = testing::context().await;
        for _ in 0..10 {
            register(&context, "web").await;
        }
        register(&context, "web-2").await;
        deregister(&context, "web:10").await;
        assert_eq!(describe(&context, "web").await.unwrap().revision, Some(9));
        let arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/web";
        assert_eq!(describe(&context, arn).await.unwrap().revision, Some(9));
        for reference in ["web:10".to_owned(), format!("{arn}:10")] {
            let found = describe(&context, &reference).await.unwrap();
            assert_eq!((found.revision, found.status.as_deref()), (Some(10), Some("INACTIVE")));
            assert_eq!(found.deregistered_at, found.registered_at);
        }
    }

    #[tokio::test]
    async fn what_is_registered_is_what_is_described() {
        let context = testing::context().await;
        let registered = register(&context, "web").await;
        assert_eq!(describe(&context, "web").await.unwrap(), registered);
    }

    #[tokio::test]
    async fn a_reference_to_nothing_is_a_client_exception() {
        let context = testing::context().await;
        register(&context, "web").await;
        deregister(&context, "web:1").await;
        for reference in ["web", "web:2", "db", "", ":", "arn:aws:ecs:us-east-1:111111111111:task-definition/web:1"] {
            let error = describe(&context, reference).await.unwrap_err();
            assert_eq!(error.code, "ClientException", "{reference}");
        }
        let error = describe(&context, "db").await.unwrap_err();
        assert_eq!(error.message, "Unable to describe task definition.");
        let error = describe(&context, "web:latest").await.unwrap_err();
        assert_eq!(error.message, "Invalid revision number. Number: latest");
    }
}
