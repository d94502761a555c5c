//! DescribeServices: up to 10 services of a cluster, each found or reported MISSING; all from one snapshot.

use super::service::{self, show};
use super::task::{Tags, reference};
use super::{arn, errors};
use crate::context::Context;
use aws_api::ecs::{DescribeServicesInput, DescribeServicesOutput, Failure};
use aws_protocol::ServiceError;
use model::{ClusterId, ServiceId};

/// ECS API.
const SERVICES_MAX: usize = 10;

pub(crate) async fn describe_services(
    context: Context,
    input: DescribeServicesInput,
) -> Result<DescribeServicesOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let references = input.services.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Services cannot be empty."));
    }
    if references.len() > SERVICES_MAX {
        return Err(errors::invalid_parameter(format!("services can have at most {SERVICES_MAX} items.")));
    }
    let tags = if input.include.unwrap_or_default().is_empty() { Tags::Hidden } else { Tags::Shown };
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let (mut services, mut failures) = (Vec::with_capacity(references.len()), Vec::new());
    for reference in references {
        match service::find(&snapshot, cluster, &reference) {
            Some(found) => services.push(show::service(&snapshot, found, tags)),
            None => failures.push(missing(cluster, reference)),
        }
    }
    Ok(DescribeServicesOutput { services: Some(services), failures: Some(failures) })
}

/// A failure names an ARN even if the request did not.
fn missing(cluster: &ClusterId, reference: String) -> Failure {
    let arn = if reference.starts_with("arn:") {
        reference
    } else {
        arn::service(&ServiceId { cluster: cluster.clone(), name: reference.as_str().into() })
    };
    Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, json};
    use serde_json::{Value, json};

    async fn stage() -> Stage {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        for name in ["a", "b"] {
            let input = json!({"serviceName": name, "taskDefinition": "web", "desiredCount": 1,
                "tags": [{"key": "name", "value": name}]});
            stage.create_service(input).await.unwrap();
        }
        stage
    }

    async fn describe(stage: &Stage, input: Value) -> Result<DescribeServicesOutput, ServiceError> {
        describe_services(stage.context.clone(), json(input)).await
    }

    #[tokio::test]
    async fn what_is_there_is_shown_and_the_rest_is_missing() {
        let stage = stage().await;
        let arn = "arn:aws:ecs:us-east-1:000000000000:service/other/a";
        let answer = describe(&stage, json!({"services": ["b", "c", "a", arn]})).await.unwrap();
        let names: Vec<_> = answer.services.unwrap().into_iter().map(|service| service.service_name.unwrap()).collect();
        assert_eq!(names, ["b", "a"]);
        let failures = answer.failures.unwrap();
        assert!(failures.iter().all(|failure| failure.reason.as_deref() == Some("MISSING")));
        let arns: Vec<_> = failures.iter().map(|failure| failure.arn.as_deref().unwrap()).collect();
        assert_eq!(arns, ["arn:aws:ecs:us-east-1:000000000000:service/default/c", arn]);
    }

    #[tokio::test]
    async fn tags_are_shown_on_request() {
        let stage = stage().await;
        let tags = |answer: DescribeServicesOutput| answer.services.unwrap().remove(0).tags;
        assert_eq!(tags(describe(&stage, json!({"services": ["a"]})).await.unwrap()), None);
        let shown = tags(describe(&stage, json!({"services": ["a"], "include": ["TAGS"]})).await.unwrap());
        assert_eq!(shown.unwrap()[0].value.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn none_too_many_and_a_cluster_that_is_not_there_are_refused() {
        let stage = stage().await;
        for (input, code, sentence) in [
            (json!({"services": []}), "InvalidParameterException", "Services cannot be empty."),
            (json!({"services": vec!["a"; 11]}), "InvalidParameterException", "at most 10"),
            (json!({"services": ["a"], "include": ["ALL"]}), "InvalidParameterException", "include"),
            (json!({"services": ["a"], "cluster": "nowhere"}), "ClusterNotFoundException", "Cluster not found."),
        ] {
            let error = describe(&stage, input.clone()).await.unwrap_err();
            assert_eq!(error.code, code, "{input}");
            assert!(error.message.contains(sentence), "{error}");
        }
    }
}
