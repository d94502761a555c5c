//! GetTaskProtection: whether up to 100 tasks of services are protected from being scaled in, and until when.

use super::task::reference;
use super::task_protection::{find, references, show};
use crate::context::Context;
use aws_api::ecs::{GetTaskProtectionInput, GetTaskProtectionOutput};
use aws_protocol::ServiceError;

/// ECS API.
const TASKS_MAX: usize = 100;

pub(crate) async fn get_task_protection(
    context: Context,
    input: GetTaskProtectionInput,
) -> Result<GetTaskProtectionOutput, ServiceError> {
    let references = references(input.tasks, TASKS_MAX)?;
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let (mut protected_tasks, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        match find(&snapshot, cluster, reference) {
            Ok(unit) => protected_tasks.push(show(unit, context.now())),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(GetTaskProtectionOutput { protected_tasks: Some(protected_tasks), failures: Some(failures) })
}
