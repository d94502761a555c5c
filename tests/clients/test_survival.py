"""Bayplan's own processes are killed at any moment: containers go on, and nothing that was told is forgotten."""

import os
import signal
import threading
import time
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ecs import FOREVER, container, exit_code, shell
from instance import eventually
from survival import ROLES, Beating, Victim, is_alive


@pytest.fixture
def victim(another):
    return Victim(another())


@pytest.mark.parametrize("roles", [["server"], ["agent"], ["parent"], ROLES], ids="+".join)
def test_a_running_container_is_not_disturbed(victim, tmp_path, roles, capsys):
    tasks = [
        Beating(victim.aws, tmp_path / "host", networkMode="host"),
        Beating(victim.aws, tmp_path / "awsvpc", networkMode="awsvpc"),
        Beating(victim.aws, tmp_path / "bridge", networkMode="bridge"),
    ]
    moment = victim.kill(*roles)
    victim.recover()
    with capsys.disabled():
        print(f"\n  {'+'.join(roles)} killed: ready again after {1000 * (time.monotonic() - moment):.0f} ms", end=" ")
    for task in tasks:
        task.was_not_disturbed(victim.aws)


def test_tasks_can_be_stopped_and_started_after_a_restart(victim, tmp_path):
    before = Beating(victim.aws, tmp_path / "before")
    victim.kill()
    victim.recover()
    assert exit_code(victim.aws.stop(before.arn)) == 0
    assert exit_code(victim.aws.finished("exit 4")) == 4


def test_an_exit_while_nobody_watches_is_told_later(victim, tmp_path):
    volume = {"volumes": [{"name": "out", "host": {"sourcePath": str(tmp_path)}}], "networkMode": "bridge"}
    script = "echo up > /out/up; while [ ! -e /out/end ]; do sleep 0.05; done; touch /out/ended; exit 7"
    mounts = [{"sourceVolume": "out", "containerPath": "/out"}]
    task = victim.aws.run(victim.aws.define(shell(script, mountPoints=mounts), **volume))
    victim.aws.running(task)
    victim.kill()
    (tmp_path / "end").touch()
    eventually((tmp_path / "ended").exists, 10, "the container's end")
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert exit_code(stopped) == 7
    assert stopped["stopCode"] == "EssentialContainerExited"


def test_a_dependency_that_ends_while_nobody_watches_lets_its_dependant_start(victim, tmp_path):
    volume = {"volumes": [{"name": "out", "host": {"sourcePath": str(tmp_path)}}]}
    mounts = [{"sourceVolume": "out", "containerPath": "/out"}]
    first = shell("touch /out/up; while [ ! -e /out/end ]; do sleep 0.05; done", name="first", essential=False, mountPoints=mounts)
    second = shell("exit 5", name="second", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}])
    task = victim.aws.run(victim.aws.define(first, second, **volume))
    eventually((tmp_path / "up").exists, 10, "the first container")
    victim.kill()
    (tmp_path / "end").touch()
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert (exit_code(stopped, "first"), exit_code(stopped, "second")) == (0, 5)


def test_what_is_written_while_nobody_reads_is_in_the_logs(victim):
    task = victim.aws.go("n=0; while [ $n -lt 200 ]; do echo line $n; n=$((n+1)); sleep 0.01; done; " + FOREVER)
    victim.aws.says(task, "line 10\n")
    victim.kill()
    victim.recover()
    text = victim.aws.says(task, "line 199\n")
    assert text.splitlines() == [f"line {n}" for n in range(200)]


def test_a_stop_that_was_acknowledged_happens_though_all_die(victim):
    task = victim.aws.go("trap 'sleep 0.3; exit 9' TERM; echo up; while :; do sleep 0.05; done")
    victim.aws.says(task, "up\n")
    victim.aws.ecs.stop_task(task=task, reason="before the end")
    victim.kill()
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert exit_code(stopped) in (9, 137)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "before the end")


def test_no_acknowledged_task_is_lost_while_the_server_is_killed(victim):
    definition = victim.aws.define(shell("exit 0"))
    acknowledged, over = [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                answer = victim.aws.ecs.run_task(taskDefinition=definition)
                acknowledged.extend(task["taskArn"] for task in answer["tasks"])
            except (ClientError, BotoCoreError):
                pass

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(8):
            seen = len(acknowledged)
            eventually(lambda: len(acknowledged) > seen, 20, "one more task")
            victim.kill("server")
    finally:
        over.set()
        asking.join()
    victim.recover()
    assert len(set(acknowledged)) == len(acknowledged) >= 8
    for task in acknowledged:
        assert exit_code(victim.aws.stopped(task)) == 0


def test_a_role_that_dies_is_started_again_and_the_others_stay(victim):
    before = {role: victim.instance.pid(role) for role in ROLES}
    for role in ["server", "agent"]:
        victim.kill(role)
        victim.recover()
        eventually(lambda: victim.instance.pid(role) not in (None, before[role]), 5, f"another {role}")
    assert victim.instance.pid("parent") == before["parent"]


def test_a_supervisor_that_dies_takes_its_containers_and_no_exit_code_is_invented(victim, tmp_path):
    beating = Beating(victim.aws, tmp_path / "beating")
    (supervisor,) = victim.instance.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisor), 5, "the supervisor's end")
    stopped = victim.aws.stopped(beating.arn)
    assert "exitCode" not in container(stopped)
    assert "supervisor" in stopped["stoppedReason"] and container(stopped)["lastStatus"] == "STOPPED"
    assert victim.instance.cgroup(beating.arn.rsplit("/", 1)[1]) == []
    quiet = len(beating.beats())
    assert exit_code(victim.aws.finished("exit 0")) == 0
    assert len(beating.beats()) == quiet


def test_a_supervisor_that_dies_while_nobody_watches_is_found_out(victim, tmp_path):
    beating = Beating(victim.aws, tmp_path / "beating")
    (supervisor,) = victim.instance.supervisors()
    victim.kill()
    os.kill(supervisor, signal.SIGKILL)
    victim.recover()
    stopped = victim.aws.stopped(beating.arn)
    assert "exitCode" not in container(stopped) and "supervisor" in stopped["stoppedReason"]


def test_published_ports_and_names_go_on_while_all_are_dead(victim, free_port):
    serve = "mkdir /www; echo alive > /www/index.html; httpd -p 80 -h /www; " + FOREVER
    task = victim.aws.run(
        victim.aws.define(shell(serve, portMappings=[{"containerPort": 80, "hostPort": free_port}]), networkMode="bridge")
    )
    victim.aws.running(task)
    victim.kill()
    answers(free_port)
    victim.recover()
    answers(free_port)


def answers(port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask():
        try:
            return opener.open(f"http://127.0.0.1:{port}/", timeout=2).read()
        except OSError:
            return None

    assert eventually(ask, 10, f"an answer at port {port}") == b"alive\n"


def test_down_works_when_all_are_dead(another, tmp_path):
    victim = Victim(another())
    Beating(victim.aws, tmp_path / "beating", networkMode="awsvpc")
    victim.kill()
    victim.instance.down(purge=False)
    assert victim.instance.leftovers() == []
    victim.instance.up()
