//! The operations on container instances, over a stage with the cluster `default` and the node `n1`.

use super::{find, instance_id};
use crate::ecs::arn;
use crate::ecs::deregister_container_instance::deregister_container_instance;
use crate::ecs::describe_container_instances::describe_container_instances;
use crate::ecs::list_container_instances::list_container_instances;
use crate::ecs::update_container_instances_state::update_container_instances_state;
use crate::testing::stage::{Stage, awsvpc, json, network};
use aws_api::ecs;
use aws_protocol::ServiceError;
use model::NodeId;
use model::unit::observed::{ContainerObserved, PortBinding};
use model::unit::spec::Protocol;
use model::unit::{Lifecycle, Observed, StopCause};
use serde_json::{Value, json};

const INVALID: &str = "InvalidParameterException";

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

fn id(stage: &Stage, node: &str) -> String {
    instance_id(&stage.cluster("default"), &NodeId::new(node))
}

async fn describe(stage: &Stage, node: &str, include: &[&str]) -> ecs::ContainerInstance {
    let input = json(json!({ "containerInstances": [id(stage, node)], "include": include }));
    let answer = describe_container_instances(stage.context.clone(), input).await.unwrap();
    assert_eq!(answer.failures, Some(vec![]));
    answer.container_instances.unwrap().remove(0)
}

async fn update(stage: &Stage, input: Value) -> Result<ecs::UpdateContainerInstancesStateOutput, ServiceError> {
    update_container_instances_state(stage.context.clone(), json(input)).await
}

async fn list(stage: &Stage, input: Value) -> Vec<String> {
    let answer = list_container_instances(stage.context.clone(), json(input)).await.unwrap();
    answer.container_instance_arns.unwrap()
}

async fn deregister(stage: &Stage, node: &str, force: bool) -> Result<ecs::ContainerInstance, ServiceError> {
    let input = json(json!({ "containerInstance": id(stage, node), "force": force }));
    let answer = deregister_container_instance(stage.context.clone(), input).await;
    answer.map(|answer| answer.container_instance.unwrap())
}

fn integer(resources: &Option<Vec<ecs::Resource>>, name: &str) -> i32 {
    let found = resources.iter().flatten().find(|resource| resource.name.as_deref() == Some(name)).unwrap();
    assert_eq!(found.r#type.as_deref(), Some("INTEGER"));
    found.integer_value.unwrap()
}

fn ports<'a>(resources: &'a Option<Vec<ecs::Resource>>, name: &str) -> &'a [String] {
    let found = resources.iter().flatten().find(|resource| resource.name.as_deref() == Some(name)).unwrap();
    assert_eq!(found.r#type.as_deref(), Some("STRINGSET"));
    found.string_set_value.as_deref().unwrap()
}

#[tokio::test]
async fn an_instance_is_shown_with_its_capacity_and_what_the_node_says_of_itself() {
    let stage = Stage::new().await;
    let shown = describe(&stage, "n1", &[]).await;
    let arn = arn::container_instance(&stage.cluster("default"), &id(&stage, "n1"));
    assert_eq!(shown.container_instance_arn, Some(arn));
    assert_eq!(shown.ec2_instance_id.as_deref(), Some("n1"));
    assert_eq!((shown.status.as_deref(), shown.agent_connected), (Some("ACTIVE"), Some(true)));
    assert_eq!((shown.running_tasks_count, shown.pending_tasks_count), (Some(0), Some(0)));
    assert_eq!(integer(&shown.registered_resources, "CPU"), 2048);
    assert_eq!(integer(&shown.remaining_resources, "MEMORY"), 1024);
    assert_eq!(ports(&shown.registered_resources, "PORTS_UDP"), [""; 0]);
    assert_eq!(shown.version_info.unwrap().agent_version.as_deref(), Some("1"));
    let attributes = shown.attributes.unwrap();
    let names: Vec<_> = attributes.iter().map(|a| (a.name.as_deref().unwrap(), a.value.as_deref())).collect();
    assert_eq!(
        names,
        [
            ("ecs.availability-zone", Some("us-east-1a")),
            ("ecs.capability.task-eni", None),
            ("ecs.cpu-architecture", Some("x86_64")),
        ]
    );
    assert_eq!((shown.attachments, shown.tags, shown.health_status), (Some(vec![]), Some(vec![]), None));
    assert!(shown.registered_at.is_some());
}

#[tokio::test]
async fn tasks_take_from_what_remains_and_are_counted() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let before = describe(&stage, "n1", &[]).await;
    assert_eq!((before.running_tasks_count, before.pending_tasks_count), (Some(0), Some(1)));
    assert_eq!(integer(&before.remaining_resources, "MEMORY"), 1024 - 64);
    assert_eq!(integer(&before.registered_resources, "MEMORY"), 1024);
    let binding = |host_port, protocol| PortBinding {
        host_ip: "0.0.0.0".parse().unwrap(),
        host_port,
        container_port: 80,
        protocol,
    };
    let container = ContainerObserved {
        name: "app".into(),
        ports: vec![binding(32_768, Protocol::Tcp), binding(5353, Protocol::Udp)],
        ..Default::default()
    };
    let running = Observed { lifecycle: Lifecycle::Running, containers: vec![container], ..Default::default() };
    stage.observe(&task, running).await;
    let after = describe(&stage, "n1", &[]).await;
    assert_eq!((after.running_tasks_count, after.pending_tasks_count), (Some(1), Some(0)));
    assert_eq!(ports(&after.remaining_resources, "PORTS"), ["32768"]);
    assert_eq!(ports(&after.remaining_resources, "PORTS_UDP"), ["5353"]);
}

