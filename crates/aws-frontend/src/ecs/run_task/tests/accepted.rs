//! Calls that make tasks, and what the answer and the record say of them.

use crate::testing::stage::{GROUP, SUBNETS, Stage, awsvpc, call, json, network, pairs};
use crate::testing::{definition, deregister, register};
use aws_api::ecs::{RegisterTaskDefinitionInput, RunTaskInput};
use model::unit::{Capacity, Constraint, Lifecycle, Placement, Strategy};
use serde_json::json;

#[tokio::test]
async fn a_task_is_answered_pending_on_its_node() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    let answer = stage.run(call("web")).await.unwrap();
    assert_eq!(answer.failures.unwrap(), []);
    let task = answer.tasks.unwrap().remove(0);
    assert_eq!(task.last_status.as_deref(), Some("PENDING"));
    assert_eq!(task.desired_status.as_deref(), Some("RUNNING"));
    assert_eq!(task.launch_type.as_deref(), Some("EC2"));
    assert_eq!(task.group.as_deref(), Some("family:web"));
    assert_eq!(task.version, Some(2));
    assert_eq!(task.cluster_arn.as_deref(), Some("arn:aws:ecs:us-east-1:000000000000:cluster/default"));
    assert!(task.container_instance_arn.unwrap().contains(":container-instance/default/"));
    assert_eq!(task.task_definition_arn.as_deref(), Some("arn:aws:ecs:us-east-1:000000000000:task-definition/web:1"));
    let id = task.task_arn.as_deref().unwrap().rsplit('/').next().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(task.attachments.unwrap(), []);
    assert_eq!(task.availability_zone.as_deref(), Some("us-east-1a"));
    assert_eq!(task.attributes.unwrap()[0].value.as_deref(), Some("x86_64"));
    assert_eq!((task.cpu.as_deref(), task.memory.as_deref()), (Some("0"), Some("64")));
    let overrides = task.overrides.unwrap();
    assert_eq!(overrides.container_overrides.unwrap()[0].name.as_deref(), Some("app"));
}

#[tokio::test]
async fn a_task_with_an_address_is_provisioning_with_a_precreated_interface() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let input = RunTaskInput { network_configuration: network(), ..call("web") };
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!(task.last_status.as_deref(), Some("PROVISIONING"));
    let attachment = task.attachments.as_ref().unwrap()[0].clone();
    assert_eq!(attachment.r#type.as_deref(), Some("ElasticNetworkInterface"));
    assert_eq!(attachment.status.as_deref(), Some("PRECREATED"));
    let details = attachment.details.unwrap();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0].value.as_deref(), Some(SUBNETS[0]));
    assert_eq!(task.containers.as_ref().unwrap()[0].network_interfaces, Some(Vec::new()));
    let unit = stage.unit(&task);
    assert_eq!(*unit.scheduling.subnets[0], *SUBNETS[0]);
    assert_eq!(*unit.scheduling.security_groups[0], *GROUP);
}

#[tokio::test]
async fn all_tasks_of_a_call_are_one_commit() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.verdict(|_, _| None);
    let before = stage.context.records().current().revision;
    let input = RunTaskInput { count: Some(10), client_token: Some("t".into()), ..call("web") };
    let records = stage.context.records().clone();
    let wait =
        records.wait_for(|snapshot| (!snapshot.units.is_empty()).then_some((snapshot.revision, snapshot.units.len())));
    let (run, seen) = tokio::join!(
        async {
            let call = stage.run(input);
            tokio::pin!(call);
            tokio::select! {
                _ = &mut call => panic!("nobody has placed the tasks"),
                () = async { records.wait_for(|s| (s.units.len() == 10).then_some(())).await.unwrap() } => {}
            }
            stage.verdict(crate::testing::stage::bind);
            // Any commit wakes the placer.
            stage.node("n2").await;
            call.await.unwrap()
        },
        wait
    );
    assert_eq!(seen, Some((before + 1, 10)));
    assert_eq!(run.tasks.unwrap().len(), 10);
}

