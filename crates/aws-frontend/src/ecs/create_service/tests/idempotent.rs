//! The same call again, with and without a token, and another call for the same name.

use super::{stage, web};
use crate::testing::NOW;
use model::ecs::{Service, ServiceState};
use serde_json::json;

const OTHER: (&str, &str) = ("InvalidParameterException", "Creation of service was not idempotent.");

#[tokio::test]
async fn the_same_call_answers_the_service_that_is_there() {
    let stage = stage().await;
    let first = stage.create_service(web(json!({}))).await.unwrap();
    assert_eq!(stage.create_service(web(json!({}))).await.unwrap(), first);
    assert_eq!(stage.context.records().current().deployments.len(), 1);
}

#[tokio::test]
async fn another_call_for_the_name_is_refused() {
    let stage = stage().await;
    stage.create_service(web(json!({}))).await.unwrap();
    for more in [
        json!({"desiredCount": 3}),
        json!({"placementConstraints": [{"type": "distinctInstance"}]}),
        json!({"tags": [{"key": "a", "value": "1"}]}),
        json!({"taskDefinition": "vpc", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}}),
    ] {
        let error = stage.create_service(web(more)).await.unwrap_err();
        assert_eq!((&*error.code, error.message.as_str()), OTHER);
    }
}

#[tokio::test]
async fn a_token_stands_for_its_call_even_when_the_service_has_changed_since() {
    let stage = stage().await;
    let call = || web(json!({"clientToken": "t"}));
    let first = stage.create_service(call()).await.unwrap();
    let seen = stage.stored_service("web");
    stage
        .write(|_, draft| {
            draft.update(&seen.id, &seen, &Service { desired_count: 7, ..(*seen.value).clone() });
        })
        .await;
    let again = stage.create_service(call()).await.unwrap();
    assert_eq!((again.service_arn, again.desired_count), (first.service_arn, Some(7)));
    for more in [json!({"clientToken": "t", "desiredCount": 7}), json!({"clientToken": "t", "serviceName": "other"})] {
        let error = stage.create_service(web(more)).await.unwrap_err();
        assert_eq!((&*error.code, error.message.as_str()), OTHER);
    }
}

#[tokio::test]
async fn a_name_is_free_again_once_its_service_is_inactive_and_the_new_one_is_another() {
    let stage = stage().await;
    stage.create_service(web(json!({}))).await.unwrap();
    let seen = stage.stored_service("web");
    stage
        .write(|_, draft| {
            draft.update(&seen.id, &seen, &Service { deleted_at: Some(NOW), ..(*seen.value).clone() });
            let state = ServiceState { service_uid: seen.uid.clone(), inactive_since: Some(NOW), ..Default::default() };
            draft.create(&seen.id, &state);
        })
        .await;
    assert_eq!(stage.service("web").await.status.as_deref(), Some("INACTIVE"));
    let created = stage.create_service(web(json!({"desiredCount": 1}))).await.unwrap();
    assert_eq!((created.status.as_deref(), created.desired_count), (Some("ACTIVE"), Some(1)));
    assert_eq!(created.deployments.unwrap().len(), 1, "the old one's state is nobody's");
    assert_ne!(stage.stored_service("web").uid, seen.uid);
}
