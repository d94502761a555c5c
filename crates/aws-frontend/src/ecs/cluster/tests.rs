//! The operations on clusters, over a stage with the cluster `default` and one node.

use crate::context::Context;
use crate::ecs::create_cluster::create_cluster;
use crate::ecs::delete_cluster::delete_cluster;
use crate::ecs::describe_clusters::describe_clusters;
use crate::ecs::list_clusters::list_clusters;
use crate::ecs::put_account_setting::put_account_setting;
use crate::ecs::put_attributes::put_attributes;
use crate::ecs::put_cluster_capacity_providers::put_cluster_capacity_providers;
use crate::ecs::stop_task::stop_task;
use crate::ecs::update_cluster::update_cluster;
use crate::ecs::update_cluster_settings::update_cluster_settings;
use crate::ecs::{arn, instance};
use crate::testing::stage::{Stage, json, pairs};
use crate::testing::{self, NOW};
use aws_api::ecs;
use aws_protocol::ServiceError;
use model::unit::{Lifecycle, Observed};
use serde_json::{Value, json};

async fn create(context: &Context, input: Value) -> Result<ecs::Cluster, ServiceError> {
    create_cluster(context.clone(), json(input)).await.map(|answer| answer.cluster.unwrap())
}

async fn delete(context: &Context, name: &str) -> Result<ecs::Cluster, ServiceError> {
    delete_cluster(context.clone(), json(json!({ "cluster": name }))).await.map(|answer| answer.cluster.unwrap())
}

