//! Tasks that no node takes: ECS's reasons, the instance, and what the machine lacks in plain words.

use crate::testing::definition;
use crate::testing::stage::{Stage, awsvpc, bind, call, network};
use aws_api::ecs::{Failure, RunTaskInput};
use model::NodeId;
use model::unit::placement::Shortage;
use model::unit::{Placement, Refusal};

fn on(node: &str, shortage: Shortage) -> Refusal {
    Refusal { nodes: vec![(NodeId::new(node), shortage.clone())], main: shortage }
}

async fn failure(shortage: Shortage) -> Failure {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.refuse(on("n1", shortage));
    let answer = stage.run(call("web")).await.unwrap();
    assert_eq!(answer.tasks.unwrap(), []);
    let mut failures = answer.failures.unwrap();
    assert_eq!(failures.len(), 1);
    failures.remove(0)
}

#[tokio::test]
async fn each_lack_has_ecs_reason_and_names_the_instance_and_the_cause() {
    for (shortage, reason, detail) in [
        (Shortage::Cpu, "RESOURCE:CPU", "needs 0 CPU units, 2048 of 2048 are free"),
        (Shortage::Memory, "RESOURCE:MEMORY", "needs 64 MiB, 1024 of 1024 are free"),
        (Shortage::Ports { taken: vec![80, 443] }, "RESOURCE:PORTS", "80, 443"),
        (Shortage::Addresses { subnet: "subnet-a".into() }, "RESOURCE:ENI", "subnet-a"),
        (Shortage::Attribute { name: "ecs.capability.efs".into() }, "ATTRIBUTE", "ecs.capability.efs"),
        (Shortage::Agent, "AGENT", "not connected"),
        (Shortage::NotActive, "INACTIVE", "draining"),
        (
            Shortage::Constraint { expression: "attribute:rack == 7".into() },
            "MemberOf placement constraint unsatisfied.",
            "attribute:rack == 7",
        ),
        (Shortage::Distinct, "DistinctInstance placement constraint unsatisfied.", "another"),
    ] {
        let failure = failure(shortage).await;
        assert_eq!(failure.reason.as_deref(), Some(reason));
        let words = failure.detail.unwrap();
        assert!(words.starts_with("host-n1: ") && words.contains(detail) && words.ends_with('.'), "{words}");
        assert!(failure.arn.unwrap().starts_with("arn:aws:ecs:us-east-1:000000000000:container-instance/default/"));
    }
}

#[tokio::test]
async fn no_node_at_all_is_said_without_an_instance() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.refuse(Refusal { nodes: Vec::new(), main: Shortage::NoNode });
    let failure = stage.run(call("web")).await.unwrap().failures.unwrap().remove(0);
    assert_eq!(failure.arn, None);
    assert_eq!(failure.reason.as_deref(), Some("No Container Instances were found in your cluster."));
}

#[tokio::test]
async fn each_instance_that_was_looked_at_is_one_failure() {
    let stage = Stage::new().await;
    stage.node("n2").await;
    stage.register(definition("web")).await;
    let nodes = vec![(NodeId::new("n1"), Shortage::Memory), (NodeId::new("n2"), Shortage::Agent)];
    stage.refuse(Refusal { nodes, main: Shortage::Memory });
    let input = RunTaskInput { count: Some(3), ..call("web") };
    let failures = stage.run(input).await.unwrap().failures.unwrap();
    let reasons: Vec<_> = failures.iter().map(|f| f.reason.as_deref().unwrap()).collect();
    assert_eq!(reasons, ["RESOURCE:MEMORY", "AGENT"]);
    assert_ne!(failures[0].arn, failures[1].arn);
}

#[tokio::test]
async fn some_tasks_may_run_while_others_find_no_room() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    let room = std::sync::atomic::AtomicUsize::new(3);
    stage.verdict(move |snapshot, unit| {
        use std::sync::atomic::Ordering::Relaxed;
        let fits = room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1)).is_ok();
        if fits { bind(snapshot, unit) } else { Some(Placement::Refused(on("n1", Shortage::Memory))) }
    });
    let input = RunTaskInput { count: Some(5), ..call("web") };
    let answer = stage.run(input).await.unwrap();
    let tasks = answer.tasks.unwrap();
    assert_eq!(tasks.len(), 3);
    assert!(tasks.iter().all(|task| task.container_instance_arn.is_some()));
    let reasons: Vec<_> = answer.failures.unwrap().into_iter().map(|failure| failure.reason.unwrap()).collect();
    assert_eq!(reasons, ["RESOURCE:MEMORY"]);
}

#[tokio::test]
async fn fargate_without_room_has_no_instance_to_name() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let input = RunTaskInput { launch_type: Some("FARGATE".into()), network_configuration: network(), ..call("web") };
    stage.refuse(on("n1", Shortage::Cpu));
    let failure = stage.run(input.clone()).await.unwrap().failures.unwrap().remove(0);
    assert_eq!(failure.arn, None);
    assert!(failure.reason.unwrap().starts_with("Capacity is unavailable at this time."));
    assert!(failure.detail.unwrap().contains("needs 256 CPU units"));
    stage.refuse(on("n1", Shortage::Addresses { subnet: "subnet-a".into() }));
    let failure = stage.run(input).await.unwrap().failures.unwrap().remove(0);
    assert_eq!((failure.arn, failure.reason.as_deref()), (None, Some("RESOURCE:ENI")));
}

#[tokio::test]
async fn a_refused_task_leaves_nothing_behind() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.refuse(on("n1", Shortage::Memory));
    stage.run(RunTaskInput { count: Some(10), ..call("web") }).await.unwrap();
    let empty = stage.context.records().wait_for(|snapshot| snapshot.units.is_empty().then_some(()));
    empty.await.unwrap();
}

#[tokio::test]
async fn a_task_that_is_gone_before_its_answer_was_seen_is_said_to_be_missing() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.verdict(|_, _| None);
    let records = stage.context.records().clone();
    let forget = async {
        let name = records.wait_for(|snapshot| snapshot.units.keys().next().cloned()).await.unwrap();
        crate::testing::forget(&stage.context, &name).await;
        name
    };
    let (answer, name) = tokio::join!(stage.run(call("web")), forget);
    let failure = answer.unwrap().failures.unwrap().remove(0);
    assert_eq!(failure.reason.as_deref(), Some("MISSING"));
    assert!(failure.arn.unwrap().ends_with(name.short()));
}
