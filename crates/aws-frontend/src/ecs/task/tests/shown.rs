//! The fields of a task from its first to its last state.

use crate::ecs::task::{Tags, convert};
use crate::testing::NOW;
use crate::testing::stage::{Stage, awsvpc, call, json, network};
use aws_api::ecs::{RegisterTaskDefinitionInput, RunTaskInput, Task};
use model::unit::observed::StopObserved;
use model::unit::spec::Protocol;
use model::unit::{ContainerObserved, ContainerState, Health, Lifecycle, Observed, PortBinding, StopCause};
use serde_json::json;

async fn see(stage: &Stage, task: &Task, observed: Observed) -> Task {
    stage.observe(task, observed).await;
    let unit = stage.unit(task);
    convert(&stage.context.records().current(), &unit, unit.version, Tags::Hidden)
}

fn container(state: ContainerState) -> ContainerObserved {
    ContainerObserved { name: "app".into(), essential: true, state, started_at: Some(NOW), ..Default::default() }
}

fn at(lifecycle: Lifecycle, state: ContainerState) -> Observed {
    Observed { lifecycle, containers: vec![container(state)], ..Default::default() }
}

fn statuses(task: &Task) -> [&str; 3] {
    let container = &task.containers.as_ref().unwrap()[0];
    [&task.last_status, &task.desired_status, &container.last_status].map(|status| status.as_deref().unwrap())
}

#[tokio::test]
async fn a_task_goes_through_its_states_in_order() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let preparing = see(&stage, &task, at(Lifecycle::Preparing, ContainerState::Created)).await;
    assert_eq!(statuses(&preparing), ["PENDING", "RUNNING", "PENDING"]);
    let running = Observed { started_at: Some(NOW), ..at(Lifecycle::Running, ContainerState::Running) };
    let running = see(&stage, &task, running).await;
    assert_eq!(statuses(&running), ["RUNNING", "RUNNING", "RUNNING"]);
    assert_eq!(running.connectivity.as_deref(), Some("CONNECTED"));
    assert!(running.connectivity_at.is_some() && running.started_at.is_some());
    let stopping = see(&stage, &task, at(Lifecycle::Stopping, ContainerState::Running)).await;
    assert_eq!(statuses(&stopping), ["STOPPING", "STOPPED", "RUNNING"]);
    let gone = Observed { execution_stopped_at: Some(NOW), ..at(Lifecycle::Stopping, ContainerState::Stopped) };
    assert_eq!(statuses(&see(&stage, &task, gone).await), ["STOPPING", "STOPPED", "STOPPED"]);
    let stopped = Observed {
        stop: Some(StopObserved { cause: StopCause::EssentialContainerExited, reason: "it exited".to_owned() }),
        stopped_at: Some(NOW),
        ..at(Lifecycle::Stopped, ContainerState::Stopped)
    };
    let stopped = see(&stage, &task, stopped).await;
    assert_eq!(statuses(&stopped), ["STOPPED", "STOPPED", "STOPPED"]);
    assert_eq!(stopped.stop_code.as_deref(), Some("EssentialContainerExited"));
    let versions = [&task, &preparing, &running, &stopping, &stopped].map(|task| task.version.unwrap());
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[tokio::test]
async fn an_interface_is_attached_and_then_deleted() {
    let stage = Stage::new().await;
    stage.register(awsvpc("web")).await;
    let input = RunTaskInput { network_configuration: network(), ..call("web") };
    let task = stage.run(input).await.unwrap().tasks.unwrap().remove(0);
    let pending = see(&stage, &task, at(Lifecycle::Preparing, ContainerState::Pending)).await;
    assert_eq!(statuses(&pending)[0], "PENDING");
    let attachment = pending.attachments.as_ref().unwrap()[0].clone();
    assert_eq!(attachment.status.as_deref(), Some("ATTACHED"));
    let details: Vec<(String, String)> =
        attachment.details.unwrap().into_iter().map(|d| (d.name.unwrap(), d.value.unwrap())).collect();
    let names: Vec<&str> = details.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address"]);
    assert_eq!(details[0].1, "subnet-a");
    assert!(details[1].1.starts_with("eni-") && details[1].1.len() == 21, "{}", details[1].1);
    assert_eq!(details[2].1, "02:b9:0a:2a:00:05");
    assert_eq!(details[3].1, "ip-10-42-0-5.ec2.internal");
    assert_eq!(details[4].1, "10.42.0.5");
    let interface = pending.containers.unwrap()[0].network_interfaces.clone().unwrap().remove(0);
    assert_eq!(interface.attachment_id, attachment.id);
    assert_eq!(interface.private_ipv4_address.as_deref(), Some("10.42.0.5"));
    let leaving = Observed { execution_stopped_at: Some(NOW), ..at(Lifecycle::Stopping, ContainerState::Stopped) };
    assert_eq!(statuses(&see(&stage, &task, leaving).await)[0], "DEPROVISIONING");
    let stopped = see(&stage, &task, at(Lifecycle::Stopped, ContainerState::Stopped)).await;
    assert_eq!(stopped.attachments.unwrap()[0].status.as_deref(), Some("DELETED"));
}

