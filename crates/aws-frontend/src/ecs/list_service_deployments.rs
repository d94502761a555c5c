//! ListServiceDeployments: the deployments of a service by status and time, the newest first, in pages.

use super::errors;
use super::service::{self, rollout};
use super::task::reference;
use crate::context::Context;
use crate::page;
use aws_api::ecs::{CreatedAt, ListServiceDeploymentsInput, ListServiceDeploymentsOutput};
use aws_api::schema;
use aws_protocol::ServiceError;
use model::Timestamp;
use model::ecs::Deployment;
use model::ecs::deployment::DeploymentStatus;
use std::cmp::Reverse;
use std::sync::Arc;

/// ECS API.
const PAGE: i32 = 20;
const PAGE_MAX: i32 = 100;

pub(crate) async fn list_service_deployments(
    context: Context,
    input: ListServiceDeploymentsInput,
) -> Result<ListServiceDeploymentsOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let limit = input.max_results.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let service = service::named(&snapshot, cluster, input.service.as_deref())?;
    let wanted: Vec<DeploymentStatus> =
        input.status.iter().flatten().filter_map(|status| service::value(status)).collect();
    let of_service = (service.id.clone(), Arc::from(""));
    let all = snapshot.deployments.range(of_service..).take_while(|((of, _), _)| *of == service.id);
    let mut listed: Vec<&Deployment> = all
        .map(|(_, deployment)| &*deployment.value)
        .filter(|deployment| deployment.service_uid == service.uid)
        .filter(|deployment| wanted.is_empty() || wanted.contains(&rollout::status(&snapshot, deployment)))
        .filter(|deployment| input.created_at.as_ref().is_none_or(|range| is_within(range, deployment.created_at)))
        .collect();
    listed.sort_by_key(|deployment| (Reverse(deployment.created_at), deployment.id.clone()));
    // Newer ones that come between two pages do not move what is listed.
    let key =
        |deployment: &&Deployment| format!("{:020}/{}", u64::MAX - deployment.created_at.unix_ms(), deployment.id);
    let scope = scope(&input, cluster, &service.id.name);
    let page =
        page::cut(&scope, listed, key, input.next_token.as_deref(), limit as usize).map_err(|_| errors::bad_token())?;
    Ok(ListServiceDeploymentsOutput {
        service_deployments: Some(page.items.iter().map(|deployment| rollout::brief(&snapshot, deployment)).collect()),
        next_token: page.next_token,
    })
}

/// What has to stay the same from page to page.
fn scope(input: &ListServiceDeploymentsInput, cluster: &model::ClusterId, service: &str) -> String {
    let statuses = input.status.clone().unwrap_or_default().join(",");
    let text = |at: Option<schema::Timestamp>| at.map(|at| at.as_millis().to_string()).unwrap_or_default();
    let range = input.created_at.as_ref().map(|range| format!("{}-{}", text(range.after), text(range.before)));
    format!("ListServiceDeployments/{}/{service}/{statuses}/{}", cluster.name, range.unwrap_or_default())
}

