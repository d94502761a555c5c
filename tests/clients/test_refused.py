"""Bad input of every class: the API's own error code, a sentence that helps, and nothing changed."""

import socket
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from ecs import shell

GOOD = {"name": "main", "image": "busybox:1", "memory": 64}


def register(aws, container=None, **settings):
    given = {"family": "never", "containerDefinitions": [{**GOOD, **(container or {})}], **settings}
    aws.ecs.register_task_definition(**given)


def port(**settings):
    return {"portMappings": [settings]}


CONTAINERS = {
    "no image": ({"image": ""}, "image"),
    "a bad image name": ({"image": "UPPER CASE"}, "image"),
    "a bad name": ({"name": "with space"}, "name"),
    "no memory at all": ({"memory": None}, "memory"),
    "a port above 65535": (port(containerPort=70000), "containerPort"),
    "port zero": (port(containerPort=0, hostPort=80), "containerPort"),
    "a bad protocol": (port(containerPort=1, protocol="sctp"), "protocol"),
    "a health check that says neither CMD nor CMD-SHELL": ({"healthCheck": {"command": ["true"]}}, "CMD"),
    "a health check that is asked too often": ({"healthCheck": {"command": ["CMD", "x"], "interval": 1}}, "interval"),
    "a start timeout of one second": ({"startTimeout": 1}, "start timeout"),
    "a stop timeout of one second": ({"stopTimeout": 1}, "stop timeout"),
    "a capability that is none": ({"linuxParameters": {"capabilities": {"add": ["FLY"]}}}, "FLY"),
    "an unknown log driver": ({"logConfiguration": {"logDriver": "pigeon"}}, "logDriver"),
    "an unknown limit": ({"ulimits": [{"name": "naps", "softLimit": 1, "hardLimit": 1}]}, "name"),
    "a link to nobody": ({"links": ["nobody"]}, "nobody"),
    "volumes from nobody": ({"volumesFrom": [{"sourceContainer": "nobody"}]}, "nobody"),
    "a dependency on itself": ({"dependsOn": [{"containerName": "main", "condition": "START"}]}, "itself"),
    "a dependency on nobody": ({"dependsOn": [{"containerName": "nobody", "condition": "START"}]}, "nobody"),
    "an unknown condition": ({"dependsOn": [{"containerName": "main", "condition": "SOON"}]}, "condition"),
    "a restart that is too eager": ({"restartPolicy": {"enabled": True, "restartAttemptPeriod": 1}}, "restartAttemptPeriod"),
    "a secret without a role": ({"secrets": [{"name": "A", "valueFrom": "b"}]}, "executionRoleArn"),
    "a relative mount path": ({"mountPoints": [{"sourceVolume": "v", "containerPath": "x"}]}, "absolute"),
}


@pytest.mark.parametrize("container, word", CONTAINERS.values(), ids=CONTAINERS)
def test_a_container_with(aws, refused, container, word):
    container = {key: value for key, value in {**GOOD, **container}.items() if value is not None}
    with refused("ClientException", word):
        aws.ecs.register_task_definition(
            family="never", networkMode="bridge", containerDefinitions=[container], volumes=[{"name": "v"}]
        )
    assert "never" not in aws.ecs.list_task_definition_families()["families"]


TASKS = {
    "an unknown network mode": ({"networkMode": "nat"}, "networkMode"),
    "an unknown pid mode": ({"pidMode": "none"}, "pidMode"),
    "an unknown ipc mode": ({"ipcMode": "some"}, "ipcMode"),
    "a cpu that is no number": ({"cpu": "many"}, "cpu"),
    "a memory that is no number": ({"memory": "much"}, "memory"),
    "less memory than its containers": ({"memory": "32"}, "memory"),
    "two volumes of one name": ({"volumes": [{"name": "v"}, {"name": "v"}]}, "unique"),
    "a family with a space": ({"family": "two words"}, "Family"),
    "no container": ({"containerDefinitions": []}, "Container"),
    "two containers of one name": ({"containerDefinitions": [GOOD, GOOD]}, "unique"),
    "nothing essential": ({"containerDefinitions": [{**GOOD, "essential": False}]}, "essential"),
    "a Windows platform on Fargate": ({"runtimePlatform": {"cpuArchitecture": "Z80"}}, "cpuArchitecture"),
}


@pytest.mark.parametrize("settings, word", TASKS.values(), ids=TASKS)
def test_a_task_definition_with(aws, refused, settings, word):
    with refused("ClientException", word):
        register(aws, **settings)


@pytest.fixture(scope="module")
def definition(clients):
    return clients.define(shell("true"))