#[tokio::test]
async fn the_default_revision_is_the_latest_active_one() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        register(&stage.context, "web").await;
    }
    deregister(&stage.context, "web:3").await;
    for (reference, revision) in [
        ("web", "web:2"),
        ("web:1", "web:1"),
        ("arn:aws:ecs:us-east-1:000000000000:task-definition/web:2", "web:2"),
        ("arn:aws:ecs:us-east-1:000000000000:task-definition/web", "web:2"),
    ] {
        let task = stage.run(call(reference)).await.unwrap().tasks.unwrap().remove(0);
        assert!(task.task_definition_arn.unwrap().ends_with(revision), "{reference}");
    }
}

#[tokio::test]
async fn what_the_caller_says_of_a_task_is_echoed() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    let input: RunTaskInput = json(json!({
        "taskDefinition": "web", "cluster": "default", "group": "batch", "startedBy": "cron/nightly-1", "referenceId": "r",
        "enableExecuteCommand": true, "enableECSManagedTags": true, "tags": [{"key": "team", "value": "blue"}],
        "overrides": {"containerOverrides": [{"name": "app", "command": ["sleep", "1"], "cpu": 128}]},
    }));
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!(task.group.as_deref(), Some("batch"));
    assert_eq!(task.started_by.as_deref(), Some("cron/nightly-1"));
    assert_eq!(task.enable_execute_command, Some(true));
    assert_eq!(task.cpu.as_deref(), Some("128"));
    let container = task.containers.as_ref().unwrap()[0].clone();
    let agent = container.managed_agents.unwrap().remove(0);
    assert_eq!((agent.name.as_deref(), agent.last_status.as_deref()), (Some("ExecuteCommandAgent"), Some("PENDING")));
    let overridden = task.overrides.as_ref().unwrap().container_overrides.as_ref().unwrap()[0].clone();
    assert_eq!(overridden.command.unwrap(), ["sleep", "1"]);
    let tags = pairs(task.tags.clone());
    assert_eq!(tags["team"], "blue");
    assert_eq!(tags["aws:ecs:clusterName"], "default");
    let unit = stage.unit(&task);
    assert_eq!(&*unit.scheduling.group, "batch");
    assert!(!unit.scheduling.wait_for_room);
}

#[tokio::test]
async fn a_definitions_tags_are_propagated_and_the_calls_own_win() {
    let stage = Stage::new().await;
    let tagged: RegisterTaskDefinitionInput = RegisterTaskDefinitionInput {
        tags: json(json!([{"key": "a", "value": "definition"}, {"key": "b", "value": "definition"}])),
        ..definition("web")
    };
    stage.register(tagged).await;
    let input: RunTaskInput = json(json!({
        "taskDefinition": "web", "propagateTags": "TASK_DEFINITION", "tags": [{"key": "b", "value": "call"}],
    }));
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    let tags = pairs(task.tags);
    assert_eq!((tags["a"].as_str(), tags["b"].as_str()), ("definition", "call"));
    let task = stage.run(call("web")).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!(task.tags.unwrap(), []);
}

