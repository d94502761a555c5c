//! DeleteTaskSet: its tasks are stopped from then on; it is DRAINING until the last has gone.

use super::service::task_sets;
use super::task::{Tags, reference};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{DeleteTaskSetInput, DeleteTaskSetOutput};
use aws_protocol::ServiceError;
use model::ecs::{Service, TaskSet};

pub(crate) async fn delete_task_set(
    context: Context,
    input: DeleteTaskSetInput,
) -> Result<DeleteTaskSetOutput, ServiceError> {
    let ((service, set), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let service = task_sets::service(snapshot, &cluster.id, input.service.as_deref())?;
        let seen = task_sets::named(snapshot, service, input.task_set.as_deref())?;
        if seen.deleted_at.is_some() {
            // A repeated call finds what the first one did.
            return Ok((service.value.clone(), (*seen.value).clone()));
        }
        if input.force != Some(true) {
            refuse_in_use(service, seen)?;
        }
        let now = context.now();
        let deleted = TaskSet { deleted_at: Some(now), updated_at: now, scale_bp: 0, ..(*seen.value).clone() };
        draft.update(&(service.id.clone(), seen.id.clone()), seen, &deleted);
        if service.primary_task_set.as_ref() == Some(&seen.id) {
            draft.update(&service.id, service, &Service { primary_task_set: None, ..(*service.value).clone() });
        } else {
            draft.expect(&service.id, service);
        }
        Ok((service.value.clone(), deleted))
    })
    .await?;
    Ok(DeleteTaskSetOutput { task_set: Some(task_sets::one(&snapshot, &service, &set, Tags::Shown)) })
}

/// ECS API, `force`.
fn refuse_in_use(service: &Service, set: &TaskSet) -> Result<(), ServiceError> {
    if service.primary_task_set.as_ref() == Some(&set.id) {
        return Err(errors::invalid_parameter(
            "The primary task set cannot be deleted. Make another one primary with UpdateServicePrimaryTaskSet, or use force.",
        ));
    }
    if set.scale_bp > 0 {
        return Err(errors::invalid_parameter(
            "The task set cannot be deleted while it is scaled above 0. Scale it to 0 with UpdateTaskSet, or use force.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, json};
    use serde_json::{Value, json};

    async fn delete(stage: &Stage, set: &str, force: bool) -> Result<Value, ServiceError> {
        let input = json!({"cluster": "default", "service": "web", "taskSet": set, "force": force});
        let answer = delete_task_set(stage.context.clone(), json(input)).await?;
        Ok(serde_json::to_value(answer.task_set.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn one_that_has_a_share_goes_only_by_force_and_drains_until_its_scheduler_has_let_go() {
        let (stage, set) = Stage::with_task_set(2).await;
        stage.take_up_task_sets("web").await;
        stage.scale_task_set(&set, 50.0).await;
        let error = delete(&stage, &set, false).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains("scaled above 0"), "{error}");
        let deleted = delete(&stage, &set, true).await.unwrap();
        assert_eq!((&deleted["status"], &deleted["computedDesiredCount"]), (&json!("DRAINING"), &json!(0)));
        assert_eq!(delete(&stage, &set, false).await.unwrap(), deleted, "the same again");
        stage.let_task_sets_go("web").await;
        assert_eq!(delete(&stage, &set, true).await.unwrap_err().code, "TaskSetNotFoundException");
    }

    #[tokio::test]
    async fn the_primary_one_goes_only_by_force_and_leaves_the_service_without() {
        let (stage, set) = Stage::with_task_set(2).await;
        stage.make_primary(&set).await;
        let error = delete(&stage, &set, false).await.unwrap_err();
        assert!(error.message.contains("primary"), "{error}");
        assert!(stage.service("web").await.task_definition.is_some());
        delete(&stage, &set, true).await.unwrap();
        let service = stage.service("web").await;
        assert_eq!((service.task_definition, service.task_sets), (None, Some(Vec::new())));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_deleted() {
        let (stage, set) = Stage::with_task_set(2).await;
        let wrong_service = set.replace("/web/", "/other/");
        for (set, code) in [
            ("ecs-svc/12", "TaskSetNotFoundException"),
            ("", "InvalidParameterException"),
            (&*wrong_service, "InvalidParameterException"),
        ] {
            assert_eq!(delete(&stage, set, true).await.unwrap_err().code, code, "{set}");
        }
    }
}
