//! What cannot be created, and in what words.

use super::{stage, web};
use crate::testing::deregister;
use serde_json::{Value, json};

async fn assert_refused(code: &str, cases: impl IntoIterator<Item = (Value, &str)>) {
    let stage = stage().await;
    let before = stage.context.records().current().revision;
    for (more, sentence) in cases {
        let error = stage.create_service(web(more.clone())).await.expect_err(&more.to_string());
        assert_eq!(error.code, code, "{more}: {error}");
        assert!(error.message.contains(sentence), "{more}: {error}");
    }
    assert_eq!(stage.context.records().current().revision, before, "what is refused changes nothing");
}

#[tokio::test]
async fn names_counts_and_words_that_ecs_does_not_take() {
    assert_refused(
        "InvalidParameterException",
        [
            (json!({"serviceName": null}), "serviceName is required"),
            (json!({"serviceName": ""}), "serviceName must have from 1 to 255"),
            (json!({"serviceName": "a b"}), "letters, digits, hyphens and underscores"),
            (json!({"serviceName": "x".repeat(256)}), "from 1 to 255"),
            (json!({"desiredCount": null}), "desiredCount is required"),
            (json!({"desiredCount": -1}), "between 0 and 5000"),
            (json!({"desiredCount": 5001}), "between 0 and 5000"),
            (json!({"taskDefinition": null}), "TaskDefinition can not be blank."),
            (json!({"launchType": "MOON"}), "launchType must be one of"),
            (json!({"launchType": "MANAGED_INSTANCES"}), "not supported"),
            (json!({"schedulingStrategy": "ALWAYS"}), "schedulingStrategy must be one of"),
            (json!({"propagateTags": "ALL"}), "propagateTags must be one of"),
            (json!({"healthCheckGracePeriodSeconds": -1}), "must not be negative"),
            (json!({"clientToken": "x".repeat(37)}), "at most 36"),
            (json!({"clientToken": "a b"}), "at most 36"),
            (json!({"tags": [{"key": "aws:x", "value": "1"}]}), "only AWS"),
        ],
    )
    .await;
}

#[tokio::test]
async fn clusters_and_definitions_that_are_not_there() {
    assert_refused("ClusterNotFoundException", [(json!({"cluster": "nowhere"}), "Cluster not found.")]).await;
    assert_refused("ClientException", [(json!({"taskDefinition": "nothing"}), "TaskDefinition not found.")]).await;
    let stage = stage().await;
    deregister(&stage.context, "web:1").await;
    let error = stage.create_service(web(json!({"taskDefinition": "web:1"}))).await.unwrap_err();
    assert_eq!((&*error.code, error.message.as_str()), ("ClientException", "TaskDefinition is inactive"));
}

