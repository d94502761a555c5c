//! TagResource, UntagResource and ListTagsForResource on every kind of resource.

use crate::context::Context;
use crate::ecs::delete_cluster::delete_cluster;
use crate::ecs::deregister_container_instance::deregister_container_instance;
use crate::ecs::list_tags_for_resource::list_tags_for_resource;
use crate::ecs::tag_resource::tag_resource;
use crate::ecs::untag_resource::untag_resource;
use crate::ecs::{arn, instance};
use crate::testing;
use crate::testing::stage::{Stage, json, pairs};
use aws_protocol::ServiceError;
use model::NodeId;
use model::unit::{Lifecycle, Observed};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const INVALID: &str = "InvalidParameterException";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/default";

async fn tag(context: &Context, arn: &str, tags: Value) -> Result<(), ServiceError> {
    tag_resource(context.clone(), json(json!({ "resourceArn": arn, "tags": tags }))).await.map(drop)
}

async fn untag(context: &Context, arn: &str, keys: Value) -> Result<(), ServiceError> {
    untag_resource(context.clone(), json(json!({ "resourceArn": arn, "tagKeys": keys }))).await.map(drop)
}

async fn tags(context: &Context, arn: &str) -> Result<BTreeMap<String, String>, ServiceError> {
    let input = json(json!({ "resourceArn": arn }));
    list_tags_for_resource(context.clone(), input).await.map(|answer| pairs(answer.tags))
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

fn instance_arn(stage: &Stage) -> String {
    let cluster = stage.cluster("default");
    arn::container_instance(&cluster, &instance::instance_id(&cluster, &NodeId::new("n1")))
}

#[tokio::test]
async fn every_kind_of_resource_is_tagged_replaced_listed_and_untagged() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await.task_arn.unwrap();
    let definition = "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1".to_owned();
    let service = json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 0 });
    let service = stage.create_service(service).await.unwrap().service_arn.unwrap();
    let external = json!({ "serviceName": "sets", "deploymentController": { "type": "EXTERNAL" } });
    stage.create_service(external).await.unwrap();
    let set = stage.create_task_set(json!({ "service": "sets", "taskDefinition": "web" })).await.unwrap();
    let set = set.task_set_arn.unwrap();
    for arn in [CLUSTER.to_owned(), task, definition, service, set, instance_arn(&stage)] {
        tag(&stage.context, &arn, json!([{ "key": "a", "value": "1" }, { "key": "b", "value": "2" }])).await.unwrap();
        tag(&stage.context, &arn, json!([{ "key": "b", "value": "3" }])).await.unwrap();
        let expected = [("a", "1"), ("b", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(tags(&stage.context, &arn).await.unwrap(), expected.into(), "{arn}");
        untag(&stage.context, &arn, json!(["a", "none"])).await.unwrap();
        assert_eq!(tags(&stage.context, &arn).await.unwrap().into_keys().collect::<Vec<_>>(), ["b"], "{arn}");
    }
}

#[tokio::test]
async fn tagging_a_task_leaves_the_rest_of_its_record() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let before = stage.unit(&task);
    tag(&stage.context, task.task_arn.as_deref().unwrap(), json!([{ "key": "a", "value": "1" }])).await.unwrap();
    let after = stage.unit(&task);
    assert_eq!(
        (&after.placement, &after.observed, &after.intent),
        (&before.placement, &before.observed, &before.intent)
    );
    assert_eq!(crate::ecs::task::face(&after).containers, crate::ecs::task::face(&before).containers);
}

