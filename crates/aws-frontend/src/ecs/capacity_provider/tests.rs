//! The operations on capacity providers, and what a cluster, a task and a service do to one.

use crate::context::Context;
use crate::ecs::create_capacity_provider::create_capacity_provider;
use crate::ecs::delete_capacity_provider::delete_capacity_provider;
use crate::ecs::delete_cluster::delete_cluster;
use crate::ecs::describe_capacity_providers::describe_capacity_providers;
use crate::ecs::list_tags_for_resource::list_tags_for_resource;
use crate::ecs::put_cluster_capacity_providers::put_cluster_capacity_providers;
use crate::ecs::stop_task::stop_task;
use crate::ecs::tag_resource::tag_resource;
use crate::ecs::update_capacity_provider::update_capacity_provider;
use crate::testing::stage::{Stage, call, json, pairs};
use crate::testing::{self, NOW, definition};
use aws_api::ecs;
use aws_protocol::ServiceError;
use model::Snapshot;
use model::unit::placement::Shortage;
use model::unit::{Placement, Refusal};
use records::{Draft, units};
use serde_json::{Value, json};

const INVALID: &str = "InvalidParameterException";
const CLIENT: &str = "ClientException";

async fn create(context: &Context, input: Value) -> Result<ecs::CapacityProvider, ServiceError> {
    create_capacity_provider(context.clone(), json(input)).await.map(|answer| answer.capacity_provider.unwrap())
}

async fn update(context: &Context, input: Value) -> Result<ecs::CapacityProvider, ServiceError> {
    update_capacity_provider(context.clone(), json(input)).await.map(|answer| answer.capacity_provider.unwrap())
}

async fn delete(context: &Context, name: &str) -> Result<ecs::CapacityProvider, ServiceError> {
    let input = json(json!({ "capacityProvider": name }));
    delete_capacity_provider(context.clone(), input).await.map(|answer| answer.capacity_provider.unwrap())
}

async fn describe(context: &Context, input: Value) -> ecs::DescribeCapacityProvidersOutput {
    describe_capacity_providers(context.clone(), json(input)).await.unwrap()
}

/// Makes the provider `mine`.
async fn mine(context: &Context) -> ecs::CapacityProvider {
    create(context, group("mine", json!({}))).await.unwrap()
}

async fn associate(context: &Context, providers: Value) -> Result<ecs::Cluster, ServiceError> {
    let input = json!({ "cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": [] });
    put_cluster_capacity_providers(context.clone(), json(input)).await.map(|answer| answer.cluster.unwrap())
}

/// A call that makes a provider of a group of the same name.
fn group(name: &str, more: Value) -> Value {
    let mut group = json!({ "autoScalingGroupArn": format!("arn:aws:autoscaling:::autoScalingGroup:u:{name}") });
    group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "name": name, "autoScalingGroupProvider": group })
}