async fn describe(context: &Context, name: &str, include: &[&str]) -> ecs::Cluster {
    let input = json(json!({ "clusters": [name], "include": include }));
    describe_clusters(context.clone(), input).await.unwrap().clusters.unwrap().remove(0)
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

const INVALID: &str = "InvalidParameterException";
const INCONSISTENT: &str =
    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";

#[tokio::test]
async fn a_new_cluster_is_active_empty_and_shown_with_what_was_written() {
    let context = testing::context().await;
    let made =
        create(&context, json!({ "clusterName": "blue", "tags": [{ "key": "team", "value": "x" }] })).await.unwrap();
    assert_eq!(made.cluster_arn.as_deref(), Some("arn:aws:ecs:us-east-1:000000000000:cluster/blue"));
    assert_eq!(made.status.as_deref(), Some("ACTIVE"));
    assert_eq!(made.settings.unwrap()[0].value.as_deref(), Some("disabled"));
    assert_eq!(pairs(made.tags)["team"], "x");
    assert_eq!((made.capacity_providers, made.default_capacity_provider_strategy), (Some(vec![]), Some(vec![])));
    assert_eq!(
        (made.running_tasks_count, made.pending_tasks_count, made.active_services_count),
        (Some(0), Some(0), Some(0))
    );
}

#[tokio::test]
async fn a_cluster_without_a_name_is_default() {
    let context = testing::context().await;
    assert_eq!(create(&context, json!({})).await.unwrap().cluster_name.as_deref(), Some("default"));
}

#[tokio::test]
async fn names_that_ecs_does_not_take_are_refused() {
    let context = testing::context().await;
    for name in ["", "a b", "ü", "a/b", &"x".repeat(256)] {
        refused(create(&context, json!({ "clusterName": name })).await, INVALID, "Cluster must match ^[a-zA-Z0-9");
    }
    assert!(context.records().current().clusters.is_empty());
}

#[tokio::test]
async fn creating_again_what_is_there_changes_nothing() {
    let context = testing::context().await;
    let input = json!({
        "clusterName": "blue",
        "settings": [{ "name": "containerInsights", "value": "enhanced" }],
        "capacityProviders": ["FARGATE"],
    });
    let first = create(&context, input.clone()).await.unwrap();
    let revision = context.records().current().revision;
    assert_eq!(create(&context, input).await.unwrap(), first);
    assert_eq!(create(&context, json!({ "clusterName": "blue" })).await.unwrap(), first);
    assert_eq!(context.records().current().revision, revision);
}

#[tokio::test]
async fn creating_again_with_other_arguments_is_refused() {
    let context = testing::context().await;
    create(&context, json!({ "clusterName": "blue" })).await.unwrap();
    for more in [
        json!({ "settings": [{ "name": "containerInsights", "value": "enabled" }] }),
        json!({ "capacityProviders": ["FARGATE"] }),
        json!({ "tags": [{ "key": "a", "value": "b" }] }),
        json!({ "serviceConnectDefaults": { "namespace": "n" } }),
        json!({ "configuration": { "executeCommandConfiguration": { "logging": "NONE" } } }),
    ] {
        let mut input = more;
        input["clusterName"] = "blue".into();
        refused(create(&context, input).await, INVALID, INCONSISTENT);
    }
}

#[tokio::test]
async fn settings_take_three_values_and_one_name() {
    let context = testing::context().await;
    for value in ["enabled", "disabled", "enhanced"] {
        let settings = json!([{ "name": "containerInsights", "value": value }]);
        let made = create(&context, json!({ "clusterName": value, "settings": settings })).await.unwrap();
        assert_eq!(made.settings.unwrap()[0].value.as_deref(), Some(value));
    }
    for (settings, sentence) in [
        (json!([{ "name": "other", "value": "enabled" }]), "settings.name should be one of [containerInsights]"),
        (json!([{ "name": "containerInsights", "value": "on" }]), "Invalid value for containerInsights: 'on'"),
        (json!([{ "name": "containerInsights" }]), "Invalid value"),
        (
            json!([{ "name": "containerInsights", "value": "enabled" }, { "name": "containerInsights", "value": "enabled" }]),
            "given twice",
        ),
    ] {
        refused(create(&context, json!({ "clusterName": "x", "settings": settings })).await, INVALID, sentence);
    }
}

#[tokio::test]
async fn the_accounts_container_insights_hold_for_new_clusters() {
    let context = testing::context().await;
    let input = json(json!({ "name": "containerInsights", "value": "enhanced" }));
    put_account_setting(context.clone(), input).await.unwrap();
    let made = create(&context, json!({ "clusterName": "blue" })).await.unwrap();
    assert_eq!(made.settings.unwrap()[0].value.as_deref(), Some("enhanced"));
}

#[tokio::test]
async fn capacity_providers_and_their_strategy_are_checked() {
    let context = testing::context().await;
    let not_associated = "The specified capacity provider strategy cannot contain a capacity provider that is not associated \
                          with the cluster.";
    let item = |provider: &str, base: i64, weight: i64| json!({ "capacityProvider": provider, "base": base, "weight": weight });
    for (providers, strategy, sentence) in [
        (
            json!(["mine"]),
            json!([]),
            "The specified capacity provider was not found. Specify a valid capacity provider",
        ),
        (json!(["FARGATE", "FARGATE"]), json!([]), "named twice"),
        (json!(vec!["FARGATE"; 21]), json!([]), "at most 20"),
        (json!([]), json!([item("FARGATE", 0, 1)]), not_associated),
        (json!(["FARGATE"]), json!([item("FARGATE_SPOT", 0, 1)]), not_associated),
        (json!(["FARGATE"]), json!([item("FARGATE", 0, 1), item("FARGATE", 0, 1)]), "names FARGATE twice"),
        (json!(["FARGATE"]), json!([item("FARGATE", 0, 1001)]), "weight must be between 0 and 1000, not 1001"),
        (json!(["FARGATE"]), json!([item("FARGATE", -1, 1)]), "base must be between 0 and 100000, not -1"),
        (
            json!(["FARGATE", "FARGATE_SPOT"]),
            json!([item("FARGATE", 1, 1), item("FARGATE_SPOT", 2, 1)]),
            "Only one capacity provider",
        ),
    ] {
        let input =
            json!({ "clusterName": "x", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy });
        refused(create(&context, input).await, INVALID, sentence);
    }
    let made = create(
        &context,
        json!({
            "clusterName": "x",
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [item("FARGATE", 2, 1), { "capacityProvider": "FARGATE_SPOT", "weight": 3 }],
        }),
    );
    let strategy = made.await.unwrap().default_capacity_provider_strategy.unwrap();
    let shown: Vec<_> = strategy.iter().map(|i| (i.capacity_provider.as_deref().unwrap(), i.base, i.weight)).collect();
    assert_eq!(shown, [("FARGATE", Some(2), Some(1)), ("FARGATE_SPOT", Some(0), Some(3))]);
}

#[tokio::test]
async fn the_configuration_is_checked_and_echoed_as_it_was_given() {
    let context = testing::context().await;
    for (exec, sentence) in [
        (json!({ "logging": "LOUD" }), "logging should be one of"),
        (json!({ "logging": "OVERRIDE" }), "OVERRIDE needs a logConfiguration"),
        (json!({ "logConfiguration": { "s3BucketName": "b" } }), "needs logging to be OVERRIDE"),
        (json!({ "logging": "OVERRIDE", "logConfiguration": {} }), "needs a log group or a bucket"),
    ] {
        let input = json!({ "clusterName": "x", "configuration": { "executeCommandConfiguration": exec } });
        refused(create(&context, input).await, INVALID, sentence);
    }
    let configuration = json!({
        "executeCommandConfiguration": {
            "kmsKeyId": "k", "logging": "OVERRIDE", "logConfiguration": { "cloudWatchLogGroupName": "g" },
        },
        "managedStorageConfiguration": { "fargateEphemeralStorageKmsKeyId": "e" },
    });
    let input = json!({
        "clusterName": "x", "configuration": configuration, "serviceConnectDefaults": { "namespace": "arn:of:it" },
    });
    create(&context, input).await.unwrap();
    let shown = describe(&context, "x", &["CONFIGURATIONS"]).await;
    assert_eq!(serde_json::to_value(shown.configuration.unwrap()).unwrap(), configuration);
    assert_eq!(shown.service_connect_defaults.unwrap().namespace.as_deref(), Some("arn:of:it"));
    assert_eq!(describe(&context, "x", &[]).await.configuration, None);
}

#[tokio::test]
async fn parts_of_a_cluster_are_shown_on_request_only() {
    let stage = Stage::new().await;
    let context = &stage.context;
    let plain = describe(context, "default", &[]).await;
    assert_eq!(
        (plain.settings, plain.tags, plain.statistics, plain.attachments),
        (Some(vec![]), Some(vec![]), Some(vec![]), None)
    );
    let whole =
        describe(context, "default", &["SETTINGS", "TAGS", "STATISTICS", "ATTACHMENTS", "CONFIGURATIONS"]).await;
    assert_eq!(whole.settings.unwrap().len(), 1);
    assert_eq!(whole.attachments, Some(vec![]));
    assert_eq!(whole.statistics.unwrap()[0].name.as_deref(), Some("runningEC2TasksCount"));
    let input = json(json!({ "include": ["SECRETS"] }));
    let error = describe_clusters(context.clone(), input).await;
    refused(error, INVALID, "include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]");
}

#[tokio::test]
async fn tasks_and_instances_are_counted() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    stage.run_one("web").await;
    stage.observe(&task, Observed { lifecycle: Lifecycle::Running, ..Default::default() }).await;
    let shown = describe(&stage.context, "default", &["STATISTICS"]).await;
    assert_eq!((shown.running_tasks_count, shown.pending_tasks_count), (Some(1), Some(1)));
    assert_eq!(shown.registered_container_instances_count, Some(1));
    let statistics = shown.statistics.unwrap();
    let value =
        |name: &str| statistics.iter().find(|s| s.name.as_deref() == Some(name)).unwrap().value.clone().unwrap();
    assert_eq!((value("runningEC2TasksCount"), value("pendingEC2TasksCount")), ("1".to_owned(), "1".to_owned()));
    assert_eq!(value("runningFargateTasksCount"), "0");
}