#[tokio::test]
async fn what_needs_something_that_is_not_built() {
    assert_refused(
        "ClientException",
        [
            (json!({"loadBalancers": [{"containerName": "app", "containerPort": 80}]}), "no load balancers"),
            (json!({"serviceRegistries": [{"registryArn": "arn:x"}]}), "no service discovery"),
            (json!({"serviceConnectConfiguration": {"enabled": true}}), "no Service Connect"),
            (json!({"volumeConfigurations": [{"name": "v"}]}), "no EBS volumes"),
            (
                json!({"vpcLatticeConfigurations": [{"roleArn": "arn:aws:iam::000000000000:role/r",
                    "targetGroupArn": "arn:aws:vpc-lattice:us-east-1:000000000000:targetgroup/tg-12345678901234567",
                    "portName": "p"}]}),
                "no VPC Lattice",
            ),
            (json!({"deploymentController": {"type": "CODE_DEPLOY"}}), "no CodeDeploy"),
            (
                json!({"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "arn:x",
                    "roleArn": "arn:aws:iam::000000000000:role/r", "lifecycleStages": ["PRE_SCALE_UP"]}]}}),
                "no Lambda",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn capacity_that_the_cluster_or_the_definition_does_not_have() {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let vpc = |more: Value| {
        let mut input = json!({"taskDefinition": "vpc", "networkConfiguration": network});
        more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
        input
    };
    let strategy = json!([{"capacityProvider": "FARGATE", "weight": 1}]);
    assert_refused(
        "InvalidParameterException",
        [
            (json!({"launchType": "FARGATE"}), "does not support launch_type FARGATE"),
            (json!({"launchType": "EC2", "capacityProviderStrategy": strategy}), "Specifying both"),
            (json!({"capacityProviderStrategy": strategy}), "not associated with"),
            (json!({"taskDefinition": "vpc"}), "Network Configuration must be provided"),
            (json!({"networkConfiguration": network}), "Network Configuration is not valid"),
            (vpc(json!({"platformVersion": "1.4.0"})), "platform version must be null"),
            (
                vpc(json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-x"]}}})),
                "subnet ID 'subnet-x' does not exist",
            ),
            (
                vpc(json!({"launchType": "FARGATE", "placementConstraints": [{"type": "distinctInstance"}]})),
                "not supported with FARGATE",
            ),
        ],
    )
    .await;
    let version = vpc(json!({"launchType": "FARGATE", "platformVersion": "9.9.9"}));
    assert_refused("PlatformUnknownException", [(version, "does not exist")]).await;
}

#[tokio::test]
async fn what_a_daemon_and_an_external_controller_do_not_have() {
    let daemon = |more: Value| {
        let mut input = json!({"schedulingStrategy": "DAEMON", "desiredCount": null});
        more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
        input
    };
    let external = |more: Value| {
        let mut input = json!({"taskDefinition": null, "deploymentController": {"type": "EXTERNAL"}});
        more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
        input
    };
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    assert_refused(
        "InvalidParameterException",
        [
            (daemon(json!({"desiredCount": 1})), "does not support a desired count"),
            (daemon(json!({"placementStrategy": [{"type": "random"}]})), "does not support placement strategies"),
            (daemon(json!({"deploymentConfiguration": {"maximumPercent": 200}})), "values above 100 for maximumPercent"),
            (daemon(json!({"deploymentConfiguration": {"strategy": "CANARY"}})), "only the deployment strategy ROLLING"),
            (
                daemon(json!({"launchType": "FARGATE", "taskDefinition": "vpc", "networkConfiguration": network})),
                "only with the EC2 launch type",
            ),
            (daemon(json!({"availabilityZoneRebalancing": "ENABLED"})), "the daemon scheduling strategy"),
            (external(json!({"schedulingStrategy": "DAEMON"})), "does not support the daemon"),
            (external(json!({"taskDefinition": "web"})), "taskDefinition cannot be specified"),
            (external(json!({"launchType": "EC2"})), "launchType cannot be specified"),
            (external(json!({"networkConfiguration": network})), "networkConfiguration cannot be specified"),
            (
                external(json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}})),
                "only maximumPercent and minimumHealthyPercent",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn deployment_configurations_that_cannot_be() {
    let with = |configuration: Value| json!({"deploymentConfiguration": configuration});
    let breaker = |threshold: Value| {
        with(
            json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true, "thresholdConfiguration": threshold}}),
        )
    };
    let hook = |hook: Value| with(json!({"lifecycleHooks": [hook]}));
    assert_refused(
        "InvalidParameterException",
        [
            (with(json!({"maximumPercent": -1})), "maximumPercent must be between"),
            (with(json!({"minimumHealthyPercent": 101})), "minimumHealthyPercent must be between 0 and 100"),
            (with(json!({"maximumPercent": 100})), "will block deployments"),
            (with(json!({"maximumPercent": 90})), "cannot be below minimumHealthyPercent"),
            (with(json!({"deploymentCircuitBreaker": {"enable": true}})), "rollback is required"),
            (breaker(json!({"type": "COUNT", "value": 0})), "between 1 and 2147483647"),
            (breaker(json!({"type": "BOUNDED_PERCENT", "value": 101})), "between 1 and 100"),
            (breaker(json!({"type": "SOME", "value": 1})), "type must be one of"),
            (with(json!({"alarms": {"alarmNames": [], "enable": true, "rollback": false}})), "can not be empty"),
            (with(json!({"strategy": "RANDOM"})), "strategy must be one of"),
            (with(json!({"bakeTimeInMinutes": 1441})), "bakeTimeInMinutes must be between 0 and 1440"),
            (with(json!({"linearConfiguration": {}})), "only with the deployment strategy LINEAR"),
            (
                with(json!({"strategy": "LINEAR", "canaryConfiguration": {}})),
                "only with the deployment strategy CANARY",
            ),
            (with(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}})), "between 3.0 and 100.0"),
            (with(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 3.25}})), "multiple of 0.1"),
            (
                with(json!({"strategy": "CANARY", "canaryConfiguration": {"canaryBakeTimeInMinutes": 1441}})),
                "between 0 and 1440",
            ),
            (
                with(json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.0}})),
                "between 0.1 and 100.0",
            ),
            (with(json!({"earlySuccessCriteria": {"enable": true}})), "needs healthyPercent"),
            (
                with(json!({"earlySuccessCriteria": {"enable": true, "healthyPercent": 50,
                    "sourceServiceRevisionCleanup": "BLOCKING"}})),
                "at least minimumHealthyPercent",
            ),
            (
                with(json!({"strategy": "BLUE_GREEN", "earlySuccessCriteria": {"enable": true, "healthyPercent": 100,
                    "sourceServiceRevisionCleanup": "DEFERRED"}})),
                "only with the deployment strategy ROLLING",
            ),
            (hook(json!({"targetType": "PAUSE"})), "lifecycleStages of a lifecycle hook can not be empty"),
            (
                hook(json!({"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]})),
                "cannot be at the stage PRODUCTION_TRAFFIC_SHIFT",
            ),
            (
                hook(json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "hookTargetArn": "arn:x"})),
                "neither hookTargetArn nor roleArn",
            ),
            (
                hook(json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"],
                    "timeoutConfiguration": {"timeoutInMinutes": 0}})),
                "timeoutInMinutes must be from 1 to 20160",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_service_that_cannot_be_even_over_zones_but_is_to_be() {
    let even = |more: Value| {
        let mut input = json!({"availabilityZoneRebalancing": "ENABLED"});
        more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
        input
    };
    let zone = json!([{"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}]);
    assert_refused(
        "InvalidParameterException",
        [
            (
                even(json!({"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}})),
                "maximumPercent is not above 100",
            ),
            (even(json!({"placementStrategy": [{"type": "random"}]})), "first placement strategy"),
            (even(json!({"placementConstraints": zone})), "constraint names ecs.availability-zone"),
        ],
    )
    .await;
}