#[tokio::test]
async fn a_fargate_task_takes_from_what_remains_but_is_not_the_instances() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let run = ecs::RunTaskInput {
        launch_type: Some("FARGATE".to_owned()),
        network_configuration: network(),
        ..crate::testing::stage::call("web")
    };
    assert_eq!(stage.run(run).await.unwrap().tasks.unwrap().len(), 1);
    let shown = describe(&stage, "n1", &[]).await;
    assert_eq!((shown.running_tasks_count, shown.pending_tasks_count), (Some(0), Some(0)));
    assert_eq!(integer(&shown.remaining_resources, "CPU"), 2048 - 256);
    deregister(&stage, "n1", false).await.unwrap();
}

#[tokio::test]
async fn health_is_shown_on_request() {
    let stage = Stage::new().await;
    let health = describe(&stage, "n1", &["CONTAINER_INSTANCE_HEALTH", "TAGS"]).await.health_status.unwrap();
    assert_eq!(health.overall_status.as_deref(), Some("OK"));
    assert_eq!(health.details.unwrap().len(), 2);
    let input = json(json!({ "containerInstances": ["x"], "include": ["HEALTH"] }));
    let refusal = describe_container_instances(stage.context.clone(), input).await;
    refused(refusal, INVALID, "include should be one of [TAGS,CONTAINER_INSTANCE_HEALTH]");
}

#[tokio::test]
async fn what_is_missing_is_a_failure_with_its_arn() {
    let stage = Stage::new().await;
    let other = arn::container_instance(&stage.cluster("other"), &id(&stage, "n1"));
    let input = json(json!({ "containerInstances": ["0123", other] }));
    let answer = describe_container_instances(stage.context.clone(), input).await.unwrap();
    let failures = answer.failures.unwrap();
    let arns: Vec<_> = failures.iter().map(|failure| failure.arn.as_deref().unwrap()).collect();
    assert_eq!(arns, ["arn:aws:ecs:us-east-1:000000000000:container-instance/default/0123", &other]);
    assert!(failures.iter().all(|failure| failure.reason.as_deref() == Some("MISSING")));
}

#[tokio::test]
async fn none_or_too_many_and_unknown_clusters_are_refused() {
    let stage = Stage::new().await;
    for (input, code, sentence) in [
        (json!({ "containerInstances": [] }), INVALID, "Container instances can not be blank."),
        (json!({ "containerInstances": vec!["x"; 101] }), INVALID, "at most 100"),
        (json!({ "cluster": "no", "containerInstances": ["x"] }), "ClusterNotFoundException", "Cluster not found."),
    ] {
        refused(describe_container_instances(stage.context.clone(), json(input)).await, code, sentence);
    }
}

#[tokio::test]
async fn instances_are_listed_by_state_and_by_expression_in_pages() {
    let stage = Stage::new().await;
    stage.node("n2").await;
    let mut both: Vec<String> =
        ["n1", "n2"].map(|n| arn::container_instance(&stage.cluster("default"), &id(&stage, n))).into();
    let second = both[1].clone();
    both.sort();
    assert_eq!(list(&stage, json!({})).await, both);
    let n2 = id(&stage, "n2");
    update(&stage, json!({ "containerInstances": [n2], "status": "DRAINING" })).await.unwrap();
    assert_eq!(list(&stage, json!({ "status": "DRAINING" })).await, std::slice::from_ref(&second));
    assert_eq!(list(&stage, json!({ "status": "ACTIVE" })).await.len(), 1);
    assert_eq!(list(&stage, json!({ "status": "REGISTERING" })).await.len(), 0);
    assert_eq!(list(&stage, json!({ "filter": "ec2InstanceId == n2" })).await, [second]);
    assert_eq!(list(&stage, json!({ "filter": "attribute:ecs.cpu-architecture == arm64" })).await.len(), 0);
    let first = list_container_instances(stage.context.clone(), json(json!({ "maxResults": 1 }))).await.unwrap();
    let next = json!({ "maxResults": 1, "nextToken": first.next_token });
    assert_eq!([first.container_instance_arns.unwrap(), list(&stage, next).await].concat(), both);
    for (input, code, sentence) in [
        (json!({ "status": "INACTIVE" }), INVALID, "status should be one of [ACTIVE,DRAINING,"),
        (json!({ "filter": "attribute:" }), INVALID, "Invalid filter: "),
        (json!({ "maxResults": 101 }), INVALID, "maxResults must be between 1 and 100"),
        (json!({ "nextToken": "?" }), INVALID, "Invalid token"),
        (json!({ "cluster": "no" }), "ClusterNotFoundException", "Cluster not found."),
    ] {
        refused(list_container_instances(stage.context.clone(), json(input)).await, code, sentence);
    }
}