#[tokio::test]
async fn what_is_missing_is_a_failure_and_no_error() {
    let stage = Stage::new().await;
    let foreign = "arn:aws:ecs:eu-west-1:000000000000:cluster/default";
    let input = json(json!({ "clusters": ["default", "none", foreign] }));
    let answer = describe_clusters(stage.context.clone(), input).await.unwrap();
    assert_eq!(answer.clusters.unwrap().len(), 1);
    let failures: Vec<_> = answer.failures.unwrap().into_iter().map(|f| (f.arn.unwrap(), f.reason.unwrap())).collect();
    let missing = "MISSING".to_owned();
    let none = "arn:aws:ecs:us-east-1:000000000000:cluster/none".to_owned();
    assert_eq!(failures, [(none, missing.clone()), (foreign.to_owned(), missing)]);
    let many = json(json!({ "clusters": vec!["x"; 101] }));
    refused(describe_clusters(stage.context.clone(), many).await, INVALID, "at most 100");
}

#[tokio::test]
async fn a_cluster_with_a_live_task_is_not_deleted_and_one_with_a_stopped_task_is() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let refusal = delete(&stage.context, "default").await;
    refused(refusal, "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.");
    let stop = json(json!({ "task": task.task_arn }));
    stop_task(stage.context.clone(), stop).await.unwrap();
    let refusal = delete(&stage.context, "default").await;
    refused(refusal, "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.");
    stage.observe(&task, Observed { lifecycle: Lifecycle::Stopped, stopped_at: Some(NOW), ..Default::default() }).await;
    let deleted = delete(&stage.context, "default").await.unwrap();
    assert_eq!(deleted.status.as_deref(), Some("INACTIVE"));
    assert_eq!(deleted.registered_container_instances_count, Some(0));
}

