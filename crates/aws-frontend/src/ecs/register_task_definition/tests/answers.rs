//! What is stored and answered: ECS's defaults, every field that was given, and the attributes that a node needs for it.

use super::*;
use crate::ecs::describe_task_definition::describe_task_definition;
use aws_api::ecs::DescribeTaskDefinitionInput;
use proptest::prelude::*;

async fn registered(context: &Context, document: &Value) -> Value {
    let answer = register_task_definition(context.clone(), input(document)).await.unwrap_or_else(|e| panic!("{e}"));
    serde_json::to_value(answer.task_definition.unwrap()).unwrap()
}

/// `requiresAttributes` by name, sorted, without the two prefixes.
fn attributes(document: &Value) -> Vec<String> {
    let names = requires_attributes(&prepared(document)).into_iter().map(|a| a.name.unwrap());
    let short = |n: String| n.replace("com.amazonaws.ecs.capability.", "").replace("ecs.capability.", "");
    let mut names: Vec<String> = names.map(short).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_smallest_definition_is_answered_with_every_default_of_ecs() {
    let context = testing::context().await;
    assert_eq!(
        registered(&context, &container(json!({ "portMappings": [{ "containerPort": 80 }] }))).await,
        json!({
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1",
            "containerDefinitions": [{
                "name": "app", "image": "app:1", "cpu": 0, "memory": 64,
                "portMappings": [{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }],
                "essential": true, "environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": [],
            }],
            "family": "web", "revision": 1, "volumes": [], "status": "ACTIVE", "placementConstraints": [],
            "compatibilities": ["EXTERNAL", "EC2"],
            "registeredAt": 1_767_225_600.0, "registeredBy": "arn:aws:iam::000000000000:root",
        })
    );
}

/// As ECS answered in public: awsvpc, awslogs with an execution role, a health check, an image in ECR, a task role.
#[tokio::test]
async fn a_fargate_definition_is_answered_as_ecs_does() {
    let context = testing::context().await;
    let document = fargate(
        json!({
            "cpu": ".25 vCPU", "memory": "2 GB",
            "taskRoleArn": "arn:aws:iam::000000000000:role/task",
            "executionRoleArn": "arn:aws:iam::000000000000:role/exec",
            "volumes": [{ "name": "tmp" }],
        }),
        json!({
            "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:1",
            "portMappings": [{ "containerPort": 80, "name": "web", "appProtocol": "http" }],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": { "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p", "awslogs-create-group": "true" },
                "secretOptions": [],
            },
            "healthCheck": { "command": ["CMD-SHELL", "true"], "startPeriod": 200 },
        }),
    );
    let answer = registered(&context, &document).await;
    assert_eq!((&answer["cpu"], &answer["memory"]), (&json!("256"), &json!("2048")));
    assert_eq!(answer["compatibilities"], json!(["EC2", "MANAGED_INSTANCES", "FARGATE"]));
    assert_eq!(answer["requiresCompatibilities"], json!(["FARGATE"]));
    assert_eq!(answer["volumes"], json!([{ "name": "tmp", "host": {} }]));
    let container = &answer["containerDefinitions"][0];
    assert_eq!(container["portMappings"][0]["hostPort"], 80);
    assert_eq!(
        container["healthCheck"],
        json!({ "command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 200 })
    );
    assert_eq!(
        attributes(&document),
        [
            "container-health-check",
            "docker-remote-api.1.18",
            "docker-remote-api.1.19",
            "docker-remote-api.1.29",
            "ecr-auth",
            "execution-role-awslogs",
            "execution-role-ecr-pull",
            "logging-driver.awslogs",
            "task-eni",
            "task-iam-role",
        ]
    );
}

/// As ECS answered in public: bridge, log delivery mode, a bind mount, a health check and dependsOn.
#[test]
fn a_bridge_definition_needs_the_attributes_that_ecs_names() {
    let document = both(
        json!({
            "networkMode": "bridge", "executionRoleArn": "exec", "taskRoleArn": "task",
            "volumes": [{ "name": "certs", "host": { "sourcePath": "/etc/ssl/certs" } }],
            "containerDefinitions": [
                {
                    "name": "app", "image": "000000000000.dkr.ecr.us-west-1.amazonaws.com/app", "memory": 64,
                    "portMappings": [{ "containerPort": 3000, "hostPort": 3000, "appProtocol": "http", "name": "app" }],
                    "hostname": "app",
                    "logConfiguration": { "logDriver": "awslogs", "options": {
                        "awslogs-group": "g", "awslogs-region": "us-west-1", "mode": "non-blocking",
                        "max-buffer-size": "25m", "awslogs-create-group": "true",
                    }},
                    "healthCheck": { "command": ["CMD-SHELL", "true"] },
                },
                {
                    "name": "proxy", "image": "000000000000.dkr.ecr.us-west-1.amazonaws.com/proxy", "memory": 64,
                    "links": ["app:backend"], "essential": false,
                    "mountPoints": [{ "sourceVolume": "certs", "containerPath": "/etc/ssl/certs" }],
                    "dependsOn": [{ "containerName": "app", "condition": "HEALTHY" }],
                },
            ],
        }),
        json!({}),
    );
    assert_eq!(prepared(&document).compatibilities.unwrap(), ["EC2"]);
    assert_eq!(
        attributes(&document),
        [
            "container-health-check",
            "container-ordering",
            "docker-remote-api.1.17",
            "docker-remote-api.1.19",
            "docker-remote-api.1.24",
            "docker-remote-api.1.28",
            "docker-remote-api.1.29",
            "ecr-auth",
            "execution-role-awslogs",
            "execution-role-ecr-pull",
            "logging-driver.awslogs",
            "task-iam-role",
        ]
    );
}

/// As ECS answered in public: no network, ipcMode, ulimits, an init process and a security option.
#[test]
fn a_locked_down_definition_needs_the_attributes_that_ecs_names() {
    let document = both(
        json!({ "networkMode": "none", "ipcMode": "none", "requiresCompatibilities": ["EC2"] }),
        json!({
            "linuxParameters": { "capabilities": { "drop": ["ALL"] }, "initProcessEnabled": true, "maxSwap": 0, "swappiness": 0 },
            "user": "nobody", "disableNetworking": true, "privileged": false,
            "dockerSecurityOptions": ["no-new-privileges"],
            "ulimits": [{ "name": "nproc", "softLimit": 128, "hardLimit": 128 }],
            "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs" } },
        }),
    );
    assert_eq!(prepared(&document).compatibilities.unwrap(), ["EXTERNAL", "EC2"]);
    assert_eq!(
        attributes(&document),
        [
            "docker-remote-api.1.17",
            "docker-remote-api.1.18",
            "docker-remote-api.1.19",
            "docker-remote-api.1.23",
            "docker-remote-api.1.25",
            "docker-remote-api.1.32",
            "logging-driver.awslogs",
            "pid-ipc-namespace-sharing",
        ]
    );
}

