//! What RunTask and StartTask ask alike: the definition, the group, who started it, the tags.

use crate::ecs::describe_task_definition::Reference;
use crate::ecs::{arn, errors, tags};
use aws_api::ecs::{Tag, TaskVolumeConfiguration};
use aws_protocol::ServiceError;
use model::ecs::{Tags, TaskDefinition, TaskDefinitionStatus};
use model::snapshot::Versioned;
use model::{ClusterId, Scope, Snapshot};
use std::sync::Arc;

/// ECS API, RunTask: characters.
const STARTED_BY_MAX: usize = 128;
const GROUP_MAX: usize = 255;
const REFERENCE_MAX: usize = 1024;

fn ensure(fine: bool, message: impl FnOnce() -> String) -> Result<(), ServiceError> {
    if fine { Ok(()) } else { Err(errors::invalid_parameter(message())) }
}

/// The active task definition of a reference.
pub(in crate::ecs) fn definition<'a>(
    snapshot: &'a Snapshot,
    scope: &Scope,
    reference: Option<&str>,
) -> Result<&'a Versioned<TaskDefinition>, ServiceError> {
    let reference = reference.unwrap_or_default();
    ensure(!reference.is_empty(), || "TaskDefinition can not be blank.".to_owned())?;
    let not_found = || errors::client("TaskDefinition not found.");
    // Another account's or region's is not found either.
    arn::resource(scope, "task-definition", reference).map_err(|_| not_found())?;
    let definition = Reference::parse(scope, reference)?.find(scope, snapshot).ok_or_else(not_found)?;
    match definition.status {
        TaskDefinitionStatus::Active => Ok(definition),
        TaskDefinitionStatus::Inactive => Err(errors::client("TaskDefinition is inactive")),
        TaskDefinitionStatus::DeleteInProgress => {
            Err(errors::client("The specified task definition is in the process of being deleted."))
        }
    }
}

/// The group that the tasks belong to: `family:<family>` unless said otherwise. Services' groups are their own.
pub(in crate::ecs) fn group(given: Option<&str>, definition: &TaskDefinition) -> Result<Arc<str>, ServiceError> {
    let Some(group) = given.filter(|group| !group.is_empty()) else {
        return Ok(format!("family:{}", definition.id.family).into());
    };
    ensure(!group.starts_with("service:"), || {
        format!(
            "Invalid namespace for group. '{group}' is a service's; choose a name that does not begin with 'service:'."
        )
    })?;
    ensure(group.chars().count() <= GROUP_MAX, || format!("group can have at most {GROUP_MAX} characters."))?;
    Ok(group.into())
}

pub(in crate::ecs) fn started_by(given: Option<&str>) -> Result<Option<Arc<str>>, ServiceError> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    let fine = text.chars().count() <= STARTED_BY_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/'));
    ensure(fine, || {
        format!(
            "startedBy can have at most {STARTED_BY_MAX} characters: letters, numbers, hyphens, forward slashes and underscores."
        )
    })?;
    Ok(Some(text.into()))
}

pub(in crate::ecs) fn reference_id(given: Option<&str>) -> Result<(), ServiceError> {
    let fine = given.is_none_or(|id| id.chars().count() <= REFERENCE_MAX);
    ensure(fine, || format!("referenceId can have at most {REFERENCE_MAX} characters."))
}

/// Volumes that a call configures are block devices of EC2, which there are none of.
pub(in crate::ecs) fn no_volumes(given: Option<&[TaskVolumeConfiguration]>) -> Result<(), ServiceError> {
    match given.unwrap_or_default() {
        [] => Ok(()),
        _ => Err(errors::client(
            "volumeConfigurations is not supported: Bayplan has no EBS volumes. Use a host or docker volume in the task definition.",
        )),
    }
}

/// The tasks' tags: the call's, the definition's where they are to be propagated, and ECS's own.
pub(in crate::ecs) fn tags(
    given: Option<&[Tag]>,
    propagate: Option<&str>,
    managed: bool,
    cluster: &ClusterId,
    definition: &TaskDefinition,
) -> Result<Tags, ServiceError> {
    let mut all = match propagate {
        None | Some("NONE") => Tags::new(),
        Some("TASK_DEFINITION") => definition.tags.clone(),
        Some(other) => {
            let message = format!("propagateTags cannot be {other} when a task is run; use TASK_DEFINITION or NONE.");
            return Err(errors::invalid_parameter(message));
        }
    };
    all.extend(tags::convert(given.unwrap_or_default())?);
    tags::check_count(&all)?;
    if managed {
        all.insert("aws:ecs:clusterName".to_owned(), cluster.name.to_string());
    }
    Ok(all)
}