#[tokio::test]
async fn constraints_and_strategies_reach_placement_in_their_order() {
    let stage = Stage::new().await;
    let constrained: RegisterTaskDefinitionInput = RegisterTaskDefinitionInput {
        placement_constraints: json(json!([{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}])),
        ..definition("web")
    };
    stage.register(constrained).await;
    let input: RunTaskInput = json(json!({
        "taskDefinition": "web",
        "placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "agentConnected == true"}],
        "placementStrategy": [
            {"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "spread", "field": "instanceId"},
            {"type": "binpack", "field": "memory"}, {"type": "binpack", "field": "CPU"}, {"type": "random"},
        ],
    }));
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    let scheduling = stage.unit(&task).scheduling.clone();
    let member_of = |expression: &str| Constraint::MemberOf { expression: expression.to_owned() };
    assert_eq!(
        scheduling.constraints,
        [
            member_of("attribute:ecs.os-type == linux"),
            Constraint::DistinctInstance,
            member_of("agentConnected == true")
        ]
    );
    assert_eq!(scheduling.strategy.len(), 5);
    assert_eq!(scheduling.strategy[1], Strategy::Spread { field: "instanceId".to_owned() });
    assert_eq!(scheduling.strategy[4], Strategy::Random);
}

#[tokio::test]
async fn fargate_shows_its_platform_and_no_instance() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    for (given, shown) in [(None, "1.4.0"), (Some("LATEST"), "1.4.0"), (Some("1.3.0"), "1.3.0")] {
        let input = RunTaskInput {
            launch_type: Some("FARGATE".into()),
            platform_version: given.map(str::to_owned),
            network_configuration: network(),
            ..call("web")
        };
        let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
        assert_eq!(task.platform_version.as_deref(), Some(shown));
        assert_eq!(task.platform_family.as_deref(), Some("Linux"));
        assert_eq!(task.launch_type.as_deref(), Some("FARGATE"));
        assert_eq!(task.capacity_provider_name, None);
        assert_eq!(task.container_instance_arn, None);
        assert_eq!(task.ephemeral_storage.as_ref().unwrap().size_in_gi_b, Some(20));
        assert_eq!(task.fargate_ephemeral_storage.as_ref().unwrap().size_in_gi_b, Some(20));
        assert_eq!((task.cpu.as_deref(), task.memory.as_deref()), (Some("256"), Some("512")));
        assert_eq!(stage.unit(&task).scheduling.capacity, Capacity::Serverless);
    }
}

#[tokio::test]
async fn providers_share_the_tasks_of_a_call_by_base_and_weight() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    with_providers(&stage, Vec::new()).await;
    let input: RunTaskInput = json(json!({
        "taskDefinition": "web", "count": 7, "capacityProviderStrategy": [
            {"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 2},
        ],
    }));
    let tasks = stage.run(RunTaskInput { network_configuration: network(), ..input }).await.unwrap().tasks.unwrap();
    let spot: Vec<_> =
        tasks.iter().filter(|task| task.capacity_provider_name.as_deref() == Some("FARGATE_SPOT")).collect();
    assert_eq!((tasks.len(), spot.len()), (7, 4));
    assert_eq!(spot[0].launch_type.as_deref(), Some("FARGATE"));
    assert_eq!(stage.unit(spot[0]).scheduling.capacity, Capacity::ServerlessSpot);
}

#[tokio::test]
async fn a_provider_that_was_made_gives_the_clusters_instances() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    with_providers(&stage, vec![model::ecs::StrategyItem { provider: "mine".to_owned(), base: 0, weight: 1 }]).await;
    let task = stage.run(call("web")).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!((task.launch_type.as_deref(), task.capacity_provider_name.as_deref()), (Some("EC2"), Some("mine")));
    assert!(task.container_instance_arn.is_some());
    assert_eq!(stage.unit(&task).scheduling.capacity, Capacity::Instances);
}

#[tokio::test]
async fn without_a_launch_type_the_clusters_default_strategy_counts() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let item = model::ecs::StrategyItem { provider: "FARGATE_SPOT".to_owned(), base: 0, weight: 1 };
    with_providers(&stage, vec![item]).await;
    let input = RunTaskInput { network_configuration: network(), ..call("web") };
    let task = stage.run(input.clone()).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!(task.capacity_provider_name.as_deref(), Some("FARGATE_SPOT"));
    let explicit = RunTaskInput { launch_type: Some("EC2".into()), ..input };
    let task = stage.run(explicit).await.unwrap().tasks.unwrap().remove(0);
    assert_eq!((task.launch_type.as_deref(), task.capacity_provider_name), (Some("EC2"), None));
}