#[tokio::test]
async fn a_container_shows_what_its_node_saw_of_it() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    let seen = ContainerObserved {
        runtime_id: Some("ab".repeat(32).into()),
        image_digest: Some("sha256:00".into()),
        health: Some(Health::Healthy),
        ports: vec![PortBinding {
            host_ip: [0, 0, 0, 0].into(),
            host_port: 32768,
            container_port: 80,
            protocol: Protocol::Tcp,
        }],
        ..container(ContainerState::Running)
    };
    let observed = Observed { lifecycle: Lifecycle::Running, containers: vec![seen.clone()], ..Default::default() };
    let shown = see(&stage, &task, observed).await;
    assert_eq!(shown.health_status.as_deref(), Some("HEALTHY"));
    let container = shown.containers.unwrap().remove(0);
    assert_eq!(container.runtime_id.unwrap().len(), 64);
    assert_eq!(container.image_digest.as_deref(), Some("sha256:00"));
    assert_eq!(container.health_status.as_deref(), Some("HEALTHY"));
    assert_eq!((container.image.as_deref(), container.cpu.as_deref()), (Some("app:1"), Some("0")));
    assert_eq!((container.memory.as_deref(), container.memory_reservation), (Some("64"), None));
    let binding = container.network_bindings.unwrap().remove(0);
    assert_eq!((binding.bind_ip.as_deref(), binding.protocol.as_deref()), (Some("0.0.0.0"), Some("tcp")));
    assert_eq!((binding.container_port, binding.host_port), (Some(80), Some(32768)));

    let ended = ContainerObserved {
        state: ContainerState::Stopped,
        exit_code: Some(137),
        oom_killed: true,
        health: Some(Health::Unhealthy),
        ..seen
    };
    let observed = Observed { lifecycle: Lifecycle::Stopping, containers: vec![ended], ..Default::default() };
    let shown = see(&stage, &task, observed).await;
    assert_eq!(shown.health_status.as_deref(), Some("UNHEALTHY"));
    let container = shown.containers.unwrap().remove(0);
    assert_eq!(container.exit_code, Some(137));
    assert!(container.reason.unwrap().starts_with("OutOfMemoryError"));
}

#[tokio::test]
async fn in_the_hosts_network_the_definitions_ports_are_shown_once_the_container_runs() {
    let stage = Stage::new().await;
    let host: RegisterTaskDefinitionInput = json(json!({
        "family": "web", "networkMode": "host", "containerDefinitions":
            [{"name": "app", "image": "app:1", "memory": 64, "portMappings": [{"containerPort": 8080}]}],
    }));
    stage.register(host).await;
    let task = stage.run(call("web")).await.unwrap().tasks.unwrap().remove(0);
    let bindings = |task: &Task| task.containers.as_ref().unwrap()[0].network_bindings.clone().unwrap();
    assert_eq!(bindings(&task), []);
    let running = see(&stage, &task, at(Lifecycle::Running, ContainerState::Running)).await;
    let binding = bindings(&running).remove(0);
    assert_eq!((binding.container_port, binding.host_port), (Some(8080), Some(8080)));
}

#[tokio::test]
async fn a_task_of_a_node_that_is_away_is_disconnected_and_still_running() {
    let stage = Stage::new().await;
    let task = stage.run_one("web").await;
    stage.observe(&task, at(Lifecycle::Running, ContainerState::Running)).await;
    let snapshot = stage.context.records().current();
    let seen = snapshot.nodes.values().next().unwrap();
    let mut draft = records::Draft::new();
    draft.update(&seen.id, seen, &model::Node { connected: false, ..(*seen.value).clone() });
    stage.context.records().commit(draft).await.unwrap();
    let unit = stage.unit(&task);
    let shown = convert(&stage.context.records().current(), &unit, unit.version, Tags::Hidden);
    assert_eq!((shown.connectivity.as_deref(), shown.connectivity_at), (Some("DISCONNECTED"), None));
    assert_eq!(shown.last_status.as_deref(), Some("RUNNING"));
}