#[tokio::test]
async fn services_are_counted_and_hold_their_cluster_until_they_are_inactive() {
    let stage = Stage::new().await;
    stage.register(testing::definition("web")).await;
    stage.register(testing::stage::awsvpc("vpc")).await;
    stage.create_service(json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 1 })).await.unwrap();
    let network = json!({ "awsvpcConfiguration": { "subnets": [testing::stage::SUBNETS[0]] } });
    let fargate = json!({
        "serviceName": "vpc", "taskDefinition": "vpc", "desiredCount": 1, "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    stage.create_service(fargate).await.unwrap();
    stage.take_up("web").await;
    let task = stage.start_tasks("web", 1, Lifecycle::Running).await.remove(0);
    stage.delete_service(json!({ "service": "web", "force": true })).await.unwrap();
    let shown = describe(&stage.context, "default", &["STATISTICS"]).await;
    assert_eq!(shown.active_services_count, Some(1));
    let statistics = shown.statistics.unwrap();
    let value = |name: &str| {
        let found = statistics.iter().find(|pair| pair.name.as_deref() == Some(name)).unwrap();
        found.value.clone().unwrap()
    };
    assert_eq!((value("activeEC2ServiceCount"), value("activeFargateServiceCount")), ("0".into(), "1".into()));
    assert_eq!((value("drainingEC2ServiceCount"), value("drainingFargateServiceCount")), ("1".into(), "0".into()));
    let active = "The Cluster cannot be deleted while Services are active.";
    refused(delete(&stage.context, "default").await, "ClusterContainsServicesException", active);
    stage.delete_service(json!({ "service": "vpc", "force": true })).await.unwrap();
    refused(delete(&stage.context, "default").await, "ClusterContainsServicesException", active);
    stage.advance(&task, Lifecycle::Stopped).await;
    assert_eq!(delete(&stage.context, "default").await.unwrap().status.as_deref(), Some("INACTIVE"));
}

#[tokio::test]
async fn machines_do_not_hold_a_cluster_and_a_deleted_one_is_described_but_not_listed() {
    let stage = Stage::new().await;
    create(&stage.context, json!({ "clusterName": "blue" })).await.unwrap();
    delete(&stage.context, "blue").await.unwrap();
    assert_eq!(describe(&stage.context, "blue", &[]).await.status.as_deref(), Some("INACTIVE"));
    let listed = list_clusters(stage.context.clone(), json(json!({}))).await.unwrap().cluster_arns.unwrap();
    assert_eq!(listed, ["arn:aws:ecs:us-east-1:000000000000:cluster/default"]);
    let stored = stage.context.records().current().clusters[&stage.cluster("blue")].inactive_since;
    assert_eq!(stored, Some(NOW));
    assert_eq!(delete(&stage.context, "blue").await.unwrap().status.as_deref(), Some("INACTIVE"), "again");
}

#[tokio::test]
async fn deleting_and_updating_what_there_is_not_is_cluster_not_found() {
    let stage = Stage::new().await;
    let context = &stage.context;
    create(context, json!({ "clusterName": "gone" })).await.unwrap();
    delete(context, "gone").await.unwrap();
    refused(delete(context, "none").await, "ClusterNotFoundException", "Cluster not found.");
    let foreign = "arn:aws:ecs:us-east-1:111111111111:cluster/default";
    refused(delete(context, foreign).await, "ClusterNotFoundException", "Cluster not found.");
    let settings = json!([{ "name": "containerInsights", "value": "enabled" }]);
    for (name, sentence) in [("none", "Cluster not found."), ("gone", "The referenced cluster was inactive.")] {
        let update = json(json!({ "cluster": name, "settings": settings }));
        refused(update_cluster(context.clone(), update).await, "ClusterNotFoundException", sentence);
        let put = json(json!({ "cluster": name, "capacityProviders": [], "defaultCapacityProviderStrategy": [] }));
        refused(put_cluster_capacity_providers(context.clone(), put).await, "ClusterNotFoundException", sentence);
    }
}

#[tokio::test]
async fn a_cluster_made_anew_has_nothing_of_the_deleted_one() {
    let stage = Stage::new().await;
    let blue = stage.cluster("blue");
    create(&stage.context, json!({ "clusterName": "blue", "tags": [{ "key": "a", "value": "b" }] })).await.unwrap();
    let node = stage.context.records().current().nodes.keys().next().unwrap().clone();
    let target = arn::container_instance(&blue, &instance::instance_id(&blue, &node));
    let put = json!({ "cluster": "blue", "attributes": [{ "name": "stack", "value": "x", "targetId": target }] });
    put_attributes(stage.context.clone(), json(put)).await.unwrap();
    delete(&stage.context, "blue").await.unwrap();
    let made = create(&stage.context, json!({ "clusterName": "blue" })).await.unwrap();
    assert_eq!((made.status.as_deref(), made.tags), (Some("ACTIVE"), Some(vec![])));
    let snapshot = stage.context.records().current();
    assert_eq!(snapshot.clusters[&blue].inactive_since, None);
    assert!(snapshot.membership(&blue, &node).attributes.is_empty());
}

#[tokio::test]
async fn updating_replaces_only_what_is_named() {
    let stage = Stage::new().await;
    let update = |input: Value| update_cluster(stage.context.clone(), json(input));
    let configuration = json!({ "executeCommandConfiguration": { "logging": "NONE" } });
    update(json!({ "cluster": "default", "configuration": configuration })).await.unwrap();
    let input = json!({ "cluster": "default", "settings": [{ "name": "containerInsights", "value": "enabled" }] });
    let updated = update(input).await.unwrap().cluster.unwrap();
    assert_eq!(serde_json::to_value(updated.configuration.unwrap()).unwrap(), configuration);
    assert_eq!(updated.settings.unwrap()[0].value.as_deref(), Some("enabled"));
    update(json!({ "cluster": "default", "serviceConnectDefaults": { "namespace": "n" } })).await.unwrap();
    let input = json!({ "cluster": "default", "serviceConnectDefaults": { "namespace": "" } });
    assert_eq!(
        update(input).await.unwrap().cluster.unwrap().service_connect_defaults,
        None,
        "an empty one takes it away"
    );
    refused(update(json!({ "cluster": "" })).await, INVALID, "Cluster can not be blank.");
    let input = json!({ "cluster": "default", "serviceConnectDefaults": {} });
    refused(update(input).await, INVALID, "namespace is required");
}

#[tokio::test]
async fn cluster_settings_are_updated_by_their_own_operation_too() {
    let stage = Stage::new().await;
    let input = json!({ "cluster": "default", "settings": [{ "name": "containerInsights", "value": "enhanced" }] });
    let updated = update_cluster_settings(stage.context.clone(), json(input)).await.unwrap().cluster.unwrap();
    assert_eq!(updated.settings.unwrap()[0].value.as_deref(), Some("enhanced"));
    let input = json(json!({ "cluster": "default", "settings": [] }));
    refused(update_cluster_settings(stage.context.clone(), input).await, INVALID, "Settings can not be empty.");
}

#[tokio::test]
async fn providers_are_replaced_as_a_whole_and_both_lists_are_required() {
    let stage = Stage::new().await;
    let put = |input: Value| put_cluster_capacity_providers(stage.context.clone(), json(input));
    let strategy = json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }]);
    let input = json!({
        "cluster": "default", "capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy": strategy,
    });
    let updated = put(input).await.unwrap().cluster.unwrap();
    assert_eq!(updated.capacity_providers.unwrap(), ["FARGATE_SPOT"]);
    let input = json!({ "cluster": "default", "capacityProviders": [], "defaultCapacityProviderStrategy": [] });
    assert_eq!(put(input).await.unwrap().cluster.unwrap().capacity_providers.unwrap(), [""; 0]);
    let input = json!({ "cluster": "default", "capacityProviders": [] });
    refused(put(input).await, INVALID, "defaultCapacityProviderStrategy is required");
    let input = json!({ "cluster": "default", "defaultCapacityProviderStrategy": [] });
    refused(put(input).await, INVALID, "capacityProviders is required");
}

