"""What of services is refused, with ECS's error codes."""

import pytest

ROLE = "arn:aws:iam::000000000000:role/r"
INVALID, CLIENT = "InvalidParameterException", "ClientException"
DAEMON = {"schedulingStrategy": "DAEMON", "desiredCount": None}
EXTERNAL = {"deploymentController": {"type": "EXTERNAL"}, "taskDefinition": None}
VPC = {"awsvpcConfiguration": {"subnets": ["subnet-x"]}}


def deploying(**configuration):
    return {"deploymentConfiguration": configuration}


def breaker(kind, value):
    threshold = {"type": kind, "value": value}
    return deploying(deploymentCircuitBreaker={"enable": True, "rollback": True, "thresholdConfiguration": threshold})


#: Parameters that make a fine CreateService one that is refused, the code, and words of the message.
CREATE = {
    "load balancers": ({"loadBalancers": [{"containerName": "main", "containerPort": 80}]}, CLIENT, "loadBalancers"),
    "service registries": ({"serviceRegistries": [{"registryArn": "arn:x"}]}, CLIENT, "serviceRegistries"),
    "service connect": ({"serviceConnectConfiguration": {"enabled": True}}, CLIENT, "serviceConnectConfiguration"),
    "volumes": ({"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": ROLE}}]}, CLIENT, "volumeConfigurations"),
    "code deploy": ({"deploymentController": {"type": "CODE_DEPLOY"}}, CLIENT, "CODE_DEPLOY"),
    "an unknown cluster": ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
    "an unknown definition": ({"taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    "no definition": ({"taskDefinition": None}, INVALID, "TaskDefinition"),
    "a name with a blank": ({"serviceName": "a b"}, INVALID, "serviceName"),
    "no count": ({"desiredCount": None}, INVALID, "desiredCount"),
    "a negative count": ({"desiredCount": -1}, INVALID, "between 0 and 5000"),
    "too high a count": ({"desiredCount": 5001}, INVALID, "between 0 and 5000"),
    "a launch type that is none": ({"launchType": "MOON"}, INVALID, "launchType"),
    "a definition that is not for fargate": ({"launchType": "FARGATE"}, INVALID, "FARGATE"),
    "both launch type and strategy": (
        {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, INVALID, "both"),
    "a network that the definition has not": ({"networkConfiguration": VPC}, INVALID, "Network Configuration"),
    "a minimum above 100": (deploying(minimumHealthyPercent=101), INVALID, "minimumHealthyPercent"),
    "a negative maximum": (deploying(maximumPercent=-1), INVALID, "maximumPercent"),
    "bounds that block": (deploying(maximumPercent=100, minimumHealthyPercent=100), INVALID, "block deployments"),
    "a maximum below the minimum": (deploying(maximumPercent=40, minimumHealthyPercent=50), INVALID, "below"),
    "a strategy that is none": (deploying(strategy="RANDOM"), INVALID, "strategy"),
    "a threshold of 0": (breaker("COUNT", 0), INVALID, "value"),
    "a threshold above 100 percent": (breaker("BOUNDED_PERCENT", 101), INVALID, "value"),
    "a bake time beyond a day": (deploying(strategy="BLUE_GREEN", bakeTimeInMinutes=1441), INVALID, "bakeTimeInMinutes"),
    "too small a step": (deploying(strategy="LINEAR", linearConfiguration={"stepPercent": 1.0}), INVALID, "3.0"),
    "a hook that calls a function": (
        deploying(lifecycleHooks=[{"hookTargetArn": "arn:x", "roleArn": ROLE, "lifecycleStages": ["PRE_SCALE_UP"]}]),
        CLIENT, "Lambda"),
    "a daemon of some": ({**DAEMON, "desiredCount": 1}, INVALID, "desired count"),
    "a daemon on fargate": ({**DAEMON, "launchType": "FARGATE"}, INVALID, ""),
    "a daemon that is placed": ({**DAEMON, "placementStrategy": [{"type": "random"}]}, INVALID, "placement strategies"),
    "a daemon of more than all": ({**DAEMON, **deploying(maximumPercent=200)}, INVALID, "maximumPercent"),
    "an external daemon": ({**EXTERNAL, "schedulingStrategy": "DAEMON"}, INVALID, "daemon"),
    "an external definition": ({**EXTERNAL, "taskDefinition": "t"}, INVALID, "taskDefinition"),
    "a tag of another": ({"tags": [{"key": "aws:x", "value": "1"}]}, INVALID, "AWS"),
    "a negative grace": ({"healthCheckGracePeriodSeconds": -1}, INVALID, "healthCheckGracePeriodSeconds"),
    "a spread over nothing": ({"placementStrategy": [{"type": "spread", "field": "moon phase"}]}, INVALID, ""),
    "a query that is none": ({"placementConstraints": [{"type": "memberOf", "expression": "attribute:("}]}, INVALID, ""),
}


@pytest.fixture(scope="module")
def definition(quick):
    return quick.task("true")


@pytest.mark.parametrize("what", CREATE)
def test_create_service_refuses(services, refused, definition, what):
    more, code, word = CREATE[what]
    given = {"serviceName": "refused", "taskDefinition": definition, "desiredCount": 1, **more}
    with refused(code, word):
        services.ecs.create_service(**{key: value for key, value in given.items() if value is not None})
    assert not services.ecs.describe_services(services=["refused"])["services"]


UPDATE = {
    "load balancers": ({"loadBalancers": [{"containerName": "main", "containerPort": 80}]}, CLIENT, "loadBalancers"),
    "service registries": ({"serviceRegistries": [{"registryArn": "arn:x"}]}, CLIENT, "serviceRegistries"),
    "an unknown definition": ({"taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    "a negative count": ({"desiredCount": -1}, INVALID, "between 0 and 5000"),
    "bounds that block": (deploying(maximumPercent=100), INVALID, "block deployments"),
    "another controller": ({"deploymentController": {"type": "EXTERNAL"}}, INVALID, "controller"),
    "an unknown provider": (
        {"capacityProviderStrategy": [{"capacityProvider": "moon"}], "forceNewDeployment": True}, INVALID, ""),
}


@pytest.mark.parametrize("what", UPDATE)
def test_update_service_refuses(services, refused, definition, what):
    more, code, word = UPDATE[what]
    name = services.create(definition, 0)
    with refused(code, word):
        services.update(name, **more)
    assert len(services.deployments(name)) == 1


UNKNOWN = {
    "update_service": {"service": "nobody"},
    "delete_service": {"service": "nobody"},
    "list_service_deployments": {"service": "nobody"},
}


@pytest.mark.parametrize("operation", UNKNOWN)
def test_a_service_that_is_not_there_is_said(services, refused, operation):
    with refused("ServiceNotFoundException"):
        getattr(services.ecs, operation)(**UNKNOWN[operation])


@pytest.mark.parametrize("operation", ["update_service", "delete_service", "list_service_deployments"])
def test_a_cluster_that_is_not_there_is_said(services, refused, operation):
    with refused("ClusterNotFoundException"):
        getattr(services.ecs, operation)(cluster="nowhere", service="nobody")


def test_a_deployment_that_is_not_there_is_said(services, refused):
    arn = "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/nobody/abcdefghijklmnopqrstu"
    with refused("ServiceDeploymentNotFoundException"):
        services.ecs.stop_service_deployment(serviceDeploymentArn=arn)