RUNS = {
    "an unknown definition": ({"taskDefinition": "no-such-family"}, "ClientException", "TaskDefinition not found"),
    "an unknown cluster": ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found"),
    "a count of zero": ({"count": 0}, "InvalidParameterException", "count"),
    "a count of eleven": ({"count": 11}, "InvalidParameterException", "count"),
    "a type and a strategy": (
        {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        "InvalidParameterException",
        "launch type",
    ),
    "an unknown launch type": ({"launchType": "MOON"}, "InvalidParameterException", "MOON"),
    "a query that is none": (
        {"placementConstraints": [{"type": "memberOf", "expression": "attribute:x =="}]},
        "InvalidParameterException",
        "expression",
    ),
    "an unknown strategy": ({"placementStrategy": [{"type": "worst"}]}, "InvalidParameterException", "placement"),
    "a long startedBy": ({"startedBy": "x" * 129}, "InvalidParameterException", "startedBy"),
    "a group that begins as a service's": ({"group": "service:x"}, "InvalidParameterException", "group"),
    "too many tags": (
        {"tags": [{"key": f"k{n}", "value": "v"} for n in range(51)]},
        "InvalidParameterException",
        "tag",
    ),
    "a platform version on EC2": ({"platformVersion": "1.4.0"}, "InvalidParameterException", "platform version"),
}


@pytest.mark.parametrize("settings, code, word", RUNS.values(), ids=RUNS)
def test_run_task_with(aws, refused, definition, settings, code, word):
    before = aws.ecs.list_tasks()["taskArns"]
    with refused(code, word):
        aws.ecs.run_task(**{"taskDefinition": definition, **settings})
    assert aws.ecs.list_tasks()["taskArns"] == before


OTHERS = {
    "stopping an unknown task": ("stop_task", {"task": "0" * 32}, "InvalidParameterException", "not found"),
    "describing in an unknown cluster": ("describe_tasks", {"cluster": "nowhere", "tasks": ["x"]}, "ClusterNotFoundException", ""),
    "describing no task": ("describe_tasks", {"tasks": []}, "InvalidParameterException", ""),
    "describing 101 tasks": ("describe_tasks", {"tasks": ["0" * 32] * 101}, "InvalidParameterException", ""),
    "an unknown definition": ("describe_task_definition", {"taskDefinition": "none:9"}, "ClientException", "Unable to describe"),
    "a cluster name with a space": ("create_cluster", {"clusterName": "a b"}, "InvalidParameterException", ""),
    "an unknown setting": ("put_account_setting", {"name": "flags", "value": "enabled"}, "InvalidParameterException", ""),
    "a page token that is none": ("list_tasks", {"nextToken": "!!"}, "InvalidParameterException", "token"),
    "a page of 101": ("list_tasks", {"maxResults": 101}, "InvalidParameterException", "100"),
    "a tag on what is not": (
        "tag_resource",
        {"resourceArn": "arn:aws:ecs:us-east-1:000000000000:cluster/none", "tags": [{"key": "a", "value": "b"}]},
        "ClusterNotFoundException",
        "",
    ),
}


@pytest.mark.parametrize("case", OTHERS.values(), ids=OTHERS)
def test_a_call_about(aws, refused, case):
    operation, arguments, code, word = case
    with refused(code, word):
        getattr(aws.ecs, operation)(**arguments)


def test_an_operation_that_is_not_built_says_which(aws):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        aws.ecs.discover_poll_endpoint()
    assert "DiscoverPollEndpoint" in raised.value.response["Error"]["Message"]


class TestSignatures:
    def test_a_wrong_secret_is_refused(self, aws, refused):
        with refused("InvalidSignatureException"):
            aws.client("ecs", aws_secret_access_key="x" * 40).list_clusters()

    def test_an_unknown_key_is_refused(self, aws, refused):
        with refused("UnrecognizedClientException"):
            aws.client("ecs", aws_access_key_id="AKIAXXXXXXXXXXXXXXXX").list_clusters()

    def test_another_region_is_refused(self, aws):
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            aws.client("ecs", region_name="eu-west-1").list_clusters()
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)

    def test_an_unsigned_request_is_refused(self, aws):
        request = urllib.request.Request(
            aws.instance.settings["AWS_ENDPOINT_URL"],
            data=b"{}",
            headers={
                "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
                "Content-Type": "application/x-amz-json-1.1",
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as raised:
            opener.open(request, timeout=5)
        assert raised.value.code in (400, 403)

    def test_a_presigned_request_is_accepted(self, aws):
        url = aws.sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as answer:
            assert b"arn:aws:iam::000000000000:root" in answer.read()

    def test_rubbish_on_the_socket_harms_nobody(self, aws):


        host, port = aws.instance.settings["AWS_ENDPOINT_URL"].removeprefix("http://").split(":")
        for rubbish in [b"\0" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"]:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(rubbish)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1000)
        assert aws.ecs.list_clusters()["clusterArns"]