async fn with_providers(stage: &Stage, default_strategy: Vec<model::ecs::StrategyItem>) {
    let snapshot = stage.context.records().current();
    let seen = snapshot.clusters.get(&stage.cluster("default")).unwrap();
    let capacity_providers = vec!["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()];
    let cluster = model::ecs::Cluster { capacity_providers, default_strategy, ..(*seen.value).clone() };
    let mut draft = records::Draft::new();
    draft.update(&seen.id, seen, &cluster);
    stage.context.records().commit(draft).await.unwrap();
}

/// A definition with a feature that no node has.
fn unsupported(family: &str) -> RegisterTaskDefinitionInput {
    let mut input = awsvpc(family);
    input.volumes = json(json!([{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]));
    input
}

#[tokio::test]
async fn what_no_node_can_do_stops_a_fargate_task_after_it_was_accepted() {
    let stage = Stage::new().await;
    stage.register(unsupported("web")).await;
    let input = RunTaskInput { launch_type: Some("FARGATE".into()), network_configuration: network(), ..call("web") };
    let answer = stage.run(input).await.unwrap();
    assert_eq!(answer.failures.unwrap(), []);
    let accepted = answer.tasks.unwrap().remove(0);
    assert_eq!(accepted.last_status.as_deref(), Some("PROVISIONING"));
    assert_eq!(accepted.desired_status.as_deref(), Some("RUNNING"));
    let unit = stage.unit(&accepted);
    assert_eq!((unit.observed.lifecycle, &unit.placement), (Lifecycle::Stopped, &Placement::Pending));
    let snapshot = stage.context.records().current();
    let task = crate::ecs::task::convert(&snapshot, &unit, unit.version, crate::ecs::task::Tags::Hidden);
    assert_eq!(task.last_status.as_deref(), Some("STOPPED"));
    assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
    let reason = task.stopped_reason.unwrap();
    assert!(reason.starts_with("ResourceInitializationError: ") && reason.contains("EFS"), "{reason}");
    assert!(task.stopped_at.is_some());
    assert_eq!(task.attachments.unwrap()[0].status.as_deref(), Some("DELETED"));
    // Nothing awaits placement, no resource is held, and the collector knows its end.
    assert_eq!(snapshot.awaiting_placement().count(), 0);
    assert_eq!(snapshot.ended_units().count(), 1);
    assert_eq!(model::invariants::check(&snapshot), Vec::<String>::new());
}

#[tokio::test]
async fn what_no_node_can_do_is_an_attribute_that_placement_looks_for() {
    let stage = Stage::new().await;
    stage.register(unsupported("web")).await;
    let input = RunTaskInput { network_configuration: network(), ..call("web") };
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    let wanted = &stage.unit(&task).scheduling.required_attributes;
    assert!(wanted.iter().any(|name| name == "ecs.capability.efs"), "{wanted:?}");
}

#[tokio::test]
async fn assign_public_ip_is_kept_for_fargate() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let input: RunTaskInput = json(json!({
        "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration":
            {"subnets": ["subnet-b", "subnet-c"], "securityGroups": ["sg-default"], "assignPublicIp": "ENABLED"}},
    }));
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    let unit = stage.unit(&task);
    assert!(crate::ecs::task::face(&unit).assign_public_ip);
    assert_eq!(unit.scheduling.subnets.len(), 2);
    assert_eq!(task.availability_zone.as_deref(), Some("us-east-1b"));
}

#[tokio::test]
async fn a_task_that_is_stopped_while_it_waits_ends_the_wait() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.verdict(|_, _| None);
    let records = stage.context.records().clone();
    let stop = async {
        let name = records.wait_for(|s| s.units.keys().next().cloned()).await.unwrap();
        let input = aws_api::ecs::StopTaskInput { task: Some(name.short().to_owned()), ..Default::default() };
        crate::ecs::stop_task::stop_task(stage.context.clone(), input).await.unwrap().task.unwrap()
    };
    let (answer, stopped) = tokio::join!(stage.run(call("web")), stop);
    let task = answer.unwrap().tasks.unwrap().remove(0);
    assert_eq!((task.task_arn, task.last_status), (stopped.task_arn, Some("STOPPED".to_owned())));
}