fn names(providers: &[ecs::CapacityProvider]) -> Vec<&str> {
    providers.iter().map(|provider| provider.name.as_deref().unwrap()).collect()
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

#[tokio::test]
async fn a_new_provider_is_active_with_ecs_defaults() {
    let context = testing::context().await;
    let made = create(&context, {
        let mut call = group("mine", json!({}));
        call["tags"] = json!([{ "key": "team", "value": "x" }]);
        call
    })
    .await
    .unwrap();
    assert_eq!(
        made.capacity_provider_arn.as_deref(),
        Some("arn:aws:ecs:us-east-1:000000000000:capacity-provider/mine")
    );
    assert_eq!((made.status.as_deref(), made.r#type.as_deref()), (Some("ACTIVE"), Some("EC2_AUTOSCALING")));
    assert_eq!(pairs(made.tags)["team"], "x");
    let shown = serde_json::to_value(made.auto_scaling_group_provider).unwrap();
    assert_eq!(
        shown,
        json!({
            "autoScalingGroupArn": "arn:aws:autoscaling:::autoScalingGroup:u:mine",
            "managedScaling": {
                "status": "DISABLED", "targetCapacity": 100, "minimumScalingStepSize": 1,
                "maximumScalingStepSize": 10000, "instanceWarmupPeriod": 300,
            },
            "managedTerminationProtection": "DISABLED",
            "managedDraining": "ENABLED",
        })
    );
    let scaling = json!({ "managedScaling": { "targetCapacity": 50 }, "managedTerminationProtection": "ENABLED" });
    let other = create(&context, group("other", scaling)).await.unwrap().auto_scaling_group_provider.unwrap();
    let scaling = other.managed_scaling.unwrap();
    assert_eq!((scaling.status.as_deref(), scaling.target_capacity), (Some("ENABLED"), Some(50)));
}

#[tokio::test]
async fn what_cannot_be_a_provider_is_refused() {
    let context = testing::context().await;
    mine(&context).await;
    let with = |mut call: Value, more: Value| {
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let managed = json!({
        "infrastructureRoleArn": "arn:aws:iam::000000000000:role/r",
        "instanceLaunchTemplate": { "ec2InstanceProfileArn": "p", "networkConfiguration": {} },
    });
    for (call, code, sentence) in [
        (group("", json!({})), INVALID, "is not valid"),
        (group("a b", json!({})), INVALID, "is not valid"),
        (group("AWS-mine", json!({})), INVALID, "cannot begin with aws, ecs or fargate"),
        (group("FARGATE", json!({})), INVALID, "cannot begin with"),
        (group(&"n".repeat(256), json!({})), INVALID, "up to 255"),
        (json!({ "name": "x" }), INVALID, "autoScalingGroupProvider is required"),
        (with(group("x", json!({})), json!({ "cluster": "default" })), INVALID, "cluster cannot be given"),
        (
            json!({ "name": "x", "cluster": "default", "managedInstancesProvider": managed }),
            "UnsupportedFeatureException",
            "Bayplan launches no machines",
        ),
        (group("x", json!({ "autoScalingGroupArn": "" })), INVALID, "autoScalingGroupArn can not be blank"),
        (group("x", json!({ "managedScaling": { "targetCapacity": 101 } })), INVALID, "from 1 to 100"),
        (group("x", json!({ "managedScaling": { "instanceWarmupPeriod": -1 } })), INVALID, "from 0 to 10000"),
        (group("x", json!({ "managedScaling": { "status": "SOMETIMES" } })), INVALID, "must be one of"),
        (group("x", json!({ "managedDraining": "MAYBE" })), INVALID, "must be one of"),
        (
            group("x", json!({ "managedScaling": { "minimumScalingStepSize": 3, "maximumScalingStepSize": 2 } })),
            INVALID,
            "cannot be above",
        ),
        (group("x", json!({ "managedTerminationProtection": "ENABLED" })), INVALID, "only where managedScaling"),
        (with(group("x", json!({})), json!({ "tags": [{ "key": "aws:x" }] })), INVALID, "only AWS"),
        (group("mine", json!({ "autoScalingGroupArn": "another" })), CLIENT, "already exists"),
        (
            group("x", json!({ "autoScalingGroupArn": "arn:aws:autoscaling:::autoScalingGroup:u:mine" })),
            CLIENT,
            "already being used by another capacity provider",
        ),
    ] {
        refused(create(&context, call).await, code, sentence);
    }
    assert_eq!(context.records().current().capacity_providers.len(), 1);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let context = testing::context().await;
    create(&context, group("mine", json!({ "managedScaling": { "targetCapacity": 50 } }))).await.unwrap();
    let change = json!({ "managedScaling": { "instanceWarmupPeriod": 0 }, "managedDraining": "DISABLED" });
    let updated = update(&context, json!({ "name": "mine", "autoScalingGroupProvider": change })).await.unwrap();
    assert_eq!(updated.update_status.as_deref(), Some("UPDATE_COMPLETE"));
    let provider = updated.auto_scaling_group_provider.unwrap();
    let scaling = provider.managed_scaling.unwrap();
    assert_eq!(
        (scaling.target_capacity, scaling.instance_warmup_period, provider.managed_draining.as_deref()),
        (Some(50), Some(0), Some("DISABLED"))
    );
}

#[tokio::test]
async fn updates_that_cannot_be_are_refused() {
    let context = testing::context().await;
    mine(&context).await;
    for (call, code, sentence) in [
        (json!({ "name": "" , "autoScalingGroupProvider": {} }), INVALID, "can not be blank"),
        (json!({ "name": "x", "autoScalingGroupProvider": {} }), CLIENT, "does not exist"),
        (json!({ "name": "FARGATE", "autoScalingGroupProvider": {} }), INVALID, "is reserved"),
        (json!({ "name": "mine" }), INVALID, "autoScalingGroupProvider is required"),
        (
            json!({ "name": "mine", "autoScalingGroupProvider": { "managedTerminationProtection": "ENABLED" } }),
            INVALID,
            "only where managedScaling",
        ),
        (
            json!({ "name": "mine", "autoScalingGroupProvider": { "managedScaling": { "targetCapacity": 0 } } }),
            INVALID,
            "from 1 to 100",
        ),
        (
            json!({ "name": "mine", "managedInstancesProvider": {
                "infrastructureRoleArn": "r", "instanceLaunchTemplate": {},
            } }),
            "UnsupportedFeatureException",
            "launches no machines",
        ),
    ] {
        refused(update(&context, call).await, code, sentence);
    }
}

#[tokio::test]
async fn both_of_fargate_are_described_beside_what_was_made_and_what_is_missing_is_a_failure() {
    let context = testing::context().await;
    let arn = mine(&context).await.capacity_provider_arn.unwrap();
    let all = describe(&context, json!({})).await;
    let providers = all.capacity_providers.unwrap();
    assert_eq!(names(&providers), ["FARGATE", "FARGATE_SPOT", "mine"]);
    let kinds: Vec<_> = providers.iter().map(|provider| provider.r#type.as_deref().unwrap()).collect();
    assert_eq!(kinds, ["FARGATE", "FARGATE_SPOT", "EC2_AUTOSCALING"]);
    let some = describe(&context, json!({ "capacityProviders": ["FARGATE_SPOT", arn, "x", "arn:aws:s3:::y"] })).await;
    assert_eq!(names(&some.capacity_providers.unwrap()), ["FARGATE_SPOT", "mine"]);
    let failures = some.failures.unwrap();
    let failures: Vec<_> = failures.iter().map(|f| (f.arn.as_deref().unwrap(), f.reason.as_deref())).collect();
    let missing = "arn:aws:ecs:us-east-1:000000000000:capacity-provider/x";
    assert_eq!(failures, [(missing, Some("MISSING")), ("arn:aws:s3:::y", Some("MISSING"))]);
}

#[tokio::test]
async fn providers_come_in_pages_and_those_of_a_cluster_apart() {
    let stage = Stage::new().await;
    let context = &stage.context;
    for name in ["a", "b"] {
        create(context, group(name, json!({}))).await.unwrap();
    }
    let first = describe(context, json!({ "maxResults": 3 })).await;
    assert_eq!(names(&first.capacity_providers.unwrap()), ["FARGATE", "FARGATE_SPOT", "a"]);
    let rest = describe(context, json!({ "maxResults": 3, "nextToken": first.next_token.unwrap() })).await;
    assert_eq!((names(&rest.capacity_providers.unwrap()), rest.next_token), (vec!["b"], None));
    associate(context, json!(["b", "FARGATE"])).await.unwrap();
    let of_cluster = describe(context, json!({ "cluster": "default" })).await.capacity_providers.unwrap();
    assert_eq!(names(&of_cluster), ["FARGATE", "b"]);
    let other = describe(context, json!({ "cluster": "default", "capacityProviders": ["a"] })).await;
    assert_eq!((other.capacity_providers.unwrap().len(), other.failures.unwrap().len()), (0, 1));
    let describe = |input: Value| describe_capacity_providers(context.clone(), json(input));
    refused(describe(json!({ "maxResults": 11 })).await, INVALID, "between 1 and 10");
    refused(describe(json!({ "nextToken": "x" })).await, INVALID, "Invalid token");
    refused(describe(json!({ "include": ["ALL"] })).await, INVALID, "include should be one of [TAGS]");
    refused(describe(json!({ "capacityProviders": vec!["x"; 101] })).await, INVALID, "at most 100");
    refused(describe(json!({ "cluster": "blue" })).await, "ClusterNotFoundException", "Cluster not found.");
}

#[tokio::test]
async fn a_deleted_provider_is_inactive_and_its_name_is_free() {
    let context = testing::context().await;
    mine(&context).await;
    let deleted = delete(&context, "mine").await.unwrap();
    assert_eq!(
        (deleted.status.as_deref(), deleted.update_status.as_deref()),
        (Some("INACTIVE"), Some("DELETE_COMPLETE"))
    );
    let shown = describe(&context, json!({ "capacityProviders": ["mine"] })).await.capacity_providers.unwrap();
    assert_eq!(shown[0].status.as_deref(), Some("INACTIVE"));
    assert_eq!(context.records().current().capacity_providers.values().next().unwrap().deleted_at, Some(NOW));
    refused(delete(&context, "mine").await, CLIENT, "does not exist");
    let again = mine(&context).await;
    assert_eq!((again.status.as_deref(), again.update_status), (Some("ACTIVE"), None));
}

#[tokio::test]
async fn a_provider_that_a_cluster_has_stays_and_says_why() {
    let stage = Stage::new().await;
    let context = &stage.context;
    mine(context).await;
    associate(context, json!(["mine"])).await.unwrap();
    let kept = delete(context, "mine").await.unwrap();
    assert_eq!((kept.status.as_deref(), kept.update_status.as_deref()), (Some("ACTIVE"), Some("DELETE_FAILED")));
    let reason = "The capacity provider cannot be deleted because it is associated with cluster: default. Remove the \
                  capacity provider from the cluster and try again.";
    let shown = describe(context, json!({ "capacityProviders": ["mine"] })).await.capacity_providers.unwrap();
    assert_eq!(shown[0].update_status_reason.as_deref(), Some(reason));
    associate(context, json!([])).await.unwrap();
    assert_eq!(delete(context, "mine").await.unwrap().status.as_deref(), Some("INACTIVE"));
    refused(associate(context, json!(["mine"])).await, INVALID, "The specified capacity provider was not found.");
}

#[tokio::test]
async fn a_deleted_cluster_holds_no_provider() {
    let stage = Stage::new().await;
    mine(&stage.context).await;
    associate(&stage.context, json!(["mine"])).await.unwrap();
    delete_cluster(stage.context.clone(), json(json!({ "cluster": "default" }))).await.unwrap();
    assert_eq!(delete(&stage.context, "mine").await.unwrap().status.as_deref(), Some("INACTIVE"));
}

#[tokio::test]
async fn fargates_providers_are_reserved_and_what_there_is_not_cannot_be_deleted() {
    let context = testing::context().await;
    for name in ["FARGATE", "FARGATE_SPOT", "arn:aws:ecs:us-east-1:000000000000:capacity-provider/FARGATE"] {
        refused(delete(&context, name).await, INVALID, "is reserved and cannot be deleted");
    }
    refused(delete(&context, "").await, INVALID, "can not be blank");
    refused(delete(&context, "mine").await, CLIENT, "does not exist");
    refused(delete(&context, "arn:aws:ecs:eu-west-1:1:capacity-provider/mine").await, CLIENT, "does not exist");
}

#[tokio::test]
async fn a_provider_that_a_task_uses_stays_with_its_cluster_until_the_task_is_over() {
    let stage = Stage::new().await;
    let context = &stage.context;
    mine(context).await;
    associate(context, json!(["mine"])).await.unwrap();
    stage.register(definition("web")).await;
    let strategy = vec![json(json!({ "capacityProvider": "mine", "weight": 1 }))];
    let run = ecs::RunTaskInput { capacity_provider_strategy: Some(strategy), ..call("web") };
    stage.verdict(|_, _| None);
    let meanwhile = async {
        let waiting = |snapshot: &Snapshot| snapshot.awaiting_placement().next().cloned();
        let task = context.records().wait_for(waiting).await.unwrap();
        refused(associate(context, json!([])).await, "ResourceInUseException", "is in use and cannot be removed");
        stop_task(context.clone(), json(json!({ "task": task.name.short() }))).await.unwrap();
    };
    tokio::join!(stage.run(run), meanwhile).0.unwrap();
    associate(context, json!([])).await.unwrap();
}

#[tokio::test]
async fn a_provider_has_tags_and_shows_them_on_request() {
    let context = testing::context().await;
    let arn = mine(&context).await.capacity_provider_arn.unwrap();
    let tags = json!([{ "key": "team", "value": "x" }]);
    tag_resource(context.clone(), json(json!({ "resourceArn": arn, "tags": tags }))).await.unwrap();
    let listed = list_tags_for_resource(context.clone(), json(json!({ "resourceArn": arn }))).await.unwrap();
    assert_eq!(pairs(listed.tags)["team"], "x");
    let shown = |include: Value| describe(&context, json!({ "capacityProviders": ["mine"], "include": include }));
    assert!(pairs(shown(json!([])).await.capacity_providers.unwrap().remove(0).tags).is_empty());
    assert_eq!(pairs(shown(json!(["TAGS"])).await.capacity_providers.unwrap().remove(0).tags)["team"], "x");
    let built_in = "arn:aws:ecs:us-east-1:000000000000:capacity-provider/FARGATE";
    let list = list_tags_for_resource(context.clone(), json(json!({ "resourceArn": built_in }))).await;
    refused(list, "ResourceNotFoundException", built_in);
}

/// A call for a task of the provider `mine`, which the cluster has.
async fn call_for_mine(stage: &Stage) -> ecs::RunTaskInput {
    associate(&stage.context, json!(["mine"])).await.unwrap();
    stage.register(definition("web")).await;
    let strategy = vec![json(json!({ "capacityProvider": "mine", "weight": 1 }))];
    ecs::RunTaskInput { capacity_provider_strategy: Some(strategy), ..call("web") }
}

#[tokio::test]
async fn with_managed_scaling_a_task_without_room_waits_for_it() {
    let stage = Stage::new().await;
    create(&stage.context, group("mine", json!({ "managedScaling": { "status": "ENABLED" } }))).await.unwrap();
    let run = call_for_mine(&stage).await;
    stage.verdict(|_, _| None);
    let records = stage.context.records();
    let told_to_wait = async {
        let unit = records.wait_for(|snapshot| snapshot.awaiting_placement().next().cloned()).await.unwrap();
        let mut draft = Draft::new();
        units::wait(&mut draft, &unit, &Refusal { nodes: Vec::new(), main: Shortage::Memory });
        records.commit(draft).await.unwrap();
    };
    let answer = tokio::join!(stage.run(run), told_to_wait).0.unwrap();
    assert_eq!(answer.failures.unwrap(), []);
    assert_eq!(answer.tasks.unwrap()[0].last_status.as_deref(), Some("PROVISIONING"));
}

#[tokio::test]
async fn without_managed_scaling_a_task_without_room_is_a_failure() {
    let stage = Stage::new().await;
    mine(&stage.context).await;
    let run = call_for_mine(&stage).await;
    stage.verdict(|_, unit| {
        let refusal = Refusal { nodes: Vec::new(), main: Shortage::Memory };
        (!unit.scheduling.wait_for_room).then_some(Placement::Refused(refusal))
    });
    let answer = stage.run(run).await.unwrap();
    assert_eq!(answer.tasks.unwrap(), []);
    assert_eq!(answer.failures.unwrap()[0].reason.as_deref(), Some("RESOURCE:MEMORY"));
}

#[tokio::test]
async fn a_provider_that_a_service_names_stays_with_its_cluster_until_the_service_is_deleted() {
    let stage = Stage::new().await;
    let context = &stage.context;
    mine(context).await;
    associate(context, json!(["mine"])).await.unwrap();
    stage.register(definition("web")).await;
    let strategy = json!([{ "capacityProvider": "mine", "weight": 1 }]);
    let input = json!({
        "serviceName": "web", "taskDefinition": "web", "desiredCount": 0, "capacityProviderStrategy": strategy,
    });
    stage.create_service(input).await.unwrap();
    let in_use = "is in use and cannot be removed";
    refused(associate(context, json!([])).await, "ResourceInUseException", in_use);
    stage.take_up("web").await;
    refused(associate(context, json!([])).await, "ResourceInUseException", in_use);
    assert_eq!(delete(context, "mine").await.unwrap().update_status.as_deref(), Some("DELETE_FAILED"));
    stage.delete_service(json!({ "service": "web" })).await.unwrap();
    associate(context, json!([])).await.unwrap();
}
