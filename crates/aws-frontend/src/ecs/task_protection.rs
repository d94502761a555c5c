//! Task scale-in protection: which tasks can have it, and how it is shown. A service's scheduler heeds it; StopTask does not.

#[cfg(test)]
mod tests;

use super::task::{self, reference};
use super::{arn, errors};
use aws_api::ecs::{Failure, ProtectedTask};
use aws_protocol::ServiceError;
use model::snapshot::Versioned;
use model::unit::Unit;
use model::{ClusterId, Snapshot, Timestamp};

/// The references of a call, one at least.
pub(super) fn references(given: Option<Vec<String>>, max: usize) -> Result<Vec<String>, ServiceError> {
    let references = given.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Tasks cannot be empty."));
    }
    if references.len() > max {
        return Err(errors::invalid_parameter(format!("tasks can have at most {max} items.")));
    }
    Ok(references)
}

/// The task that a reference names, if a service owns it (Developer Guide, "Amazon ECS API failure reasons").
pub(super) fn find<'a>(
    snapshot: &'a Snapshot,
    cluster: &ClusterId,
    reference: &str,
) -> Result<&'a Versioned<Unit>, Failure> {
    let unit = reference::task(snapshot, cluster, reference).map_err(|_| reference::missing(cluster, reference))?;
    if unit.owner.is_none() {
        return Err(not_valid(unit, "The task belongs to no service; only tasks of services can be protected."));
    }
    Ok(unit)
}

pub(super) fn not_valid(unit: &Unit, detail: &str) -> Failure {
    Failure {
        arn: Some(arn::task(unit.name.cluster(), unit.name.short())),
        reason: Some("TASK_NOT_VALID".to_owned()),
        detail: Some(detail.to_owned()),
    }
}

/// What ECS shows of a task's protection; one that has expired is none.
pub(super) fn show(unit: &Unit, now: Timestamp) -> ProtectedTask {
    let face = task::face(unit);
    let protected = face.is_protected(now);
    ProtectedTask {
        task_arn: Some(arn::task(&face.cluster, unit.name.short())),
        protection_enabled: Some(protected),
        expiration_date: task::time(face.protected_until.filter(|_| protected)),
    }
}
