//! Calls that are refused as a whole: the code, the sentence, and that nothing was changed.

use crate::testing::stage::{Stage, awsvpc, json};
use crate::testing::{definition, deregister};
use aws_api::ecs::RunTaskInput;
use model::ecs::{Cluster, ClusterStatus, MembershipStatus};
use records::Draft;
use serde_json::{Value, json};

/// Runs the call on a stage with a bridge definition `web`, an awsvpc one `vpc`, one of EC2 only `ec2` and an inactive `old:1`.
async fn refused(call: Value, code: &str, sentence: &str) {
    let stage = stage().await;
    refused_on(&stage, call, code, sentence).await;
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.register(awsvpc("vpc")).await;
    stage.register(definition("old")).await;
    deregister(&stage.context, "old:1").await;
    stage
}

async fn refused_on(stage: &Stage, call: Value, code: &str, sentence: &str) {
    let before = stage.context.records().current().revision;
    let error = stage.run(json::<RunTaskInput>(call.clone())).await.unwrap_err();
    assert_eq!(error.code, code, "{call}: {error}");
    assert!(error.message.contains(sentence), "{call}: {error}");
    assert_eq!(stage.context.records().current().revision, before, "{call} changed something");
}

const CLIENT: &str = "ClientException";
const INVALID: &str = "InvalidParameterException";

fn with(mut call: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        call[key] = value.clone();
    }
    call
}

fn web(more: Value) -> Value {
    with(json!({"taskDefinition": "web"}), more)
}

fn vpc(more: Value) -> Value {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    with(json!({"taskDefinition": "vpc", "networkConfiguration": network}), more)
}

fn fargate(more: Value) -> Value {
    vpc(with(json!({"launchType": "FARGATE"}), more))
}

#[tokio::test]
async fn clusters_that_are_not_there() {
    refused(web(json!({"cluster": "nowhere"})), "ClusterNotFoundException", "Cluster not found.").await;
    let foreign = "arn:aws:ecs:eu-west-1:000000000000:cluster/default";
    refused(web(json!({"cluster": foreign})), "ClusterNotFoundException", "Cluster not found.").await;
}

#[tokio::test]
async fn a_deleted_cluster() {
    let stage = stage().await;
    let snapshot = stage.context.records().current();
    let seen = snapshot.clusters.get(&stage.cluster("default")).unwrap();
    let mut draft = Draft::new();
    draft.update(&seen.id, seen, &Cluster { status: ClusterStatus::Inactive, ..(*seen.value).clone() });
    stage.context.records().commit(draft).await.unwrap();
    refused_on(&stage, web(json!({})), "ClusterNotFoundException", "The referenced cluster was inactive.").await;
}

#[tokio::test]
async fn definitions_that_are_not_there() {
    for reference in ["nothing", "web:9", "old", "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:1"] {
        refused(json!({"taskDefinition": reference}), CLIENT, "TaskDefinition not found.").await;
    }
    refused(json!({"taskDefinition": ""}), INVALID, "TaskDefinition can not be blank.").await;
    refused(json!({"taskDefinition": "web:x"}), CLIENT, "Invalid revision number").await;
}

#[tokio::test]
async fn an_inactive_definition() {
    refused(json!({"taskDefinition": "old:1"}), CLIENT, "TaskDefinition is inactive").await;
}

#[tokio::test]
async fn counts_beyond_one_to_ten() {
    for count in [0, 11, -1] {
        refused(web(json!({"count": count})), INVALID, "between 1 and 10").await;
    }
}

#[tokio::test]
async fn a_launch_type_beside_a_strategy() {
    let strategy = json!([{"capacityProvider": "FARGATE"}]);
    let call = fargate(json!({"capacityProviderStrategy": strategy}));
    refused(call, INVALID, "Specifying both a launch type and capacity provider strategy is not supported.").await;
}

#[tokio::test]
async fn a_provider_that_the_cluster_does_not_have() {
    for provider in ["FARGATE", "mine"] {
        let call = vpc(json!({"capacityProviderStrategy": [{"capacityProvider": provider, "weight": 1}]}));
        refused(call, INVALID, "not associated with the cluster").await;
    }
}