#[tokio::test]
async fn bad_tags_are_refused() {
    let stage = Stage::new().await;
    let many: Vec<Value> = (0..51).map(|n| json!({ "key": format!("k{n}"), "value": "" })).collect();
    for (tags, sentence) in [
        (json!([]), "tags can not be empty"),
        (json!([{ "key": "aws:x", "value": "1" }]), "begins with 'aws:'"),
        (json!([{ "value": "1" }]), "should not be null or empty"),
        (json!([{ "key": "a" }, { "key": "a" }]), "Duplicate tag key 'a'"),
        (json!(many), "at most 50 tags, not 51"),
    ] {
        refused(tag(&stage.context, CLUSTER, tags).await, INVALID, sentence);
    }
    tag(&stage.context, CLUSTER, json!(many[..50])).await.unwrap();
    refused(tag(&stage.context, CLUSTER, json!([{ "key": "more" }])).await, INVALID, "at most 50 tags, not 51");
    tag(&stage.context, CLUSTER, json!([{ "key": "k0", "value": "again" }])).await.unwrap();
    refused(untag(&stage.context, CLUSTER, json!([])).await, INVALID, "tagKeys can not be empty");
    refused(untag(&stage.context, CLUSTER, json!(["aws:ecs:clusterName"])).await, INVALID, "begins with 'aws:'");
}

#[tokio::test]
async fn what_is_no_resource_here_is_refused_with_its_class() {
    let stage = Stage::new().await;
    let here = |resource: &str| format!("arn:aws:ecs:us-east-1:000000000000:{resource}");
    for (arn, code, sentence) in [
        ("default".to_owned(), INVALID, "Invalid ARN: 'default'"),
        (String::new(), INVALID, "Invalid ARN"),
        (here("cluster"), INVALID, "Invalid ARN"),
        (here("boat/x"), INVALID, "Invalid ARN"),
        ("arn:aws:ecs:eu-west-1:000000000000:cluster/default".to_owned(), INVALID, "Invalid ARN"),
        ("arn:aws:s3:us-east-1:000000000000:cluster/default".to_owned(), INVALID, "Invalid ARN"),
        (here("task/0123"), INVALID, "Long arn format must be used for tagging operations"),
        (here("service/web"), INVALID, "Long arn format must be used for tagging operations"),
        (here("cluster/none"), "ClusterNotFoundException", "Cluster not found."),
        (here("task/default/0123"), "ResourceNotFoundException", "not found"),
        (here("task-definition/web:9"), "ResourceNotFoundException", "not found"),
        (here("task-definition/web"), "ResourceNotFoundException", "not found"),
        (here("container-instance/default/0123"), "ResourceNotFoundException", "not found"),
        (here("container-instance/none/0123"), "ClusterNotFoundException", "Cluster not found."),
        (here("service/default/web"), "ResourceNotFoundException", "not found"),
        (here("capacity-provider/x"), "ResourceNotFoundException", "not found"),
    ] {
        refused(tags(&stage.context, &arn).await, code, sentence);
        refused(tag(&stage.context, &arn, json!([{ "key": "a" }])).await, code, sentence);
        refused(untag(&stage.context, &arn, json!(["a"])).await, code, sentence);
    }
}

#[tokio::test]
async fn what_is_over_is_not_tagged_any_more() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let arn = task.task_arn.clone().unwrap();
    let stopped = Observed { lifecycle: Lifecycle::Stopped, stopped_at: Some(testing::NOW), ..Default::default() };
    stage.observe(&task, stopped).await;
    refused(tag(&stage.context, &arn, json!([{ "key": "a" }])).await, INVALID, "The specified task is stopped.");
    assert!(tags(&stage.context, &arn).await.unwrap().is_empty());
    let service = json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 0 });
    let service = stage.create_service(service).await.unwrap().service_arn.unwrap();
    stage.delete_service(json!({ "service": "web" })).await.unwrap();
    refused(
        tag(&stage.context, &service, json!([{ "key": "a" }])).await,
        INVALID,
        "The specified service is inactive.",
    );
    assert!(tags(&stage.context, &service).await.unwrap().is_empty());
    let instance = instance_arn(&stage);
    deregister_container_instance(stage.context.clone(), json(json!({ "containerInstance": instance }))).await.unwrap();
    refused(tag(&stage.context, &instance, json!([{ "key": "a" }])).await, INVALID, "container instance is inactive");
    delete_cluster(stage.context.clone(), json(json!({ "cluster": "default" }))).await.unwrap();
    let sentence = "The specified cluster is inactive. Specify an active cluster and try again.";
    refused(tag(&stage.context, CLUSTER, json!([{ "key": "a" }])).await, INVALID, sentence);
    refused(tags(&stage.context, CLUSTER).await, INVALID, sentence);
}
