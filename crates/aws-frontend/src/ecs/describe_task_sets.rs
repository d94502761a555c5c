//! DescribeTaskSets: the task sets of a service, those named or all, each found or reported MISSING; all from one snapshot.

use super::service::task_sets;
use super::task::{Tags, reference};
use super::{arn, errors};
use crate::context::Context;
use aws_api::ecs::{DescribeTaskSetsInput, DescribeTaskSetsOutput, Failure};
use aws_protocol::ServiceError;
use model::ecs::{Service, TaskSet};
use model::snapshot::Versioned;

pub(crate) async fn describe_task_sets(
    context: Context,
    input: DescribeTaskSetsInput,
) -> Result<DescribeTaskSetsOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let tags = if input.include.unwrap_or_default().is_empty() { Tags::Hidden } else { Tags::Shown };
    let snapshot = context.records().current();
    let cluster = reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?;
    let service = task_sets::service(&snapshot, &cluster.id, input.service.as_deref())?;
    let references = input.task_sets.unwrap_or_default();
    let (mut found, mut failures): (Vec<&Versioned<TaskSet>>, _) = (Vec::new(), Vec::new());
    for reference in &references {
        let id = task_sets::id(&service.id, reference)?;
        match task_sets::find(&snapshot, service, id) {
            Some(set) => found.push(set),
            None => failures.push(missing(service, id)),
        }
    }
    if references.is_empty() {
        found.extend(task_sets::of_service(&snapshot, service));
        found.sort_by_key(|set| (set.created_at, set.id.clone()));
    }
    let shown = found.into_iter().map(|set| task_sets::one(&snapshot, service, set, tags)).collect();
    Ok(DescribeTaskSetsOutput { task_sets: Some(shown), failures: Some(failures) })
}

fn missing(service: &Service, id: &str) -> Failure {
    Failure { arn: Some(arn::task_set(&service.id, id)), reason: Some("MISSING".to_owned()), detail: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, json, pairs};
    use serde_json::{Value, json};

    async fn describe(stage: &Stage, more: Value) -> Result<DescribeTaskSetsOutput, ServiceError> {
        let mut input = json!({"cluster": "default", "service": "web"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        describe_task_sets(stage.context.clone(), json(input)).await
    }

    fn arns(answer: &DescribeTaskSetsOutput) -> Vec<&str> {
        answer.task_sets.iter().flatten().map(|set| set.task_set_arn.as_deref().unwrap()).collect()
    }

    #[tokio::test]
    async fn those_named_or_all_are_shown_and_the_rest_is_missing() {
        let (stage, first) = Stage::with_task_set(2).await;
        let second = stage.create_task_set(json!({"taskDefinition": "web:2"})).await.unwrap();
        let (id, second) = (second.id.unwrap(), second.task_set_arn.unwrap());
        let mut all = describe(&stage, json!({})).await.unwrap();
        all.task_sets.as_mut().unwrap().sort_by_key(|set| set.task_set_arn.as_ref() != Some(&first));
        assert_eq!(arns(&all), [&first, &second]);
        let some = describe(&stage, json!({"taskSets": [id, "ecs-svc/1", first]})).await.unwrap();
        assert_eq!(arns(&some), [&second, &first]);
        let failure = some.failures.unwrap().remove(0);
        assert_eq!(failure.reason.as_deref(), Some("MISSING"));
        assert!(failure.arn.unwrap().ends_with(":task-set/default/web/ecs-svc/1"));
    }

    #[tokio::test]
    async fn tags_are_shown_on_request() {
        let (stage, _) = Stage::with_task_set(2).await;
        let hidden = describe(&stage, json!({})).await.unwrap().task_sets.unwrap().remove(0);
        assert_eq!(hidden.tags, None);
        let shown = describe(&stage, json!({"include": ["TAGS"]})).await.unwrap().task_sets.unwrap().remove(0);
        assert_eq!(pairs(shown.tags), [("of".to_owned(), "set".to_owned())].into());
    }

    #[tokio::test]
    async fn what_has_no_task_sets_is_refused() {
        let (stage, _) = Stage::with_task_set(0).await;
        let input = json!({"serviceName": "rolling", "taskDefinition": "web", "desiredCount": 0});
        stage.create_service(input).await.unwrap();
        for (input, code) in [
            (json!({"service": "rolling"}), "InvalidParameterException"),
            (json!({"service": "nobody"}), "ServiceNotFoundException"),
            (json!({"cluster": "nowhere"}), "ClusterNotFoundException"),
            (json!({"taskSets": ["web"]}), "InvalidParameterException"),
            (json!({"include": ["ALL"]}), "InvalidParameterException"),
        ] {
            assert_eq!(describe(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
        stage.delete_service(json!({"service": "web", "force": true})).await.unwrap();
        assert_eq!(describe(&stage, json!({})).await.unwrap_err().code, "ServiceNotActiveException");
    }
}
