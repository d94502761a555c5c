//! UpdateTaskSet: how much of its service's desired count a task set is to have.

use super::service::task_sets;
use super::task::{Tags, reference};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{UpdateTaskSetInput, UpdateTaskSetOutput};
use aws_protocol::ServiceError;
use model::ecs::TaskSet;

pub(crate) async fn update_task_set(
    context: Context,
    input: UpdateTaskSetInput,
) -> Result<UpdateTaskSetOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    if input.scale.as_ref().is_none_or(|scale| scale.value.is_none()) {
        return Err(errors::invalid_parameter("scale.value is required."));
    }
    let scale_bp = task_sets::scale_bp(input.scale.as_ref())?;
    let ((service, set), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let service = task_sets::service(snapshot, &cluster.id, input.service.as_deref())?;
        let seen = task_sets::active(snapshot, service, input.task_set.as_deref())?;
        let updated = TaskSet { scale_bp, updated_at: context.now(), ..(*seen.value).clone() };
        if scale_bp == seen.scale_bp {
            return Ok((service.value.clone(), (*seen.value).clone()));
        }
        draft.update(&(service.id.clone(), seen.id.clone()), seen, &updated);
        draft.expect(&service.id, service);
        Ok((service.value.clone(), updated))
    })
    .await?;
    Ok(UpdateTaskSetOutput { task_set: Some(task_sets::one(&snapshot, &service, &set, Tags::Shown)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, json};
    use serde_json::{Value, json};

    async fn update(stage: &Stage, more: Value) -> Result<Value, ServiceError> {
        let mut input = json!({"cluster": "default", "service": "web"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = update_task_set(stage.context.clone(), json(input)).await?;
        Ok(serde_json::to_value(answer.task_set.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_share_is_rounded_up_to_whole_tasks() {
        let (stage, set) = Stage::with_task_set(10).await;
        for (value, count) in [(0.0, 0), (0.01, 1), (10.0, 1), (10.01, 2), (33.3, 4), (99.99, 10), (100.0, 10)] {
            let set =
                update(&stage, json!({"taskSet": set, "scale": {"value": value, "unit": "PERCENT"}})).await.unwrap();
            assert_eq!(set["computedDesiredCount"], count, "{value}");
            assert_eq!(set["scale"], json!({"value": value, "unit": "PERCENT"}));
        }
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_is_no_share_is_refused() {
        let (stage, set) = Stage::with_task_set(10).await;
        let invalid = "InvalidParameterException";
        for (input, code) in [
            (json!({"taskSet": set}), invalid),
            (json!({"taskSet": set, "scale": {"unit": "PERCENT"}}), invalid),
            (json!({"taskSet": set, "scale": {"value": 100.1}}), invalid),
            (json!({"taskSet": set, "scale": {"value": -1.0}}), invalid),
            (json!({"taskSet": set, "scale": {"value": 1.0, "unit": "TASKS"}}), invalid),
            (json!({"taskSet": "web", "scale": {"value": 1.0}}), invalid),
            (json!({"taskSet": "ecs-svc/1", "scale": {"value": 1.0}}), "TaskSetNotFoundException"),
            (json!({"taskSet": set, "service": "other", "scale": {"value": 1.0}}), "ServiceNotFoundException"),
            (json!({"taskSet": set, "cluster": "other", "scale": {"value": 1.0}}), "ClusterNotFoundException"),
        ] {
            assert_eq!(update(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
    }
}