#[tokio::test]
async fn strategies_that_make_no_sense() {
    let stage = stage().await;
    let snapshot = stage.context.records().current();
    let seen = snapshot.clusters.get(&stage.cluster("default")).unwrap();
    let providers = ["FARGATE", "FARGATE_SPOT", "mine"].map(str::to_owned).to_vec();
    let mut draft = Draft::new();
    draft.update(&seen.id, seen, &Cluster { capacity_providers: providers, ..(*seen.value).clone() });
    stage.context.records().commit(draft).await.unwrap();
    for (strategy, sentence) in [
        (json!([{"capacityProvider": "FARGATE"}, {"capacityProvider": "FARGATE_SPOT"}]), "greater than zero"),
        (json!([{"capacityProvider": "FARGATE", "weight": 1001}]), "from 0 to 1000"),
        (json!([{"capacityProvider": "FARGATE", "weight": -1}]), "from 0 to 1000"),
        (json!([{"capacityProvider": "FARGATE", "base": 100001}]), "from 0 to 100000"),
        (json!([{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE", "weight": 1}]), "twice"),
        (
            json!([{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1}]),
            "can have a base",
        ),
        (
            json!([{"capacityProvider": "mine", "weight": 1}, {"capacityProvider": "FARGATE", "weight": 1}]),
            "cannot contain a mix",
        ),
        (Value::Array(vec![json!({"capacityProvider": "FARGATE"}); 21]), "at most 20"),
    ] {
        refused_on(&stage, vpc(json!({"capacityProviderStrategy": strategy})), INVALID, sentence).await;
    }
}

#[tokio::test]
async fn a_network_configuration_where_none_belongs_or_is_missing() {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let sentence = "Network Configuration is not valid for the given networkMode of this task definition.";
    refused(web(json!({"networkConfiguration": network})), INVALID, sentence).await;
    let sentence = "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
    refused(json!({"taskDefinition": "vpc"}), INVALID, sentence).await;
    refused(json!({"taskDefinition": "vpc", "networkConfiguration": {}}), INVALID, sentence).await;
}

#[tokio::test]
async fn subnets_and_security_groups_that_are_not_there() {
    for (configuration, sentence) in [
        (json!({"subnets": []}), "subnets can not be empty."),
        (json!({"subnets": ["subnet-x"]}), "The subnet ID 'subnet-x' does not exist"),
        (json!({"subnets": ["subnet-a", "subnet-y"]}), "The subnet ID 'subnet-y' does not exist"),
        (json!({"subnets": vec!["subnet-a"; 17]}), "at most 16"),
        (json!({"subnets": ["subnet-a"], "securityGroups": ["sg-x"]}), "The security group 'sg-x' does not exist"),
        (json!({"subnets": ["subnet-a"], "securityGroups": vec!["sg-default"; 6]}), "at most 5"),
        (
            json!({"subnets": ["subnet-a"], "assignPublicIp": "ENABLED"}),
            "Assign public IP is not supported for this launch type.",
        ),
        (json!({"subnets": ["subnet-a"], "assignPublicIp": "MAYBE"}), "ssignPublicIp"),
    ] {
        let network = json!({"awsvpcConfiguration": configuration});
        refused(vpc(json!({"networkConfiguration": network})), INVALID, sentence).await;
    }
}

#[tokio::test]
async fn platform_versions_that_are_not_there() {
    let sentence = "The platform version must be null when specifying an EC2 launch type.";
    refused(web(json!({"platformVersion": "LATEST"})), INVALID, sentence).await;
    let sentence = "The specified platform does not exist.";
    refused(fargate(json!({"platformVersion": "9.9.9"})), "PlatformUnknownException", sentence).await;
}

#[tokio::test]
async fn a_launch_type_that_the_definition_does_not_support() {
    let sentence = "Task definition does not support launch_type FARGATE.";
    refused(web(json!({"launchType": "FARGATE"})), INVALID, sentence).await;
    refused(web(json!({"launchType": "LUNAR"})), INVALID, "launchType").await;
    refused(web(json!({"launchType": "MANAGED_INSTANCES"})), INVALID, "MANAGED_INSTANCES").await;
}

#[tokio::test]
async fn no_instance_to_run_on() {
    refused(web(json!({"launchType": "EXTERNAL"})), INVALID, "No Container Instances were found in your cluster.")
        .await;
    let stage = stage().await;
    for status in [MembershipStatus::Draining, MembershipStatus::Inactive] {
        let snapshot = stage.context.records().current();
        let node = snapshot.nodes.keys().next().unwrap().clone();
        let id = (stage.cluster("default"), node.clone());
        let membership = model::ecs::Membership { status, ..(*snapshot.membership(&id.0, &node)).clone() };
        let mut draft = Draft::new();
        draft.upsert(&id, snapshot.memberships.get(&id), &membership);
        stage.context.records().commit(draft).await.unwrap();
        refused_on(&stage, web(json!({})), INVALID, "No Container Instances were found in your cluster.").await;
    }
}

#[tokio::test]
async fn placement_that_cannot_be() {
    for (call, sentence) in [
        (json!({"placementConstraints": vec![json!({"type": "distinctInstance"}); 11]}), "at most 10"),
        (json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:x =="}]}), "Invalid expression"),
        (json!({"placementConstraints": [{"type": "memberOf"}]}), "needs an expression"),
        (json!({"placementConstraints": [{"type": "distinctInstance", "expression": "x"}]}), "takes no expression"),
        (json!({"placementConstraints": [{"type": "near"}]}), "placementConstraints"),
        (json!({"placementConstraints": [{}]}), "placement constraint type"),
        (json!({"placementStrategy": vec![json!({"type": "random"}); 6]}), "at most 5"),
        (json!({"placementStrategy": [{"type": "binpack", "field": "disk"}]}), "use cpu or memory"),
        (json!({"placementStrategy": [{"type": "binpack"}]}), "use cpu or memory"),
        (json!({"placementStrategy": [{"type": "spread", "field": "attribute:"}]}), "attribute:NAME"),
        (json!({"placementStrategy": [{"type": "spread"}]}), "attribute:NAME"),
        (json!({"placementStrategy": [{"type": "tetris"}]}), "placementStrategy"),
        (json!({"placementStrategy": [{}]}), "placement strategy type"),
    ] {
        refused(web(call), INVALID, sentence).await;
    }
    let distinct = json!([{"type": "distinctInstance"}]);
    refused(fargate(json!({"placementConstraints": distinct})), INVALID, "Placement constraints are not supported")
        .await;
    let random = json!([{"type": "random"}]);
    refused(fargate(json!({"placementStrategy": random})), INVALID, "Placement strategies are not supported").await;
}

#[tokio::test]
async fn a_services_group_and_names_that_are_too_long() {
    for (call, sentence) in [
        (json!({"group": "service:web"}), "Invalid namespace for group"),
        (json!({"group": "g".repeat(256)}), "at most 255"),
        (json!({"startedBy": "s".repeat(129)}), "at most 128"),
        (json!({"startedBy": "white space"}), "letters, numbers"),
        (json!({"referenceId": "r".repeat(1025)}), "at most 1024"),
        (json!({"clientToken": "t".repeat(65)}), "at most 64"),
        (json!({"clientToken": "white space"}), "from ! to ~"),
    ] {
        refused(web(call), INVALID, sentence).await;
    }
}

#[tokio::test]
async fn tags_that_cannot_be() {
    let many: Vec<Value> = (0..51).map(|n| json!({"key": format!("k{n}")})).collect();
    for (call, sentence) in [
        (json!({"tags": [{"key": "aws:x", "value": "1"}]}), "aws:"),
        (json!({"tags": [{"key": "", "value": "1"}]}), "tags[0].key"),
        (json!({"tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}), "Duplicate"),
        (json!({"tags": many}), "not 51"),
        (json!({"propagateTags": "SERVICE"}), "propagateTags cannot be SERVICE"),
        (json!({"propagateTags": "ALL"}), "propagateTags"),
    ] {
        refused(web(call), INVALID, sentence).await;
    }
}

#[tokio::test]
async fn volumes_that_would_come_from_ebs() {
    let volumes = json!([{"name": "v", "managedEBSVolume": {"roleArn": "arn:aws:iam::000000000000:role/ecs"}}]);
    refused(web(json!({"volumeConfigurations": volumes})), CLIENT, "no EBS volumes").await;
}

#[tokio::test]
async fn overrides_that_do_not_fit_the_definition() {
    let overrides = json!({"containerOverrides": [{"name": "other"}]});
    refused(web(json!({"overrides": overrides})), INVALID, "not a container in the TaskDefinition").await;
}
