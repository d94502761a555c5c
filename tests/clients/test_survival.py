"""Bayplan's own processes are killed, one after the other and all at once: tasks live on, nothing is lost or doubled."""

import os
import signal
import subprocess
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ecs import FOREVER, container, exit_code
from instance import BINARY, eventually, processes

COUNTING = "n=0; trap 'exit 17' TERM; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done"


@pytest.fixture
def ship(another):
    """A Bayplan of the test's own, with one task that runs."""
    aws = another()
    task = aws.go(COUNTING)
    aws.running(task)
    aws.says(task, "tick")
    return aws, task


def kill(instance, *roles):
    """Kills the processes of these roles at once, and waits until they are gone."""
    pids = [instance.pid(role) for role in roles]
    assert all(pids), dict(zip(roles, pids))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}/root/.") for pid in pids), 5, "the end of the killed")
    return pids


def ready_again(aws, within=5):
    """Waits until all roles live, the API answers and the node is connected; gives how long that took, in seconds."""
    began = time.monotonic()

    def answers():
        if not (aws.instance.pid("server") and aws.instance.pid("agent")):
            return False
        try:
            (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
            (instance,) = aws.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
            return instance["agentConnected"]
        except (ClientError, BotoCoreError):
            return False

    eventually(answers, within, "a connected node")
    return time.monotonic() - began


def still_the_same(aws, task, before):
    now = aws.describe(task)
    assert now["lastStatus"] == "RUNNING"
    assert container(now)["runtimeId"] == container(before)["runtimeId"]
    assert now["startedAt"] == before["startedAt"]
    last = aws.instance.logs(task, "--tail", "1")
    aws.says(task, f"tick {int(last.split()[1]) + 5}\n")
    assert aws.instance.logs(task).count("tick 1\n") == 1


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_role_that_is_killed_comes_back_and_the_task_has_not_noticed(ship, role):
    aws, task = ship
    before = aws.describe(task)
    kill(aws.instance, role)
    assert ready_again(aws) < 2
    still_the_same(aws, task, before)
    assert exit_code(aws.stop(task)) == 17


@pytest.mark.parametrize("roles", [["parent"], ["server", "agent", "parent"]], ids=["the parent", "all of them"])
def test_after_the_parents_death_up_goes_on_with_the_same_tasks(ship, roles):
    aws, task = ship
    before = aws.describe(task)
    kill(aws.instance, *roles)
    eventually(lambda: not aws.instance.pid("server") and not aws.instance.pid("agent"), 5, "the end of all roles")
    began = time.monotonic()
    aws.instance.up()
    aws.reconnect()
    ready_again(aws)
    assert time.monotonic() - began < 3
    still_the_same(aws, task, before)
    assert exit_code(aws.stop(task)) == 17


def test_an_exit_while_the_agent_is_dead_is_told_with_its_code(ship):
    aws, _ = ship
    task = aws.go("sleep 0.5; exit 23")
    aws.running(task)
    aws.instance.command("ps")
    agent = aws.instance.pid("agent")
    os.kill(agent, signal.SIGSTOP)
    try:
        eventually(lambda: not any("sleep" in words and "0.5" in words for _, words in processes()), 5)
    finally:
        os.kill(agent, signal.SIGKILL)
    assert exit_code(aws.stopped(task)) == 23


def test_a_task_that_ends_while_everything_is_down_keeps_its_code(another):
    aws = another()
    task = aws.go("sleep 1; exit 29")
    aws.running(task)
    kill(aws.instance, "parent", "server", "agent")
    eventually(lambda: not any(words[:2] == ["sleep", "1"] for _, words in processes()), 5, "the end of the program")
    aws.instance.up()
    aws.reconnect()
    stopped = aws.stopped(task)
    assert (exit_code(stopped), stopped["stopCode"]) == (29, "EssentialContainerExited")


def test_what_was_acknowledged_is_there_after_a_kill(another):
    aws = another()
    for n in range(5):
        family = aws.define({"name": "x", "image": "y", "memory": 6}, family=f"kept-{n}")
        kill(aws.instance, "server")
        ready_again(aws)
        assert aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["family"] == f"kept-{n}"


def test_tasks_started_while_the_server_dies_again_and_again_are_neither_lost_nor_doubled(another):
    aws = another()
    definition = aws.define({"name": "main", "image": "busybox:1", "memory": 16, "command": ["sh", "-c", FOREVER]})
    accepted = []
    for n in range(10):
        try:
            accepted.append(aws.run(definition, clientToken=f"token-{n}"))
        except (ClientError, BotoCoreError):
            ready_again(aws)
            accepted.append(aws.run(definition, clientToken=f"token-{n}"))
        if n % 2:
            kill(aws.instance, "server")
            ready_again(aws)
    for task in accepted:
        aws.running(task)
    assert len(set(accepted)) == 10 and sorted(aws.ecs.list_tasks()["taskArns"]) == sorted(accepted)
    assert len(aws.instance.supervisors()) == 10


def test_a_killed_supervisor_takes_its_containers_and_no_code_is_invented(ship):
    aws, task = ship
    (supervisor,) = aws.instance.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    stopped = aws.stopped(task)
    assert exit_code(stopped) is None and "supervisor" in stopped["stoppedReason"]
    groups = aws.instance.cgroup(task.rsplit("/", 1)[1])
    eventually(lambda: not any(path.exists() for path in groups), 10, "the end of its control groups")


def test_tasks_run_on_while_bayplan_is_stopped_orderly(ship):
    aws, task = ship
    before = aws.describe(task)
    parent = aws.instance.pid("parent")
    os.kill(parent, signal.SIGTERM)
    eventually(lambda: aws.instance.pid("parent") is None, 10, "the end of the parent")
    assert len(aws.instance.supervisors()) == 1
    aws.instance.up()
    aws.reconnect()
    still_the_same(aws, task, before)


def test_down_works_when_the_server_is_dead(ship):
    aws, _ = ship
    kill(aws.instance, "parent", "server", "agent")
    aws.instance.down(purge=False)
    assert aws.instance.leftovers() == []


def test_up_after_down_says_what_became_of_the_tasks(ship):
    aws, task = ship
    aws.instance.down(purge=False)
    aws.instance.up()
    aws.reconnect()
    stopped = aws.describe(task)
    assert stopped["lastStatus"] == "STOPPED" and stopped["stoppedReason"]


def test_logs_written_while_the_server_was_dead_arrive(ship):
    aws, _ = ship
    aws.logs.create_log_group(logGroupName="/late")
    options = {"awslogs-group": "/late", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    task = aws.go("for n in 1 2 3 4 5 6 7 8; do echo line $n; sleep 0.1; done; " + FOREVER,
                  logConfiguration={"logDriver": "awslogs", "options": options})
    aws.running(task)
    kill(aws.instance, "server")
    ready_again(aws)
    stream = f"t/main/{task.rsplit('/', 1)[1]}"

    def lines():
        events = aws.logs.get_log_events(logGroupName="/late", logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]

    eventually(lambda: lines() == [f"line {n}" for n in range(1, 9)], 15, "all eight lines, once each")


def test_after_a_reboot_leftovers_are_cleared_and_old_tasks_stopped(ship):
    aws, task = ship
    kill(aws.instance, "parent", "server", "agent")
    for supervisor in aws.instance.supervisors():
        os.kill(supervisor, signal.SIGKILL)
    # What a machine that was switched off and on again has: another boot id.
    (aws.instance.data_dir / "run" / "boot-id").write_text("00000000-0000-0000-0000-000000000000")
    aws.instance.up()
    aws.reconnect()
    stopped = aws.stopped(task)
    assert exit_code(stopped) is None and "restarted" in stopped["stoppedReason"]
    assert aws.instance.supervisors() == []
    assert exit_code(aws.finished("exit 3")) == 3


def test_a_bayplan_in_the_foreground_ends_by_a_signal_and_its_tasks_do_not(ship):
    aws, task = ship
    before = aws.describe(task)
    os.kill(aws.instance.pid("parent"), signal.SIGTERM)
    eventually(lambda: aws.instance.pid("parent") is None, 10, "the end of the parent")
    words = [BINARY, "--data-dir", str(aws.instance.data_dir), "up", "--aws-addr", "127.0.0.1:0"]
    foreground = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert "is ready" in foreground.stdout.readline()
        aws.instance.read_settings()
        aws.reconnect()
        still_the_same(aws, task, before)
    finally:
        foreground.send_signal(signal.SIGINT)
        foreground.wait(15)
    assert foreground.returncode == 0 and len(aws.instance.supervisors()) == 1
    aws.instance.up()
