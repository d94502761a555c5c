//! DescribeTasks: up to 100 tasks of a cluster, each found or reported MISSING; all from one snapshot.

use super::task::{self, Tags, reference};
use super::{arn, errors};
use crate::context::Context;
use aws_api::ecs::{DescribeTasksInput, DescribeTasksOutput, Failure};
use aws_protocol::ServiceError;
use model::ClusterId;

/// ECS API.
const TASKS_MAX: usize = 100;

pub(crate) async fn describe_tasks(
    context: Context,
    input: DescribeTasksInput,
) -> Result<DescribeTasksOutput, ServiceError> {
    let references = input.tasks.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Tasks cannot be empty."));
    }
    if references.len() > TASKS_MAX {
        return Err(errors::invalid_parameter(format!("tasks can have at most {TASKS_MAX} items.")));
    }
    let tags = match input.include.iter().flatten().any(|part| part == "TAGS") {
        true => Tags::Shown,
        false => Tags::Hidden,
    };
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let (mut tasks, mut failures) = (Vec::with_capacity(references.len()), Vec::new());
    for reference in references {
        match reference::task(&snapshot, cluster, &reference) {
            Ok(unit) => tasks.push(task::convert(&snapshot, unit, unit.version, tags)),
            Err(_) => failures.push(missing(cluster, reference)),
        }
    }
    Ok(DescribeTasksOutput { tasks: Some(tasks), failures: Some(failures) })
}

/// A failure names an ARN even if the request did not.
fn missing(cluster: &ClusterId, reference: String) -> Failure {
    let arn = if reference.starts_with("arn:") { reference } else { arn::task(cluster, &reference) };
    Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}
