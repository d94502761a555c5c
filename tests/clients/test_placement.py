"""Where tasks may run, and how RunTask says that they may not."""

import uuid

import pytest

from ecs import FOREVER, shell


def failure(aws, definition, **settings):
    answer = aws.ecs.run_task(taskDefinition=definition, **settings)
    assert answer["tasks"] == [] and answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    return answer["failures"][0]


def test_too_little_cpu(aws):
    failed = failure(aws, aws.define(shell("true", cpu=1_000_000)))
    assert failed["reason"] == "RESOURCE:CPU" and ":container-instance/default/" in failed["arn"]
    assert "1000000" in failed["detail"]


def test_too_little_memory(aws):
    assert failure(aws, aws.define(shell("true", memory=10_000_000)))["reason"] == "RESOURCE:MEMORY"


def test_a_host_port_that_another_task_has(aws, free_port):
    ports = [{"containerPort": 80, "hostPort": free_port}]
    definition = aws.define(shell(FOREVER, portMappings=ports), networkMode="bridge")
    aws.running(aws.run(definition))
    assert failure(aws, definition)["reason"] == "RESOURCE:PORTS"


def test_a_host_port_that_the_machine_reserves(aws):
    definition = aws.define(shell("true", portMappings=[{"containerPort": 22, "hostPort": 22}]), networkMode="bridge")
    assert failure(aws, definition)["reason"] == "RESOURCE:PORTS"


def test_secrets_are_an_attribute_that_no_node_has_yet(aws):
    secret = [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/x"}]
    definition = aws.define(shell("true", secrets=secret), executionRoleArn="arn:aws:iam::000000000000:role/x")
    failed = failure(aws, definition)
    assert failed["reason"] == "ATTRIBUTE" and "secret" in failed["detail"]


def test_a_fargate_task_that_cannot_be_prepared_stops_with_a_reason(aws):
    secret = [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/x"}]
    definition = fargate(aws, secrets=secret)
    task = aws.stopped(aws.run(definition, launchType="FARGATE", networkConfiguration=aws.network()))
    assert task["stopCode"] == "TaskFailedToStart" and "ResourceInitializationError" in task["stoppedReason"]


def fargate(aws, script="exit 0", cpu="256", memory="512", **container):
    main = shell(script, **container)
    del main["memory"]
    return aws.define(main, networkMode="awsvpc", cpu=cpu, memory=memory, requiresCompatibilities=["FARGATE"],
                      executionRoleArn="arn:aws:iam::000000000000:role/x")


def test_fargate_runs_here_and_shows_no_instance(aws):
    task = aws.stopped(aws.run(fargate(aws), launchType="FARGATE", networkConfiguration=aws.network()))
    assert task["containers"][0]["exitCode"] == 0 and "containerInstanceArn" not in task
    assert (task["launchType"], task["platformFamily"]) == ("FARGATE", "Linux") and task["platformVersion"].startswith("1.")


def test_a_size_that_fargate_does_not_have_is_refused(aws, refused):
    with refused("ClientException"):
        fargate(aws, cpu="256", memory="8192")


def test_an_ec2_definition_is_not_for_fargate(aws, refused):
    with refused("InvalidParameterException", "FARGATE"):
        aws.ecs.run_task(taskDefinition=aws.define(shell("true")), launchType="FARGATE")


def test_member_of_a_cluster_query(aws):
    definition = aws.define(shell("exit 0"))
    here = {"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}
    nowhere = {"type": "memberOf", "expression": "attribute:ecs.os-type == windows"}
    aws.stopped(aws.run(definition, placementConstraints=[here]))
    assert failure(aws, definition, placementConstraints=[nowhere])["reason"].startswith("MemberOf")


def test_a_custom_attribute_takes_part(aws):
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    name = "berth-" + uuid.uuid4().hex[:6]
    definition = aws.define(shell("exit 0"))
    rule = [{"type": "memberOf", "expression": f"attribute:{name} == north"}]
    assert failure(aws, definition, placementConstraints=rule)["reason"].startswith("MemberOf")
    attribute = {"name": name, "value": "north", "targetId": arn}
    aws.ecs.put_attributes(attributes=[attribute])
    aws.stopped(aws.run(definition, placementConstraints=rule))
    aws.ecs.delete_attributes(attributes=[attribute])


def test_distinct_instances_are_as_many_as_machines(aws):
    definition = aws.define(shell(FOREVER))
    answer = aws.ecs.run_task(taskDefinition=definition, count=2, placementConstraints=[{"type": "distinctInstance"}])
    aws.started += [("default", task["taskArn"]) for task in answer["tasks"]]
    assert len(answer["tasks"]) == 1 and "DistinctInstance" in answer["failures"][0]["reason"]


@pytest.mark.parametrize(
    "strategy",
    [{"type": "random"}, {"type": "spread", "field": "instanceId"}, {"type": "binpack", "field": "memory"}],
    ids=lambda strategy: strategy["type"],
)
def test_every_strategy_finds_the_one_machine(aws, strategy):
    aws.stopped(aws.run(aws.define(shell("exit 0")), placementStrategy=[strategy]))


def test_start_task_takes_the_instance_that_is_named(aws):
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    answer = aws.ecs.start_task(taskDefinition=aws.define(shell("exit 0")), containerInstances=[arn])
    assert answer["failures"] == [] and answer["tasks"][0]["containerInstanceArn"] == arn
    aws.stopped(answer["tasks"][0]["taskArn"])


def test_start_task_on_an_unknown_instance_is_a_failure(aws):
    answer = aws.ecs.start_task(taskDefinition=aws.define(shell("exit 0")), containerInstances=["0" * 32])
    assert answer["tasks"] == [] and answer["failures"][0]["reason"] == "MISSING"


def test_a_draining_instance_gets_nothing(another):
    aws = another()
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    definition = aws.define(shell("exit 0"))
    aws.ecs.update_container_instances_state(containerInstances=[arn], status="DRAINING")
    try:
        answer = aws.ecs.run_task(taskDefinition=definition)
    except aws.ecs.exceptions.InvalidParameterException as error:
        assert "No Container Instances" in str(error)
    else:
        assert answer["tasks"] == [] and answer["failures"]
    aws.ecs.update_container_instances_state(containerInstances=[arn], status="ACTIVE")
    aws.stopped(aws.run(definition))


def test_what_up_registers_is_what_there_is(another):
    aws = another("--capacity", "cpu=512,memory=256")
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    (described,) = aws.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    registered = {r["name"]: r.get("integerValue") for r in described["registeredResources"]}
    assert (registered["CPU"], registered["MEMORY"]) == (512, 256)
    answer = aws.ecs.run_task(taskDefinition=aws.define(shell(FOREVER, memory=100)), count=3)
    aws.started += [("default", task["taskArn"]) for task in answer["tasks"]]
    assert len(answer["tasks"]) == 2 and answer["failures"][0]["reason"] == "RESOURCE:MEMORY"


def test_ten_tasks_in_one_call(aws):
    tasks = aws.run_all(aws.define(shell("exit 0", memory=16)), count=10)
    assert len({task["taskArn"] for task in tasks}) == 10
    for task in tasks:
        aws.stopped(task["taskArn"])