/// Whether all of `given` is in `answer`.
fn check_echoed(given: &Value, answer: &Value, path: &str) {
    match (given, answer) {
        (Value::Object(given), Value::Object(answer)) => {
            for (key, value) in given {
                check_echoed(value, answer.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"));
            }
        }
        (Value::Array(given), Value::Array(answer)) => {
            assert_eq!(given.len(), answer.len(), "{path}");
            given.iter().zip(answer).enumerate().for_each(|(n, (g, a))| check_echoed(g, a, &format!("{path}[{n}]")));
        }
        _ => assert_eq!(given, answer, "{path}"),
    }
}

#[tokio::test]
async fn every_field_that_was_given_is_echoed_also_what_no_node_can_do() {
    let context = testing::context().await;
    for document in [everything_supported(), everything_else()] {
        check_echoed(&document, &registered(&context, &document).await, "");
        let input = DescribeTaskDefinitionInput { task_definition: Some("web".to_owned()), include: None };
        let described = describe_task_definition(context.clone(), input).await.unwrap();
        check_echoed(&document, &serde_json::to_value(described.task_definition.unwrap()).unwrap(), "");
    }
}

#[test]
fn a_node_has_every_attribute_that_a_fully_supported_definition_needs() {
    let definition = prepared(&everything_supported());
    assert_eq!(unsupported(&definition), []);
    for attribute in requires_attributes(&definition) {
        let name = attribute.name.unwrap();
        assert!(node_attributes().contains(&name.as_str()), "{name}");
    }
    assert!(node_attributes().is_sorted());
}

#[test]
fn each_feature_that_no_node_has_is_named_with_its_attribute() {
    let definition = prepared(&everything_else());
    let mut lacking: Vec<String> = unsupported(&definition).into_iter().map(|u| u.attribute).collect();
    lacking.sort();
    assert_eq!(
        lacking,
        [
            "bayplan.capability.neuron-device",
            "bayplan.capability.s3files",
            "bayplan.capability.seccomp-profile",
            "bayplan.capability.trusted-execution",
            "com.amazonaws.ecs.capability.apparmor",
            "com.amazonaws.ecs.capability.logging-driver.awsfirelens",
            "com.amazonaws.ecs.capability.selinux",
            "ecs.capability.aws-appmesh",
            "ecs.capability.efs",
            "ecs.capability.efsAuth",
            "ecs.capability.env-files.s3",
            "ecs.capability.fault-injection",
            "ecs.capability.firelens.fluentbit",
            "ecs.capability.firelens.options.config.file",
            "ecs.capability.fsxWindowsFileServer",
            "ecs.capability.gmsa",
            "ecs.capability.gpu-driver-version",
            "ecs.capability.private-registry-authentication.secretsmanager",
            "ecs.capability.secrets.asm.environment-variables",
            "ecs.capability.secrets.ssm.bootstrap.log-driver",
            "ecs.capability.secrets.ssm.environment-variables",
            "ecs.capability.storage.ebs-task-volume-attach",
            "ecs.capability.task-eia",
        ]
    );
    for (document, attribute) in [
        (
            container(json!({ "logConfiguration": { "logDriver": "splunk" } })),
            "com.amazonaws.ecs.capability.logging-driver.splunk",
        ),
        (
            volume(json!({ "dockerVolumeConfiguration": { "driver": "rexray/ebs" } })),
            "ecs.capability.docker-plugin.rexray/ebs",
        ),
        (
            volume(json!({ "dockerVolumeConfiguration": { "driverOpts": { "type": "nfs" } } })),
            "bayplan.capability.docker-volume-driver-opts",
        ),
        (container(awslogs(json!({ "awslogs-multiline-pattern": "^x" }))), "bayplan.capability.awslogs-multiline"),
    ] {
        let lacking: Vec<String> = unsupported(&prepared(&document)).into_iter().map(|u| u.attribute).collect();
        assert_eq!(lacking, [attribute]);
    }
}

#[tokio::test]
async fn revisions_of_a_family_grow_by_one_however_many_register_at_once() {
    let context = testing::context().await;
    let calls = (0..16).map(|_| register_task_definition(context.clone(), testing::definition("web")));
    let mut revisions: Vec<i32> = Vec::new();
    for answer in futures_util::future::join_all(calls).await {
        revisions.push(answer.unwrap().task_definition.unwrap().revision.unwrap());
    }
    revisions.sort();
    assert_eq!(revisions, (1..=16).collect::<Vec<i32>>());
    assert_eq!(testing::register(&context, "other").await.revision, Some(1));
}

#[tokio::test]
async fn tags_are_answered_and_described_only_when_asked_for() {
    let context = testing::context().await;
    let document = task(json!({ "tags": [{ "key": "team", "value": "blue" }, { "key": "empty" }] }));
    let answer = register_task_definition(context.clone(), input(&document)).await.unwrap();
    let tags = serde_json::to_value(&answer).unwrap()["tags"].clone();
    assert_eq!(tags, json!([{ "key": "empty", "value": "" }, { "key": "team", "value": "blue" }]));
    let describe = |include: Option<Vec<String>>| {
        let input = DescribeTaskDefinitionInput { task_definition: Some("web:1".to_owned()), include };
        describe_task_definition(context.clone(), input)
    };
    assert_eq!(describe(None).await.unwrap().tags, Some(Vec::new()));
    assert_eq!(describe(Some(vec!["TAGS".to_owned()])).await.unwrap().tags, answer.tags);
}

#[test]
fn fargate_is_compatible_only_with_what_fargate_takes() {
    let of = |document: Value| prepared(&document).compatibilities.unwrap().contains(&"FARGATE".to_owned());
    let open = |of_task: Value, of_container: Value| {
        let mut whole = fargate(of_task, of_container);
        merge(&mut whole, json!({ "requiresCompatibilities": null }));
        whole
    };
    assert!(of(open(json!({}), json!({}))));
    assert!(!of(open(json!({ "cpu": null, "memory": null }), json!({}))));
    assert!(!of(open(json!({}), json!({ "privileged": true }))));
    assert!(!of(open(json!({}), json!({ "stopTimeout": 121 }))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Registering what was answered answers it again, whatever a definition is made of.
    #[test]
    fn what_is_stored_is_a_fixed_point(fields in prop::collection::vec(any::<bool>(), 64), which in 0..2usize) {
        let full = [everything_supported(), everything_else()][which].clone();
        let mut rest = fields.into_iter().cycle();
        let mut document = full.clone();
        for (key, _) in full.as_object().unwrap() {
            if !matches!(key.as_str(), "family" | "containerDefinitions") && !rest.next().unwrap() {
                merge(&mut document, json!({ key.as_str(): null }));
            }
        }
        for container in document["containerDefinitions"].as_array_mut().unwrap() {
            for (key, _) in container.clone().as_object().unwrap() {
                if !matches!(key.as_str(), "name" | "image" | "memory") && !rest.next().unwrap() {
                    merge(container, json!({ key.as_str(): null }));
                }
            }
        }
        let first = normalise(input(&document));
        let again = normalise(input(&serde_json::to_value(&first).unwrap()));
        prop_assert_eq!(&first, &again);
        if let Ok(stored) = prepare(input(&document)) {
            let again = prepare(input(&serde_json::to_value(&stored).unwrap()));
            prop_assert_eq!(Ok(stored), again);
        }
    }
}
