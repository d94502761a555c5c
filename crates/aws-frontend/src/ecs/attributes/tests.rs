//! PutAttributes, DeleteAttributes and ListAttributes, over a stage with the node `n1`.

use crate::ecs::delete_attributes::delete_attributes;
use crate::ecs::deregister_container_instance::deregister_container_instance;
use crate::ecs::list_attributes::list_attributes;
use crate::ecs::put_attributes::put_attributes;
use crate::ecs::{arn, instance};
use crate::testing::stage::{Stage, json};
use aws_api::ecs::Attribute;
use aws_protocol::ServiceError;
use model::NodeId;
use serde_json::{Value, json};

const INVALID: &str = "InvalidParameterException";

fn target(stage: &Stage) -> String {
    let cluster = stage.cluster("default");
    arn::container_instance(&cluster, &instance::instance_id(&cluster, &NodeId::new("n1")))
}

async fn put(stage: &Stage, attributes: Value) -> Result<Vec<Attribute>, ServiceError> {
    let input = json(json!({ "attributes": attributes }));
    put_attributes(stage.context.clone(), input).await.map(|answer| answer.attributes.unwrap())
}

async fn delete(stage: &Stage, attributes: Value) -> Result<Vec<Attribute>, ServiceError> {
    let input = json(json!({ "attributes": attributes }));
    delete_attributes(stage.context.clone(), input).await.map(|answer| answer.attributes.unwrap())
}

