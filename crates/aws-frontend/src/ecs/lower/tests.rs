//! What a definition and overrides become: one whole golden, and a case for each rule.

use super::*;
use crate::ecs::register_task_definition::prepare;
use model::unit::spec::{
    ContainerSpec, DependencyCondition, HealthCheck, Input, LogMode, LogSink, NamespaceScope, NetworkMode, PortSpec,
    Protocol, VolumeSource,
};
use serde_json::{Value, json};

const EC2: Launch = Launch { launch_type: LaunchType::Ec2, default_log_mode: DefaultLogMode::NonBlocking };
const FARGATE: Launch = Launch { launch_type: LaunchType::Fargate, ..EC2 };

/// A stored definition of the family `web`, revision 7.
fn stored(document: &Value) -> ecs::TaskDefinition {
    let input = serde_json::from_value(document.clone()).unwrap();
    let prepared = prepare(input).unwrap_or_else(|error| panic!("{error}\n{document:#}"));
    ecs::TaskDefinition { revision: Some(7), ..prepared }
}

fn task(mut of_task: Value, container: Value) -> Value {
    let mut whole = json!({ "name": "app", "image": "app:1", "memory": 64 });
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    of_task["family"] = json!("web");
    of_task["containerDefinitions"] = json!([whole]);
    of_task
}

fn fargate(container: Value) -> Value {
    task(json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "executionRoleArn": "exec" }), container)
}

fn overrides(document: Value) -> ecs::TaskOverride {
    serde_json::from_value(document).unwrap()
}

fn lowered(document: &Value) -> Lowered {
    lower(&stored(document), &Default::default(), EC2).unwrap()
}

/// The only container of a definition, lowered for EC2.
fn one(container: Value) -> ContainerSpec {
    lowered(&task(json!({}), container)).spec.containers.remove(0)
}

#[test]
fn a_definition_of_every_supported_field_becomes_this_spec() {
    let document = include_str!("../register_task_definition/tests/everything_supported.json");
    let lowered = lowered(&serde_json::from_str(document).unwrap());
    let golden: UnitSpec = serde_json::from_str(include_str!("tests/everything_supported.spec.json")).unwrap();
    let now = serde_json::to_value(&lowered.spec).unwrap();
    assert_eq!(lowered.spec, golden, "the spec is now\n{now:#}");
    assert_eq!(lowered.unsupported, []);
    let expression = "attribute:ecs.os-type == linux".to_owned();
    assert_eq!(lowered.constraints, [Constraint::MemberOf { expression }]);
    assert_eq!(lowered.required_attributes[..2], ["ecs.os-type=linux", "ecs.cpu-architecture=x86_64"]);
}

#[test]
fn equal_definitions_become_equal_specs() {
    let document = task(json!({}), json!({ "environment": [{ "name": "A", "value": "1" }] }));
    assert_eq!(
        records::units::spec_hash(&lowered(&document).spec),
        records::units::spec_hash(&lowered(&document).spec)
    );
}

#[test]
fn network_modes_decide_what_is_published() {
    let ports = json!({ "portMappings": [{ "containerPort": 80 }, { "containerPort": 53, "protocol": "udp" }] });
    let port = |container_port, host_port, protocol| PortSpec { container_port, host_port, protocol };
    for (mode, network, published) in [
        (None, NetworkMode::PerContainer, vec![port(80, 0, Protocol::Tcp), port(53, 0, Protocol::Udp)]),
        (Some("bridge"), NetworkMode::PerContainer, vec![port(80, 0, Protocol::Tcp), port(53, 0, Protocol::Udp)]),
        (Some("host"), NetworkMode::Host, vec![port(80, 80, Protocol::Tcp), port(53, 53, Protocol::Udp)]),
        (Some("awsvpc"), NetworkMode::Unit, vec![]),
    ] {
        let of_task = mode.map_or(json!({}), |mode| json!({ "networkMode": mode }));
        let spec = lowered(&task(of_task, ports.clone())).spec;
        assert_eq!((spec.network, &spec.containers[0].ports), (network, &published), "{mode:?}");
    }
    assert_eq!(lowered(&task(json!({ "networkMode": "none" }), json!({}))).spec.network, NetworkMode::None);
}