fn is_within(range: &CreatedAt, at: Timestamp) -> bool {
    let at = i64::try_from(at.unix_ms()).unwrap_or(i64::MAX);
    range.before.is_none_or(|before| at < before.as_millis()) && range.after.is_none_or(|after| at > after.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scheduler::later;
    use crate::testing::stage::{Stage, json};
    use crate::testing::{NOW, definition};
    use serde_json::{Value, json};

    async fn list(stage: &Stage, input: Value) -> Result<ListServiceDeploymentsOutput, ServiceError> {
        list_service_deployments(stage.context.clone(), json(input)).await
    }

    async fn statuses(stage: &Stage, input: Value) -> Vec<String> {
        let listed = list(stage, input).await.unwrap().service_deployments.unwrap();
        listed.into_iter().map(|deployment| deployment.status.unwrap()).collect()
    }

    /// Three deployments: one that has succeeded, one that was superseded before it began, one that nobody has begun.
    async fn stage() -> Stage {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
        stage.create_service(input).await.unwrap();
        stage.take_up("web").await;
        stage.complete("web").await;
        for minute in 1..3 {
            stage.update_service(json!({"service": "web", "forceNewDeployment": true})).await.unwrap();
            let id = stage.stored_service("web").deployment.clone().unwrap();
            stage
                .write(|snapshot, draft| {
                    let key = (stage.service_id("web"), id.clone());
                    let seen = snapshot.deployments.get(&key).unwrap();
                    let created_at = later(60_000 * minute);
                    draft.update(&key, seen, &Deployment { created_at, ..(*seen.value).clone() });
                })
                .await;
        }
        stage
    }

    #[tokio::test]
    async fn the_newest_comes_first_and_each_says_how_it_stands() {
        let stage = stage().await;
        let listed = list(&stage, json!({"service": "web"})).await.unwrap().service_deployments.unwrap();
        let words: Vec<_> = listed.iter().map(|deployment| deployment.status.as_deref().unwrap()).collect();
        assert_eq!(words, ["PENDING", "STOPPED", "SUCCESSFUL"]);
        let reasons: Vec<_> = listed.iter().map(|deployment| deployment.status_reason.as_deref()).collect();
        assert_eq!(reasons, [None, Some("Service deployment stopped because a newer one was started."), None]);
        let last = &listed[2];
        let millis = |at: Option<schema::Timestamp>| at.map(|at| at.as_millis() as u64);
        assert_eq!((millis(last.created_at), millis(last.started_at)), (Some(NOW.unix_ms()), Some(NOW.unix_ms())));
        assert_eq!(millis(last.finished_at), Some(NOW.unix_ms()));
        assert!(last.service_deployment_arn.as_deref().unwrap().contains(":service-deployment/default/web/"));
        assert!(last.target_service_revision_arn.as_deref().unwrap().contains(":service-revision/default/web/"));
        assert_eq!(listed[0].started_at, None);
    }

    #[tokio::test]
    async fn status_and_time_choose() {
        let stage = stage().await;
        let now = NOW.unix_ms() as f64 / 1000.0;
        for (more, expected) in [
            (json!({"status": ["SUCCESSFUL", "PENDING"]}), vec!["PENDING", "SUCCESSFUL"]),
            (json!({"status": ["ROLLBACK_FAILED"]}), vec![]),
            (json!({"createdAt": {"before": now + 60.0}}), vec!["SUCCESSFUL"]),
            (json!({"createdAt": {"after": now}}), vec!["PENDING", "STOPPED"]),
            (json!({"createdAt": {"after": now, "before": now + 120.0}}), vec!["STOPPED"]),
        ] {
            let mut input = more.clone();
            input["service"] = json!("web");
            assert_eq!(statuses(&stage, input).await, expected, "{more}");
        }
    }

    #[tokio::test]
    async fn pages_join_to_the_whole_list() {
        let stage = stage().await;
        let first = list(&stage, json!({"service": "web", "maxResults": 2})).await.unwrap();
        assert_eq!(first.service_deployments.unwrap().len(), 2);
        let rest = json!({"service": "web", "maxResults": 2, "nextToken": first.next_token});
        assert_eq!(statuses(&stage, rest).await, ["SUCCESSFUL"]);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_refused() {
        let stage = stage().await;
        for (input, code) in [
            (json!({"service": "other"}), "ServiceNotFoundException"),
            (json!({"service": "web", "cluster": "nowhere"}), "ClusterNotFoundException"),
            (json!({}), "InvalidParameterException"),
            (json!({"service": "web", "status": ["DONE"]}), "InvalidParameterException"),
            (json!({"service": "web", "maxResults": 101}), "InvalidParameterException"),
            (json!({"service": "web", "nextToken": "x"}), "InvalidParameterException"),
        ] {
            assert_eq!(list(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
    }
}
