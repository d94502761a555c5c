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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, call};
    use model::unit::observed::StopObserved;
    use model::unit::{Lifecycle, Observed};

    async fn stop(stage: &Stage, task: &str, reason: Option<&str>) -> Result<aws_api::ecs::Task, ServiceError> {
        let input =
            StopTaskInput { task: Some(task.to_owned()), reason: reason.map(str::to_owned), ..Default::default() };
        Ok(stop_task(stage.context.clone(), input).await?.task.unwrap())
    }

    #[tokio::test]
    async fn a_running_task_is_asked_to_stop_and_says_why() {
        let stage = Stage::new().await;
        let task = stage.run_one("web").await;
        stage.observe(&task, Observed { lifecycle: Lifecycle::Running, ..Default::default() }).await;
        let arn = task.task_arn.as_deref().unwrap();
        let stopping = stop(&stage, arn, Some("maintenance")).await.unwrap();
        assert_eq!(stopping.last_status.as_deref(), Some("RUNNING"));
        assert_eq!(stopping.desired_status.as_deref(), Some("STOPPED"));
        assert_eq!(stopping.stopped_reason.as_deref(), Some("maintenance"));
        assert_eq!(stopping.stop_code.as_deref(), Some("UserInitiated"));
        assert_eq!(stopping.stopping_at.map(|at| at.as_millis() as u64), Some(crate::testing::NOW.unix_ms()));
        assert_eq!(stopping.stopped_at, None);
    }

    #[tokio::test]
    async fn stopping_twice_changes_nothing_more() {
        let stage = Stage::new().await;
        let task = stage.run_one("web").await;
        let id = stage.name(&task).short().to_owned();
        let first = stop(&stage, &id, None).await.unwrap();
        assert_eq!(first.stopped_reason.as_deref(), Some("Task stopped by user"));
        let revision = stage.context.records().current().revision;
        assert_eq!(stop(&stage, &id, Some("again")).await.unwrap(), first);
        assert_eq!(stage.context.records().current().revision, revision);
    }

    #[tokio::test]
    async fn a_stopped_task_keeps_its_own_reason() {
        let stage = Stage::new().await;
        let task = stage.run_one("web").await;
        let end = StopObserved { cause: StopCause::EssentialContainerExited, reason: "it exited".to_owned() };
        stage.observe(&task, Observed { lifecycle: Lifecycle::Stopped, stop: Some(end), ..Default::default() }).await;
        let stopped = stop(&stage, stage.name(&task).short(), Some("too late")).await.unwrap();
        assert_eq!(stopped.stop_code.as_deref(), Some("EssentialContainerExited"));
        assert_eq!(stopped.stopped_reason.as_deref(), Some("it exited"));
        assert_eq!(stage.unit(&task).intent.stop, None);
    }

    #[tokio::test]
    async fn a_task_without_a_node_has_stopped_at_once() {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        stage.verdict(|_, _| None);
        let records = stage.context.records().clone();
        let stopped = async {
            let name = records.wait_for(|s| s.units.keys().next().cloned()).await.unwrap();
            stop(&stage, name.short(), None).await.unwrap()
        };
        let (_, stopped) = tokio::join!(stage.run(call("web")), stopped);
        assert_eq!(stopped.last_status.as_deref(), Some("STOPPED"));
        assert!(stopped.stopped_at.is_some());
        let containers = stopped.containers.unwrap();
        assert_eq!(containers[0].last_status.as_deref(), Some("STOPPED"));
        assert_eq!(stage.context.records().current().awaiting_placement().count(), 0);
    }

    #[tokio::test]
    async fn what_is_no_task_of_the_cluster_is_refused() {
        let stage = Stage::new().await;
        let task = stage.run_one("web").await;
        let other = task.task_arn.unwrap().replace("/default/", "/other/");
        for (reference, sentence) in [
            ("00".repeat(16), "The referenced task was not found."),
            ("arn:aws:ecs:us-east-1:000000000000:service/default/web".to_owned(), "The referenced task was not found."),
            (other, "Invalid identifier: Identifier is for cluster other. Your cluster is default"),
            (String::new(), "Task Identifier is invalid"),
        ] {
            let error = stop(&stage, &reference, None).await.unwrap_err();
            assert_eq!((&*error.code, error.message.as_str()), ("InvalidParameterException", sentence));
        }
        let error = stop(&stage, "x", Some(&"r".repeat(1025))).await.unwrap_err();
        assert!(error.message.contains("at most 1024"), "{error}");
    }
}