#[test]
fn namespaces_are_the_containers_own_the_tasks_or_the_hosts() {
    for (pid, ipc, expected) in [
        (json!({}), json!({}), (NamespaceScope::Container, NamespaceScope::Container)),
        (json!("host"), json!("host"), (NamespaceScope::Host, NamespaceScope::Host)),
        (json!("task"), json!("task"), (NamespaceScope::Unit, NamespaceScope::Unit)),
        (json!("task"), json!("none"), (NamespaceScope::Unit, NamespaceScope::Private)),
    ] {
        let of_task = if pid.is_string() { json!({ "pidMode": pid, "ipcMode": ipc }) } else { json!({}) };
        let spec = lowered(&task(of_task, json!({}))).spec;
        assert_eq!((spec.pid, spec.ipc), expected);
    }
}

#[test]
fn placement_reserves_the_tasks_size_or_the_sum_of_soft_limits() {
    let reserve = |of_task: Value, container: Value| {
        let lowered = lowered(&task(of_task, container));
        let limits = lowered.spec.limits;
        let reserve = lowered.spec.reserve;
        (
            reserve.cpu.ecs_units(),
            reserve.memory.mib(),
            limits.cpu.map(|c| c.ecs_units()),
            limits.memory.map(|m| m.mib()),
        )
    };
    assert_eq!(reserve(json!({}), json!({ "cpu": 10 })), (10, 64, None, None));
    assert_eq!(reserve(json!({}), json!({ "memoryReservation": 32 })), (0, 32, None, None));
    let size = json!({ "cpu": "256", "memory": "128" });
    assert_eq!(reserve(size, json!({ "cpu": 10 })), (256, 128, Some(256), Some(128)));
}

#[test]
fn a_task_echoes_its_size_or_the_sum_of_its_containers() {
    let mut document = task(json!({}), json!({ "cpu": 10, "memoryReservation": 32 }));
    let second = json!({ "name": "b", "image": "b:1", "memoryReservation": 16 });
    document["containerDefinitions"].as_array_mut().unwrap().push(second);
    let lowered = lowered(&document);
    assert_eq!((lowered.cpu.as_deref(), lowered.memory.as_deref()), (Some("10"), Some("80")));
    let echoed = &lowered.containers[1];
    assert_eq!((&*echoed.cpu, echoed.memory.as_deref(), echoed.memory_reservation.as_deref()), ("0", None, Some("16")));
    let face = echoed.face("id");
    assert_eq!((&*face.name, &*face.id, &*face.image), ("b", "id", "b:1"));
}

#[test]
fn fargate_gives_storage_and_a_size_that_it_has() {
    let lowered = lower(&stored(&fargate(json!({}))), &Default::default(), FARGATE).unwrap();
    assert_eq!(lowered.ephemeral_storage_gib, Some(20));
    assert_eq!(lowered.execution_role_arn.as_deref(), Some("exec"));
    let own = fargate(json!({ "ulimits": [{ "name": "nofile", "softLimit": 1, "hardLimit": 2 }] }));
    let lowered = lower(&stored(&own), &Default::default(), FARGATE).unwrap();
    assert_eq!((lowered.spec.containers[0].rlimits[0].soft, lowered.spec.containers[0].rlimits.len()), (1, 1));
    assert_eq!(one(json!({})).rlimits, []);
}

#[test]
fn a_launch_type_that_the_definition_does_not_support_is_refused() {
    let document = stored(&task(json!({}), json!({})));
    let error = lower(&document, &Default::default(), FARGATE).unwrap_err();
    assert_eq!(error.to_string(), "InvalidParameterException: Task definition does not support launch_type FARGATE.");
    let external = Launch { launch_type: LaunchType::External, ..EC2 };
    assert!(lower(&document, &Default::default(), external).is_ok());
    assert!(lower(&stored(&fargate(json!({}))), &Default::default(), external).is_err());
}