/// Names with values, as ListAttributes has them.
async fn list(stage: &Stage, mut input: Value) -> Vec<(String, Option<String>)> {
    input["targetType"] = "container-instance".into();
    let answer = list_attributes(stage.context.clone(), json(input)).await.unwrap();
    answer.attributes.unwrap().into_iter().map(|a| (a.name.unwrap(), a.value)).collect()
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

#[tokio::test]
async fn an_attribute_is_put_replaced_listed_and_deleted() {
    let stage = Stage::new().await;
    let target = target(&stage);
    let answer = put(&stage, json!([{ "name": "stack", "value": "test", "targetId": target }])).await.unwrap();
    assert_eq!((answer[0].target_id.as_ref(), answer[0].value.as_deref()), (Some(&target), Some("test")));
    let id = target.rsplit('/').next().unwrap();
    let short = json!([{ "name": "stack", "value": "prod", "targetId": id, "targetType": "container-instance" }]);
    assert_eq!(put(&stage, short).await.unwrap()[0].target_id.as_ref(), Some(&target));
    assert_eq!(list(&stage, json!({ "attributeName": "stack" })).await, [("stack".into(), Some("prod".into()))]);
    let deleted = delete(&stage, json!([{ "name": "stack", "targetId": target }])).await.unwrap();
    assert_eq!(deleted[0].value.as_deref(), Some("prod"));
    assert_eq!(list(&stage, json!({ "attributeName": "stack" })).await, []);
}

#[tokio::test]
async fn deleting_with_another_value_or_what_is_not_there_takes_nothing_away() {
    let stage = Stage::new().await;
    let target = target(&stage);
    put(&stage, json!([{ "name": "stack", "value": "test", "targetId": target }])).await.unwrap();
    let other = json!([{ "name": "stack", "value": "prod", "targetId": target }, { "name": "no", "targetId": target }]);
    assert_eq!(delete(&stage, other).await.unwrap(), []);
    assert_eq!(list(&stage, json!({ "attributeName": "stack" })).await.len(), 1);
}

#[tokio::test]
async fn built_in_and_custom_attributes_are_listed_and_filtered_in_pages() {
    let stage = Stage::new().await;
    put(&stage, json!([{ "name": "stack", "value": "test", "targetId": target(&stage) }])).await.unwrap();
    let names: Vec<String> = list(&stage, json!({})).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ecs.availability-zone", "ecs.capability.task-eni", "ecs.cpu-architecture", "stack"]);
    assert_eq!(list(&stage, json!({ "attributeName": "stack", "attributeValue": "prod" })).await, []);
    assert_eq!(list(&stage, json!({ "attributeName": "stack", "attributeValue": "test" })).await.len(), 1);
    let first = json(json!({ "targetType": "container-instance", "maxResults": 3 }));
    let first = list_attributes(stage.context.clone(), first).await.unwrap();
    assert_eq!(first.attributes.unwrap()[0].target_type.as_deref(), Some("container-instance"));
    let rest = list(&stage, json!({ "maxResults": 3, "nextToken": first.next_token })).await;
    assert_eq!(rest, [("stack".to_owned(), Some("test".to_owned()))]);
}

#[tokio::test]
async fn bad_attributes_are_refused_and_nothing_is_changed() {
    let stage = Stage::new().await;
    let target = target(&stage);
    let one = |name: &str, value: &str| json!([{ "name": name, "value": value, "targetId": target }]);
    for (attributes, sentence) in [
        (json!([]), "from 1 to 10 items, not 0"),
        (json!(vec![json!({ "name": "a", "targetId": target }); 11]), "from 1 to 10 items, not 11"),
        (one("", "x"), "Invalid attribute name ''"),
        (one("a b", "x"), "Invalid attribute name 'a b'"),
        (one(&"a".repeat(129), "x"), "Invalid attribute name"),
        (one("a", ""), "Invalid value of the attribute a"),
        (one("a", " x"), "Invalid value of the attribute a"),
        (one("a", "x;y"), "Invalid value of the attribute a"),
        (one("a", &"x".repeat(129)), "Invalid value of the attribute a"),
        (one("ecs.os-type", "plan9"), "begin with 'ecs.' belong to the instance itself"),
        (one("com.amazonaws.ecs.capability.x", "x"), "belong to the instance itself"),
        (json!([{ "name": "a" }]), "needs a targetId"),
        (json!([{ "name": "a", "targetId": "0123" }]), "needs a targetType"),
        (
            json!([{ "name": "a", "targetId": "0123", "targetType": "task" }]),
            "targetType should be one of [container-instance]",
        ),
    ] {
        refused(put(&stage, attributes.clone()).await, INVALID, sentence);
        refused(delete(&stage, attributes).await, INVALID, sentence);
    }
    assert!(stage.context.records().current().memberships.is_empty());
}

#[tokio::test]
async fn an_unknown_or_deregistered_target_is_not_found() {
    let stage = Stage::new().await;
    let unknown = json!([{ "name": "a", "targetId": "0123", "targetType": "container-instance" }]);
    refused(put(&stage, unknown).await, "TargetNotFoundException", "The target 0123 was not found.");
    let target = target(&stage);
    let input = json(json!({ "containerInstance": target }));
    deregister_container_instance(stage.context.clone(), input).await.unwrap();
    let gone = json!([{ "name": "a", "targetId": target }]);
    refused(put(&stage, gone.clone()).await, "TargetNotFoundException", "was not found");
    refused(delete(&stage, gone).await, "TargetNotFoundException", "was not found");
    assert_eq!(list(&stage, json!({})).await, []);
}

#[tokio::test]
async fn the_eleventh_custom_attribute_of_an_instance_is_refused() {
    let stage = Stage::new().await;
    let target = target(&stage);
    let ten: Vec<Value> = (0..10).map(|n| json!({ "name": format!("a{n}"), "targetId": target })).collect();
    put(&stage, json!(ten)).await.unwrap();
    put(&stage, json!([{ "name": "a0", "value": "again", "targetId": target }])).await.unwrap();
    let eleventh = put(&stage, json!([{ "name": "b", "targetId": target }])).await;
    refused(eleventh, "AttributeLimitExceededException", "at most 10 custom attributes, not 11");
}

#[tokio::test]
async fn bad_listings_and_unknown_clusters_are_refused() {
    let stage = Stage::new().await;
    let kind = "container-instance";
    for (input, code, sentence) in [
        (json!({}), INVALID, "targetType should be one of [container-instance]"),
        (json!({ "targetType": "node" }), INVALID, "targetType should be one of [container-instance]"),
        (json!({ "targetType": kind, "attributeValue": "x" }), INVALID, "needs an attributeName"),
        (json!({ "targetType": kind, "maxResults": 0 }), INVALID, "maxResults must be between 1 and 100"),
        (json!({ "targetType": kind, "nextToken": "x" }), INVALID, "Invalid token"),
        (json!({ "targetType": kind, "cluster": "no" }), "ClusterNotFoundException", "Cluster not found."),
    ] {
        refused(list_attributes(stage.context.clone(), json(input)).await, code, sentence);
    }
}