#[tokio::test]
async fn a_provider_that_a_task_uses_stays() {
    let stage = Stage::new().await;
    let put = |providers: Value| {
        let input = json!({
            "cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": [],
        });
        put_cluster_capacity_providers(stage.context.clone(), json(input))
    };
    put(json!(["FARGATE"])).await.unwrap();
    stage.register(crate::testing::stage::awsvpc("web")).await;
    let run = ecs::RunTaskInput {
        capacity_provider_strategy: Some(vec![json(json!({ "capacityProvider": "FARGATE", "weight": 1 }))]),
        network_configuration: crate::testing::stage::network(),
        ..crate::testing::stage::call("web")
    };
    assert_eq!(stage.run(run).await.unwrap().tasks.unwrap().len(), 1);
    refused(
        put(json!([])).await,
        "ResourceInUseException",
        "The specified capacity provider is in use and cannot be removed.",
    );
    put(json!(["FARGATE", "FARGATE_SPOT"])).await.unwrap();
}

#[tokio::test]
async fn clusters_are_listed_by_name_in_pages() {
    let context = testing::context().await;
    for name in ["c", "a", "b"] {
        create(&context, json!({ "clusterName": name })).await.unwrap();
    }
    let first = list_clusters(context.clone(), json(json!({ "maxResults": 2 }))).await.unwrap();
    let names = |arns: Option<Vec<String>>| -> Vec<String> {
        arns.unwrap().iter().map(|arn| arn.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(first.cluster_arns), ["a", "b"]);
    let next = json(json!({ "maxResults": 2, "nextToken": first.next_token }));
    let second = list_clusters(context.clone(), next).await.unwrap();
    assert_eq!((names(second.cluster_arns), second.next_token), (vec!["c".to_owned()], None));
    for (input, sentence) in [
        (json!({ "maxResults": 0 }), "maxResults must be between 1 and 100"),
        (json!({ "maxResults": 101 }), "maxResults must be between 1 and 100"),
        (json!({ "nextToken": "x" }), "Invalid token"),
    ] {
        refused(list_clusters(context.clone(), json(input)).await, INVALID, sentence);
    }
}