#[test]
fn awslogs_goes_to_a_stream_of_the_task_and_container() {
    let log = |options: Value, default_log_mode| {
        let mut all = json!({ "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1" });
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let log = json!({ "logConfiguration": { "logDriver": "awslogs", "options": all } });
        let launch = Launch { default_log_mode, ..EC2 };
        lower(&stored(&task(json!({}), log)), &Default::default(), launch).unwrap().spec.containers.remove(0).log
    };
    let stream = |stream: &str, create_group, mode| LogSink::Stream {
        group: "/ecs/web".into(),
        stream: stream.into(),
        create_group,
        mode,
    };
    let buffer = |mib: u64| LogMode::NonBlocking { max_buffer_bytes: mib << 20 };
    for (options, default, expected) in [
        (json!({}), DefaultLogMode::NonBlocking, stream("{uid}-app", false, buffer(10))),
        (json!({}), DefaultLogMode::Blocking, stream("{uid}-app", false, LogMode::Blocking)),
        (
            json!({ "awslogs-stream-prefix": "p" }),
            DefaultLogMode::Blocking,
            stream("p/app/{uid}", false, LogMode::Blocking),
        ),
        (json!({ "awslogs-create-group": "True" }), DefaultLogMode::NonBlocking, stream("{uid}-app", true, buffer(10))),
        (json!({ "mode": "blocking" }), DefaultLogMode::NonBlocking, stream("{uid}-app", false, LogMode::Blocking)),
        (
            json!({ "mode": "non-blocking", "max-buffer-size": "25m" }),
            DefaultLogMode::Blocking,
            stream("{uid}-app", false, buffer(25)),
        ),
    ] {
        assert_eq!(log(options.clone(), default), expected, "{options}");
    }
}

#[test]
fn json_file_keeps_its_limits_and_no_driver_is_the_nodes_own_file() {
    let options = json!({ "max-size": "10m", "max-file": "3" });
    let log = json!({ "logConfiguration": { "logDriver": "json-file", "options": options } });
    assert_eq!(one(log).log, LogSink::Node { max_file_bytes: Some(10 << 20), max_files: Some(3) });
    assert_eq!(one(json!({})).log, LogSink::Node { max_file_bytes: None, max_files: None });
}

#[test]
fn a_shell_health_check_is_wrapped_and_an_exec_one_is_not() {
    let command = |command: Value| one(json!({ "healthCheck": { "command": command } })).health_check.unwrap();
    let shell = command(json!(["CMD-SHELL", "curl -f localhost"]));
    assert_eq!(shell.command, ["/bin/sh", "-c", "curl -f localhost"]);
    let words = ["/bin/check".to_owned(), "-v".to_owned()].to_vec();
    let exec = HealthCheck { command: words, interval_s: 30, timeout_s: 5, retries: 3, start_period_s: 0 };
    assert_eq!(command(json!(["CMD", "/bin/check", "-v"])), exec);
}

#[test]
fn links_and_volumes_from_wait_for_a_start_unless_more_is_said() {
    let mut document = task(
        json!({}),
        json!({ "links": ["b:x", "c"], "volumesFrom": [{ "sourceContainer": "d" }],
        "dependsOn": [{ "containerName": "c", "condition": "COMPLETE" }] }),
    );
    for name in ["b", "c", "d"] {
        let more = json!({ "name": name, "image": "b:1", "memory": 6, "essential": false });
        document["containerDefinitions"].as_array_mut().unwrap().push(more);
    }
    let spec = lowered(&document).spec;
    let waits: Vec<_> = spec.containers[0].start_after.iter().map(|d| (&*d.container, d.condition)).collect();
    assert_eq!(
        waits,
        [
            ("c", DependencyCondition::Completed),
            ("b", DependencyCondition::Started),
            ("d", DependencyCondition::Started),
        ]
    );
}

#[test]
fn volumes_become_what_the_node_knows_and_others_are_left_out_with_their_mounts() {
    let document = task(
        json!({ "volumes": [
            { "name": "empty" }, { "name": "host", "host": { "sourcePath": "/srv" } },
            { "name": "efs", "efsVolumeConfiguration": { "fileSystemId": "fs-1" } },
        ]}),
        json!({ "mountPoints": [
            { "sourceVolume": "efs", "containerPath": "/efs" }, { "sourceVolume": "host", "containerPath": "/srv" },
        ]}),
    );
    let lowered = lowered(&document);
    let sources: Vec<_> = lowered.spec.volumes.iter().map(|v| (&*v.name, v.source.clone())).collect();
    assert_eq!(sources, [("empty", VolumeSource::Ephemeral), ("host", VolumeSource::Host { path: "/srv".into() })]);
    assert_eq!(lowered.spec.containers[0].mounts.len(), 1);
    assert!(lowered.unsupported.iter().any(|u| u.attribute == "ecs.capability.efs" && u.feature == "EFS volumes"));
    assert!(lowered.required_attributes.contains(&"ecs.capability.efs".to_owned()));
}

