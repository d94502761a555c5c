//! ListServices: the ARNs of a cluster's active services by launch type, scheduling strategy and management, in pages.

use super::service;
use super::task::{launch, reference};
use super::{arn, errors};
use crate::context::Context;
use crate::page;
use aws_api::ecs::values::resource_management_type;
use aws_api::ecs::{ListServicesInput, ListServicesOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::Service;

/// ECS API.
const PAGE: i32 = 10;
const PAGE_MAX: i32 = 100;

pub(crate) async fn list_services(
    context: Context,
    input: ListServicesInput,
) -> Result<ListServicesOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let limit = input.max_results.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let filters = [&input.launch_type, &input.scheduling_strategy, &input.resource_management_type].map(part);
    let scope = format!("ListServices/{}/{}", cluster.name, filters.join("/"));
    let listed = service::of_cluster(&snapshot, cluster).filter(|service| admits(&snapshot, service, &input));
    let arns = listed.map(|service| arn::service(&service.id));
    let page = page::cut(&scope, arns, Clone::clone, input.next_token.as_deref(), limit as usize)
        .map_err(|_| errors::bad_token())?;
    Ok(ListServicesOutput { service_arns: Some(page.items), next_token: page.next_token })
}

/// A service runs on a launch type also where capacity providers of its kind stand for it.
fn admits(snapshot: &Snapshot, service: &Service, input: &ListServicesInput) -> bool {
    let runs_on = || service::revision(snapshot, service).map(|revision| launch(revision.launch_type));
    let scheduling = input.scheduling_strategy.as_deref().and_then(service::value);
    let management = input.resource_management_type.as_deref();
    service.deleted_at.is_none()
        && scheduling.is_none_or(|wanted| service.scheduling == wanted)
        && input.launch_type.as_deref().is_none_or(|wanted| runs_on() == Some(wanted))
        // ECS manages none: there are no Express services.
        && management.is_none_or(|wanted| wanted == resource_management_type::CUSTOMER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, awsvpc, json};
    use serde_json::{Value, json};

    async fn list(stage: &Stage, input: Value) -> Result<ListServicesOutput, ServiceError> {
        list_services(stage.context.clone(), json(input)).await
    }

    async fn names(stage: &Stage, input: Value) -> Vec<String> {
        let arns = list(stage, input).await.unwrap().service_arns.unwrap();
        arns.into_iter().map(|arn| arn.rsplit('/').next().unwrap().to_owned()).collect()
    }

    async fn stage() -> Stage {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        stage.register(awsvpc("vpc")).await;
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
        for input in [
            json!({"serviceName": "plain", "taskDefinition": "web", "desiredCount": 0}),
            json!({"serviceName": "each", "taskDefinition": "web", "schedulingStrategy": "DAEMON"}),
            json!({"serviceName": "vpc", "taskDefinition": "vpc", "desiredCount": 0, "launchType": "FARGATE",
                "networkConfiguration": network}),
            json!({"serviceName": "sets", "deploymentController": {"type": "EXTERNAL"}}),
        ] {
            stage.create_service(input).await.unwrap();
        }
        stage
    }

    #[tokio::test]
    async fn each_filter_lists_what_it_says() {
        let stage = stage().await;
        for (input, expected) in [
            (json!({}), vec!["each", "plain", "sets", "vpc"]),
            (json!({"launchType": "EC2"}), vec!["each", "plain"]),
            (json!({"launchType": "FARGATE"}), vec!["vpc"]),
            (json!({"launchType": "EXTERNAL"}), vec![]),
            (json!({"schedulingStrategy": "DAEMON"}), vec!["each"]),
            (json!({"schedulingStrategy": "REPLICA", "launchType": "EC2"}), vec!["plain"]),
            (json!({"resourceManagementType": "CUSTOMER"}), vec!["each", "plain", "sets", "vpc"]),
            (json!({"resourceManagementType": "ECS"}), vec![]),
        ] {
            assert_eq!(names(&stage, input.clone()).await, expected, "{input}");
        }
    }

    #[tokio::test]
    async fn a_deleted_service_is_not_listed() {
        let stage = stage().await;
        stage.delete_service(json!({"service": "plain"})).await.unwrap();
        assert_eq!(names(&stage, json!({})).await, ["each", "sets", "vpc"]);
    }

    #[tokio::test]
    async fn ten_are_a_page_and_pages_join_to_the_whole_list() {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        for n in 0..12 {
            let input = json!({"serviceName": format!("s{n:02}"), "taskDefinition": "web", "desiredCount": 0});
            stage.create_service(input).await.unwrap();
        }
        let first = list(&stage, json!({})).await.unwrap();
        assert_eq!(first.service_arns.unwrap().len(), 10);
        let token = first.next_token.unwrap();
        assert_eq!(names(&stage, json!({"nextToken": token})).await, ["s10", "s11"]);
        let error = list(&stage, json!({"nextToken": token, "launchType": "EC2"})).await.unwrap_err();
        assert!(error.message.contains("Invalid token"), "{error}");
        assert_eq!(names(&stage, json!({"maxResults": 100})).await.len(), 12);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_refused() {
        let stage = Stage::new().await;
        for (input, code) in [
            (json!({"cluster": "nowhere"}), "ClusterNotFoundException"),
            (json!({"maxResults": 0}), "InvalidParameterException"),
            (json!({"maxResults": 101}), "InvalidParameterException"),
            (json!({"launchType": "MOON"}), "InvalidParameterException"),
            (json!({"nextToken": "x"}), "InvalidParameterException"),
        ] {
            assert_eq!(list(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
    }
}
