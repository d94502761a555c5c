"""Containers start when those that they depend on have come far enough, and stop in the reverse order."""

import pytest

from ecs import FOREVER, container, exit_code, shell


def after(name, condition):
    return [{"containerName": name, "condition": condition}]


def run(aws, *containers):
    return aws.run(aws.define(*containers))


def test_start_waits_for_the_other_to_be_started(aws):
    task = aws.running(run(aws, shell(FOREVER, name="first"), shell(FOREVER, name="second", dependsOn=after("first", "START"))))
    assert all(c["lastStatus"] == "RUNNING" for c in task["containers"])


def test_complete_waits_for_any_end(aws):
    volume = {"volumes": [{"name": "shared", "host": {}}]}
    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    first = shell("sleep 0.3; echo done > /shared/mark; exit 7", name="first", essential=False, mountPoints=mounts)
    second = shell("cat /shared/mark", name="second", dependsOn=after("first", "COMPLETE"), mountPoints=mounts)
    task = aws.stopped(aws.run(aws.define(first, second, **volume)))
    assert (exit_code(task, "first"), exit_code(task, "second")) == (7, 0)
    assert "done" in aws.instance.logs(task["taskArn"])


def test_success_waits_for_a_good_end(aws):
    first = shell("sleep 0.2", name="first", essential=False)
    second = shell("true", name="second", dependsOn=after("first", "SUCCESS"))
    task = aws.stopped(run(aws, first, second))
    assert (exit_code(task, "first"), exit_code(task, "second")) == (0, 0)


def test_success_that_can_never_come_ends_the_task(aws):
    first = shell("exit 4", name="first", essential=False)
    second = shell(FOREVER, name="second", dependsOn=after("first", "SUCCESS"))
    task = aws.stopped(run(aws, first, second))
    assert exit_code(task, "first") == 4 and exit_code(task, "second") is None
    assert task["stopCode"] == "TaskFailedToStart" and "first" in task["stoppedReason"]


def test_healthy_waits_for_the_health_check(aws):
    check = {"command": ["CMD-SHELL", "test -e /tmp/ready"], "interval": 5, "retries": 3}
    first = shell("sleep 0.5; touch /tmp/ready; " + FOREVER, name="first", healthCheck=check)
    second = shell("echo the first is healthy; " + FOREVER, name="second", dependsOn=after("first", "HEALTHY"))
    task = run(aws, first, second)
    described = aws.running(task, within=40)
    assert container(described, "first")["healthStatus"] == "HEALTHY"
    aws.says(task, "the first is healthy")


def test_healthy_of_one_that_ends_instead_ends_the_task(aws):
    check = {"command": ["CMD-SHELL", "false"], "interval": 5}
    first = shell("sleep 0.2; exit 3", name="first", essential=False, healthCheck=check)
    second = shell(FOREVER, name="second", dependsOn=after("first", "HEALTHY"))
    task = aws.stopped(run(aws, first, second))
    assert task["stopCode"] == "TaskFailedToStart" and exit_code(task, "second") is None


def test_a_start_timeout_ends_a_wait(aws):
    first = shell(FOREVER, name="first", essential=False, startTimeout=2)
    second = shell(FOREVER, name="second", dependsOn=after("first", "COMPLETE"))
    task = aws.stopped(run(aws, first, second))
    assert task["stopCode"] == "TaskFailedToStart" and "first" in task["stoppedReason"]


def test_stopping_goes_backwards(aws):
    volume = {"volumes": [{"name": "shared", "host": {}}]}
    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    says = "trap 'echo {0} ends >> /shared/order; cat /shared/order; exit 0' TERM; echo {0} up; while :; do sleep 0.05; done"
    first = shell(says.format("first"), name="first", mountPoints=mounts)
    second = shell(says.format("second"), name="second", mountPoints=mounts, dependsOn=after("first", "START"))
    task = aws.run(aws.define(first, second, **volume))
    aws.says(task, "second up")
    aws.stop(task)
    assert "second ends\nfirst ends\n" in aws.instance.logs(task, "--container", "first")


def test_a_container_that_is_not_essential_may_end(aws):
    task = run(aws, shell("exit 9", name="helper", essential=False), shell(FOREVER, name="main"))
    described = aws.until(task, lambda t: container(t, "helper")["lastStatus"] == "STOPPED")
    assert exit_code(described, "helper") == 9
    assert (described["lastStatus"], container(described)["lastStatus"]) == ("RUNNING", "RUNNING")


def test_an_essential_container_takes_the_others_with_it(aws):
    task = aws.stopped(run(aws, shell(FOREVER, name="side", essential=False), shell("sleep 0.2; exit 5")))
    assert exit_code(task) == 5 and exit_code(task, "side") == 0
    assert task["stopCode"] == "EssentialContainerExited"


@pytest.mark.parametrize("condition", ["SUCCESS", "COMPLETE"])
def test_an_essential_container_cannot_be_waited_for_to_end(aws, refused, condition):
    with refused("ClientException", "essential"):
        aws.define(shell("true", name="a"), shell("true", name="b", dependsOn=after("a", condition)))


def test_a_circle_is_refused(aws, refused):
    with refused("ClientException", "cycle"):
        aws.define(shell("true", name="a", dependsOn=after("b", "START")), shell("true", name="b", dependsOn=after("a", "START")))
