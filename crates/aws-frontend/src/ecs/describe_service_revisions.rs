//! DescribeServiceRevisions: up to 20 revisions by ARN, each found or reported MISSING; all from one snapshot.

use super::errors;
use super::service::{rollout, show};
use crate::context::Context;
use aws_api::ecs::{DescribeServiceRevisionsInput, DescribeServiceRevisionsOutput, Failure};
use aws_protocol::ServiceError;

/// ECS API.
const ARNS_MAX: usize = 20;

pub(crate) async fn describe_service_revisions(
    context: Context,
    input: DescribeServiceRevisionsInput,
) -> Result<DescribeServiceRevisionsOutput, ServiceError> {
    let arns = input.service_revision_arns.unwrap_or_default();
    if arns.is_empty() || arns.len() > ARNS_MAX {
        return Err(errors::invalid_parameter(format!(
            "serviceRevisionArns must have from 1 to {ARNS_MAX} items, not {}.",
            arns.len()
        )));
    }
    let snapshot = context.records().current();
    let (mut found, mut failures) = (Vec::with_capacity(arns.len()), Vec::new());
    for arn in arns {
        let key = rollout::key(context.scope(), "service-revision", &arn);
        match key.and_then(|key| snapshot.service_revisions.get(&key)) {
            Some(revision) => found.push(show::revision(revision)),
            None => failures.push(Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }),
        }
    }
    Ok(DescribeServiceRevisionsOutput { service_revisions: Some(found), failures: Some(failures) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, awsvpc, json};
    use model::ecs::ServiceRevision;
    use model::ecs::service::ResolvedImage;
    use serde_json::{Value, json};

    async fn describe(stage: &Stage, arns: Value) -> Result<DescribeServiceRevisionsOutput, ServiceError> {
        describe_service_revisions(stage.context.clone(), json(json!({"serviceRevisionArns": arns}))).await
    }

    #[tokio::test]
    async fn a_revision_says_what_its_tasks_are_made_of() {
        let stage = Stage::new().await;
        stage.register(awsvpc("vpc")).await;
        let input = json!({"serviceName": "web", "taskDefinition": "vpc", "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}});
        let service = stage.create_service(input).await.unwrap();
        let arn = service.current_service_revisions.unwrap().remove(0).arn.unwrap();
        stage
            .write(|snapshot, draft| {
                let (key, seen) = snapshot.service_revisions.iter().next().unwrap();
                let image =
                    ResolvedImage { container: "app".into(), image: "app:1".into(), digest: "sha256:00".into() };
                draft.update(key, seen, &ServiceRevision { images: vec![image], ..(*seen.value).clone() });
            })
            .await;
        let missing = arn.replace("/web/", "/other/");
        let answer = describe(&stage, json!([arn, missing])).await.unwrap();
        let mut shown = serde_json::to_value(answer.service_revisions.unwrap().remove(0)).unwrap();
        shown.as_object_mut().unwrap().remove("createdAt").unwrap();
        let expected = json!({
            "serviceRevisionArn": arn,
            "serviceArn": "arn:aws:ecs:us-east-1:000000000000:service/default/web",
            "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
            "taskDefinition": "arn:aws:ecs:us-east-1:000000000000:task-definition/vpc:1",
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": {"awsvpcConfiguration":
                {"subnets": ["subnet-a"], "securityGroups": [], "assignPublicIp": "DISABLED"}},
            "containerImages": [{"containerName": "app", "image": "app:1", "imageDigest": "sha256:00"}],
            "guardDutyEnabled": false,
        });
        assert_eq!(shown, expected);
        let failure = answer.failures.unwrap().remove(0);
        assert_eq!((failure.arn, failure.reason.as_deref()), (Some(missing), Some("MISSING")));
    }

    #[tokio::test]
    async fn none_and_too_many_are_refused() {
        let stage = Stage::new().await;
        for arns in [json!([]), json!(vec!["a"; 21])] {
            let error = describe(&stage, arns).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
            assert!(error.message.contains("from 1 to 20"), "{error}");
        }
    }
}
