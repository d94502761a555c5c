"""Containers that cannot be started: the task stops, says why in words to act on, and no exit code is invented."""

import socket

import pytest

from ecs import FOREVER, container, exit_code, shell


def stopped_by(aws, definition, *words):
    task = aws.stopped(aws.run(definition))
    assert task["stopCode"] == "TaskFailedToStart", task["stoppedReason"]
    assert "exitCode" not in container(task)
    for word in words:
        assert word.lower() in task["stoppedReason"].lower(), task["stoppedReason"]
    return task


def test_a_file_that_is_not_executable(aws):
    main = shell("", command=["/etc/not-executable"])
    stopped_by(aws, aws.define(main), "CannotStartContainerError", "/etc/not-executable")


def test_a_program_that_is_not_in_path(aws):
    stopped_by(aws, aws.define(shell("", command=["no-such-program"])), "CannotStartContainerError", "no-such-program")


def test_a_folder_is_no_program(aws):
    stopped_by(aws, aws.define(shell("", command=["/data"])), "CannotStartContainerError", "/data")


@pytest.mark.parametrize("user", ["nobody-here", "app:no-such-group"])
def test_a_user_or_group_that_the_image_does_not_have(aws, user):
    stopped_by(aws, aws.define(shell("true", user=user)), user.split(":")[-1])


def test_a_device_that_the_host_does_not_have(aws):
    parameters = {"devices": [{"hostPath": "/dev/no-such-device", "permissions": ["read"]}]}
    stopped_by(aws, aws.define(shell("true", linuxParameters=parameters)), "/dev/no-such-device")


def test_a_host_port_that_a_foreign_process_has(aws):
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        web = shell(FOREVER, portMappings=[{"containerPort": 80, "hostPort": port}])
        stopped_by(aws, aws.define(web, networkMode="bridge"), "RESOURCE:PORTS", str(port))


def test_the_others_of_a_task_are_stopped_with_one_that_cannot_start(aws):
    good = shell(FOREVER, name="good")
    bad = shell("", name="bad", command=["/no/such/program"], dependsOn=[{"containerName": "good", "condition": "START"}])
    task = aws.stopped(aws.run(aws.define(good, bad)))
    assert task["stopCode"] == "TaskFailedToStart" and "/no/such/program" in task["stoppedReason"]
    assert exit_code(task, "good") == 0 and "exitCode" not in container(task, "bad")


def test_one_that_is_not_essential_and_cannot_start_leaves_the_others(aws):
    bad = shell("", name="bad", command=["/no/such/program"], essential=False)
    task = aws.running(aws.run(aws.define(shell(FOREVER), bad)))
    assert container(task, "bad")["lastStatus"] == "STOPPED"
    assert "/no/such/program" in container(task, "bad")["reason"]
