//! StopTask: asks a task to stop; one that has no node yet has stopped with that.

use super::errors;
use super::task::reference::{self, NoTask};
use super::task::{self, Tags};
use crate::context::Context;
use aws_api::ecs::{StopTaskInput, StopTaskOutput};
use aws_protocol::ServiceError;
use model::unit::{StopCause, StopIntent};
use records::units;

/// ECS API: characters of a reason.
const REASON_MAX: usize = 1024;
/// What ECS says when the caller says nothing.
const DEFAULT_REASON: &str = "Task stopped by user";

pub(crate) async fn stop_task(context: Context, input: StopTaskInput) -> Result<StopTaskOutput, ServiceError> {
    let given = input.task.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Err(errors::invalid_parameter("Task Identifier is invalid"));
    }
    let reason = input.reason.filter(|reason| !reason.is_empty()).unwrap_or_else(|| DEFAULT_REASON.to_owned());
    if reason.chars().count() > REASON_MAX {
        return Err(errors::invalid_parameter(format!("The reason can have at most {REASON_MAX} characters.")));
    }
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let unit = match reference::task(&snapshot, cluster, given) {
        Ok(unit) => unit,
        Err(NoTask::Unknown) => return Err(errors::task_not_found()),
        Err(NoTask::OfCluster(other)) => {
            let message =
                format!("Invalid identifier: Identifier is for cluster {other}. Your cluster is {}", cluster.name);
            return Err(errors::invalid_parameter(message));
        }
    };
    let wish = StopIntent { by: StopCause::UserInitiated, reason, requested_at: context.now(), grace_s: None };
    if !task::is_over(unit) && unit.intent.stop.is_none() {
        units::stop(context.records(), &unit.name, wish).await.map_err(errors::store)?;
    }
    // Refused or collected in between, it was never a task or is none any more.
    let snapshot = context.records().current();
    let unit = reference::task(&snapshot, cluster, given).map_err(|_| errors::task_not_found())?;
    Ok(StopTaskOutput { task: Some(task::convert(&snapshot, unit, unit.version, Tags::Shown)) })
}