#[tokio::test]
async fn draining_goes_to_and_fro_and_raises_the_version() {
    let stage = Stage::new().await;
    let before = describe(&stage, "n1", &[]).await.version.unwrap();
    let n1 = id(&stage, "n1");
    let answer = update(&stage, json!({ "containerInstances": [n1, "0123"], "status": "DRAINING" })).await.unwrap();
    let drained = answer.container_instances.unwrap().remove(0);
    assert_eq!(drained.status.as_deref(), Some("DRAINING"));
    assert!(drained.version.unwrap() > before);
    assert_eq!(answer.failures.unwrap()[0].reason.as_deref(), Some("MISSING"));
    let answer = update(&stage, json!({ "containerInstances": [n1], "status": "ACTIVE" })).await.unwrap();
    assert_eq!(answer.container_instances.unwrap()[0].status.as_deref(), Some("ACTIVE"));
}

#[tokio::test]
async fn no_other_state_and_no_more_than_ten_instances_are_taken() {
    let stage = Stage::new().await;
    for (input, sentence) in [
        (json!({ "containerInstances": ["x"], "status": "INACTIVE" }), "should be one of [DRAINING,ACTIVE]"),
        (json!({ "containerInstances": ["x"] }), "should be one of [DRAINING,ACTIVE]"),
        (json!({ "containerInstances": [], "status": "ACTIVE" }), "can not be blank"),
        (json!({ "containerInstances": vec!["x"; 11], "status": "ACTIVE" }), "at most 10"),
    ] {
        refused(update(&stage, input).await, INVALID, sentence);
    }
}

#[tokio::test]
async fn an_idle_instance_is_deregistered_for_good_and_still_described() {
    let stage = Stage::new().await;
    assert_eq!(deregister(&stage, "n1", false).await.unwrap().status.as_deref(), Some("INACTIVE"));
    assert_eq!(list(&stage, json!({})).await.len(), 0);
    assert_eq!(describe(&stage, "n1", &[]).await.status.as_deref(), Some("INACTIVE"));
    let n1 = id(&stage, "n1");
    let answer = update(&stage, json!({ "containerInstances": [n1], "status": "ACTIVE" })).await.unwrap();
    assert_eq!(answer.failures.unwrap()[0].reason.as_deref(), Some("INACTIVE"));
    assert_eq!(deregister(&stage, "n1", false).await.unwrap().status.as_deref(), Some("INACTIVE"), "again");
}

#[tokio::test]
async fn running_tasks_need_force_and_are_stopped_by_it() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    refused(deregister(&stage, "n1", false).await, INVALID, "Found running tasks on the instance.");
    assert_eq!(describe(&stage, "n1", &[]).await.status.as_deref(), Some("ACTIVE"), "nothing was changed");
    assert_eq!(deregister(&stage, "n1", true).await.unwrap().status.as_deref(), Some("INACTIVE"));
    let stop = stage.unit(&task).intent.stop.clone().unwrap();
    assert_eq!(
        (stop.by, &*stop.reason),
        (StopCause::UserInitiated, "Container instance deregistration forced by user")
    );
}

#[tokio::test]
async fn deregistering_what_there_is_not_is_refused() {
    let stage = Stage::new().await;
    for (input, code, sentence) in [
        (json!({ "containerInstance": "0123" }), INVALID, "Referenced container instance 0123 not found."),
        (json!({ "containerInstance": "" }), INVALID, "Container instance can not be blank."),
        (json!({ "cluster": "no", "containerInstance": "x" }), "ClusterNotFoundException", "Cluster not found."),
    ] {
        refused(deregister_container_instance(stage.context.clone(), json(input)).await, code, sentence);
    }
}

#[tokio::test]
async fn each_cluster_knows_a_node_by_another_id() {
    let stage = Stage::new().await;
    let node = NodeId::new("n1");
    let (blue, green) = (stage.cluster("blue"), stage.cluster("green"));
    let id = instance_id(&blue, &node);
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(id, instance_id(&blue, &node));
    assert_ne!(id, instance_id(&green, &node));
}

#[tokio::test]
async fn a_node_is_found_by_its_id_and_by_both_forms_of_its_arn_in_its_own_cluster_only() {
    let stage = Stage::new().await;
    let snapshot = stage.context.records().current();
    let (blue, green) = (stage.cluster("blue"), stage.cluster("green"));
    let id = instance_id(&blue, &NodeId::new("n1"));
    let long = arn::container_instance(&blue, &id);
    let short = long.replace("blue/", "");
    for reference in [&id, &long, &short] {
        assert!(find(&snapshot, &blue, reference).is_some(), "{reference}");
        assert!(find(&snapshot, &green, reference).is_none(), "{reference}");
    }
    assert!(find(&snapshot, &blue, &long.replace("us-east-1", "eu-west-1")).is_none());
    assert!(find(&snapshot, &blue, "").is_none());
}
