//! UpdateServicePrimaryTaskSet: which task set's settings stand for its service's.

use super::service::task_sets;
use super::task::{Tags, reference};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{UpdateServicePrimaryTaskSetInput, UpdateServicePrimaryTaskSetOutput};
use aws_protocol::ServiceError;
use model::ecs::{Service, TaskSet};
use std::sync::Arc;

pub(crate) async fn update_service_primary_task_set(
    context: Context,
    input: UpdateServicePrimaryTaskSetInput,
) -> Result<UpdateServicePrimaryTaskSetOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let ((service, set), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let service = task_sets::service(snapshot, &cluster.id, input.service.as_deref())?;
        let seen = task_sets::active(snapshot, service, input.primary_task_set.as_deref())?;
        if service.primary_task_set.as_ref() == Some(&seen.id) {
            return Ok((service.value.clone(), (*seen.value).clone()));
        }
        let changed = Service { primary_task_set: Some(seen.id.clone()), ..(*service.value).clone() };
        let set = TaskSet { updated_at: context.now(), ..(*seen.value).clone() };
        draft.update(&service.id, service, &changed);
        draft.update(&(service.id.clone(), seen.id.clone()), seen, &set);
        Ok((Arc::new(changed), set))
    })
    .await?;
    Ok(UpdateServicePrimaryTaskSetOutput { task_set: Some(task_sets::one(&snapshot, &service, &set, Tags::Shown)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, json};
    use serde_json::json;

    async fn primary(stage: &Stage, set: &str) -> Result<UpdateServicePrimaryTaskSetOutput, ServiceError> {
        let input = json!({"cluster": "default", "service": "web", "primaryTaskSet": set});
        update_service_primary_task_set(stage.context.clone(), json(input)).await
    }

    #[tokio::test]
    async fn one_is_primary_at_a_time_and_its_definition_is_the_services() {
        let (stage, first) = Stage::with_task_set(2).await;
        let second = stage.create_task_set(json!({"taskDefinition": "web:2"})).await.unwrap();
        let second = second.task_set_arn.unwrap();
        for (set, definition, statuses) in
            [(&first, "web:1", ["PRIMARY", "ACTIVE"]), (&second, "web:2", ["ACTIVE", "PRIMARY"])]
        {
            let answer = primary(&stage, set).await.unwrap().task_set.unwrap();
            assert_eq!(answer.status.as_deref(), Some("PRIMARY"));
            let service = stage.service("web").await;
            assert!(service.task_definition.unwrap().ends_with(definition));
            let mut shown = service.task_sets.unwrap();
            shown.sort_by_key(|shown| shown.task_set_arn.as_ref() != Some(&first));
            assert_eq!(shown.iter().map(|set| set.status.as_deref().unwrap()).collect::<Vec<_>>(), statuses);
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_drains_is_refused() {
        let (stage, set) = Stage::with_task_set(2).await;
        assert_eq!(primary(&stage, "ecs-svc/12").await.unwrap_err().code, "TaskSetNotFoundException");
        assert_eq!(primary(&stage, "12").await.unwrap_err().code, "InvalidParameterException");
        stage.take_up_task_sets("web").await;
        let input = json!({"cluster": "default", "service": "web", "taskSet": set, "force": true});
        crate::ecs::delete_task_set::delete_task_set(stage.context.clone(), json(input)).await.unwrap();
        let error = primary(&stage, &set).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains("DRAINING"), "{error}");
    }
}
