"""What RunTask may change of a task definition for one task."""

import pytest

from ecs import FOREVER, container, shell


def overridden(aws, script="true", definition=None, task=None, **override):
    settings = {"containerOverrides": [{"name": "main", **override}], **(task or {})}
    definition = definition or aws.define(shell(script))
    stopped = aws.stopped(aws.run(definition, overrides=settings))
    return stopped, aws.instance.logs(stopped["taskArn"])


def test_the_command(aws):
    task, text = overridden(aws, command=["echo", "something else"])
    assert text == "something else\n"
    assert task["overrides"]["containerOverrides"][0]["command"] == ["echo", "something else"]


def test_the_environment_adds_and_replaces(aws):
    definition = aws.define(shell("echo $A-$B-$C-$FROM_IMAGE", environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]))
    _, text = overridden(aws, definition=definition, environment=[{"name": "B", "value": "two"}, {"name": "C", "value": "3"}])
    assert text == "1-two-3-yes\n"


def test_the_containers_cpu(aws):
    task, _ = overridden(aws, cpu=128)
    assert container(task)["cpu"] == "128"


def test_the_containers_memory(aws):
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"
    task, _ = overridden(aws, script, memory=100)
    assert container(task)["memory"] == "100"


def test_the_tasks_cpu_and_memory(aws):
    task, _ = overridden(aws, task={"cpu": "256", "memory": "512"})
    assert (task["cpu"], task["memory"]) == ("256", "512")


def test_role_arns_are_echoed(aws):
    role = "arn:aws:iam::000000000000:role/worker"
    task, _ = overridden(aws, task={"taskRoleArn": role, "executionRoleArn": role})
    assert (task["overrides"]["taskRoleArn"], task["overrides"]["executionRoleArn"]) == (role, role)


def test_an_unknown_container_is_refused(aws, refused):
    definition = aws.define(shell("true"))
    with refused("InvalidParameterException", "nobody"):
        aws.ecs.run_task(taskDefinition=definition, overrides={"containerOverrides": [{"name": "nobody", "cpu": 1}]})


@pytest.mark.parametrize("task", [{"cpu": "many"}, {"memory": "-1"}])
def test_a_size_that_is_none_is_refused(aws, refused, task):
    definition = aws.define(shell("true"))
    with refused("InvalidParameterException"):
        aws.ecs.run_task(taskDefinition=definition, overrides=task)
    assert aws.ecs.list_tasks(family=definition.split("/")[1].split(":")[0])["taskArns"] == []


def test_the_definition_itself_stays(aws):
    definition = aws.define(shell(FOREVER))
    overridden(aws, definition=definition, command=["true"])
    described = aws.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert described["containerDefinitions"][0]["command"] == ["sh", "-c", FOREVER]