#[test]
fn swap_counts_only_with_a_maximum_and_a_disabled_restart_policy_not_at_all() {
    let linux = |parameters: Value| one(json!({ "linuxParameters": parameters })).linux;
    assert_eq!((linux(json!({ "swappiness": 10 })).swappiness, linux(json!({})).max_swap), (None, None));
    let swap = linux(json!({ "maxSwap": 8, "swappiness": 10 }));
    assert_eq!((swap.max_swap.map(|m| m.mib()), swap.swappiness), (Some(8), Some(10)));
    assert_eq!(one(json!({ "restartPolicy": { "enabled": false } })).restart, None);
    assert_eq!(one(json!({ "restartPolicy": { "enabled": true } })).restart.unwrap().attempt_period_s, 300);
}

#[test]
fn windows_is_a_platform_that_no_node_has() {
    let platform = json!({ "runtimePlatform": { "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE" } });
    let lowered = lowered(&task(platform, json!({})));
    assert_eq!(lowered.unsupported[0].attribute, "ecs.os-family=WINDOWS_SERVER_2022_CORE");
    assert_eq!(lowered.required_attributes[0], "ecs.os-family=WINDOWS_SERVER_2022_CORE");
}

#[test]
fn container_overrides_replace_the_command_and_merge_the_environment_by_name() {
    let defined = json!({ "command": ["a"], "cpu": 1, "memoryReservation": 8,
        "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }] });
    let given =
        overrides(json!({ "containerOverrides": [{ "name": "app", "command": ["b", "c"], "cpu": 2, "memory": 128,
        "memoryReservation": 16, "environment": [{ "name": "B", "value": "3" }, { "name": "C", "value": "4" }] }] }));
    let lowered = lower(&stored(&task(json!({}), defined)), &given, EC2).unwrap();
    let container = &lowered.spec.containers[0];
    assert_eq!(container.command.as_deref(), Some(&["b".to_owned(), "c".to_owned()][..]));
    let env: Vec<_> = container.env.iter().map(|(name, value)| (&**name, value.clone())).collect();
    let literal = |value: &str| Input::literal(value);
    assert_eq!(env, [("A", literal("1")), ("B", literal("3")), ("C", literal("4"))]);
    assert_eq!(container.cpu.ecs_units(), 2);
    assert_eq!((container.memory_hard.map(|m| m.mib()), container.memory_soft.map(|m| m.mib())), (Some(128), Some(16)));
    assert_eq!(lowered.spec.reserve.memory.mib(), 16);
    assert_eq!((&*lowered.containers[0].cpu, lowered.containers[0].memory.as_deref()), ("2", Some("128")));
}

#[test]
fn task_overrides_replace_size_roles_and_storage() {
    let given = overrides(json!({ "cpu": "1 vCPU", "memory": "2 GB", "taskRoleArn": "t", "executionRoleArn": "e",
        "ephemeralStorage": { "sizeInGiB": 50 } }));
    let lowered = lower(&stored(&fargate(json!({}))), &given, FARGATE).unwrap();
    assert_eq!((lowered.cpu.as_deref(), lowered.memory.as_deref()), (Some("1024"), Some("2048")));
    assert_eq!((lowered.spec.reserve.cpu.ecs_units(), lowered.spec.limits.memory.map(|m| m.mib())), (1024, Some(2048)));
    assert_eq!((lowered.task_role_arn.as_deref(), lowered.execution_role_arn.as_deref()), (Some("t"), Some("e")));
    assert_eq!(lowered.ephemeral_storage_gib, Some(50));
}

#[test]
fn overrides_are_echoed_with_every_container_named() {
    let mut document = task(json!({}), json!({}));
    let second = json!({ "name": "b", "image": "b:1", "memory": 6 });
    document["containerDefinitions"].as_array_mut().unwrap().push(second);
    let given = overrides(json!({ "containerOverrides": [{ "name": "b", "cpu": 5 }], "cpu": "1 vCPU" }));
    let lowered = lower(&stored(&document), &given, EC2).unwrap();
    assert_eq!(
        serde_json::to_value(&lowered.overrides).unwrap(),
        json!({ "containerOverrides": [{ "name": "app" }, { "name": "b", "cpu": 5 }], "cpu": "1024",
            "inferenceAcceleratorOverrides": [] })
    );
    let again = lower(&stored(&document), &lowered.overrides, EC2).unwrap();
    assert_eq!(again, lowered);
}

#[test]
fn an_override_may_bring_what_no_node_has() {
    let files = json!([{ "type": "s3", "value": "arn:aws:s3:::b/x.env" }]);
    for (change, attribute) in [
        (json!({ "environmentFiles": files }), "ecs.capability.env-files.s3"),
        (json!({ "resourceRequirements": [{ "type": "GPU", "value": "1" }] }), "ecs.capability.gpu-driver-version"),
    ] {
        let mut container = change;
        container["name"] = json!("app");
        let given = overrides(json!({ "containerOverrides": [container] }));
        let lowered = lower(&stored(&task(json!({}), json!({}))), &given, EC2).unwrap();
        let lacking: Vec<&str> = lowered.unsupported.iter().map(|u| u.attribute.as_str()).collect();
        assert_eq!(lacking, [attribute]);
    }
}

#[test]
fn overrides_that_cannot_be_are_invalid_parameters() {
    let one = |change: Value| {
        let mut container = json!({ "name": "app" });
        container.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "containerOverrides": [container] })
    };
    let ec2 = task(json!({ "cpu": "256", "memory": "512" }), json!({}));
    for (document, launch, given, sentence) in [
        (
            &ec2,
            EC2,
            one(json!({ "name": "db" })),
            "Override for container named db is not a container in the TaskDefinition.",
        ),
        (
            &ec2,
            EC2,
            json!({ "containerOverrides": [{ "command": ["x"] }] }),
            "Override for container named  is not a container",
        ),
        (
            &ec2,
            EC2,
            json!({ "containerOverrides": [{ "name": "app" }, { "name": "app" }] }),
            "two overrides for the container named app",
        ),
        (&ec2, EC2, one(json!({ "cpu": -1 })), "'cpu' must not be negative"),
        (&ec2, EC2, one(json!({ "memory": 5 })), "'memory' must be at least 6 MiB"),
        (
            &ec2,
            EC2,
            one(json!({ "memoryReservation": 65 })),
            "'memory' must be greater than or equal to 'memoryReservation'",
        ),
        (
            &ec2,
            EC2,
            one(json!({ "environment": [{ "name": "A=B" }] })),
            "'A=B' is not the name of an environment variable",
        ),
        (&ec2, EC2, one(json!({ "command": ["x".repeat(8193)] })), "Container Overrides length must be at most 8192"),
        (&ec2, EC2, one(json!({ "cpu": 257 })), "The sum of all container 'cpu' values"),
        (
            &ec2,
            EC2,
            one(json!({ "memory": 513 })),
            "The 'memory' setting for container 'app' is greater than for the task.",
        ),
        (&ec2, EC2, json!({ "cpu": "many" }), "Invalid 'cpu' setting for task: 'many'."),
        (&ec2, EC2, json!({ "memory": "0" }), "Invalid 'memory' setting for task: '0'."),
        (&ec2, EC2, json!({ "ephemeralStorage": { "sizeInGiB": 30 } }), "only supported for Fargate tasks"),
        (&ec2, EC2, json!({ "inferenceAcceleratorOverrides": [{ "deviceName": "d" }] }), "the inference accelerator d"),
        (
            &fargate(json!({})),
            FARGATE,
            json!({ "memory": "4096" }),
            "No Fargate configuration exists for given values: 256 CPU, 4096 memory.",
        ),
        (&fargate(json!({})), FARGATE, json!({ "ephemeralStorage": { "sizeInGiB": 201 } }), "from 21 to 200 GiB"),
    ] {
        let error = lower(&stored(document), &overrides(given), launch).unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains(sentence), "wanted: {sentence}\nfound: {}", error.message);
    }
}

#[test]
fn ranges_too_wide_to_publish_are_a_feature_that_no_node_has_in_bridge_mode_only() {
    let range = |text: &str| json!({ "portMappings": [{ "containerPortRange": text }] });
    assert_eq!(one(range("1-1000")).ports.len(), 1000);
    let wide = lowered(&task(json!({}), range("1-1001")));
    assert_eq!(wide.unsupported[0].attribute, "bayplan.capability.wide-port-ranges");
    assert_eq!(wide.spec.containers[0].ports, []);
    assert_eq!(lowered(&task(json!({ "networkMode": "awsvpc" }), range("1-65535"))).unsupported, []);
}
