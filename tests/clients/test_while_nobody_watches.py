"""What happens to tasks between the death of all of Bayplan's processes and the next `up`: it is told later, and nothing is disturbed."""

import os
import signal
import time
import urllib.request

import pytest

from ecs import FOREVER, container, exit_code, shell
from instance import eventually
from survival import ROLES, Beating, Victim, is_alive, no_agent

OUT = [{"sourceVolume": "out", "containerPath": "/out"}]
#: Says that it is up, and ends with 7 when the host tells it to.
UNTIL_TOLD = "touch /out/up; while [ ! -e /out/end ]; do sleep 0.02; done; touch /out/ended; exit {code}"


@pytest.fixture
def victim(another):
    return Victim(another())


def shared(folder):
    return [{"name": "out", "host": {"sourcePath": str(folder)}}]


@pytest.mark.parametrize("roles", [["server"], ["agent"], ["parent"], ROLES], ids="+".join)
def test_hearts_beat_on_in_every_network_mode(victim, tmp_path, roles, capsys):
    tasks = [Beating(victim.aws, tmp_path / mode, networkMode=mode) for mode in ["host", "awsvpc", "bridge", "none"]]
    moment = victim.kill(*roles)
    victim.recover()
    with capsys.disabled():
        print(f"\n  {'+'.join(roles)} killed: ready again after {1000 * (time.monotonic() - moment):.0f} ms", end=" ")
    for task in tasks:
        task.was_not_disturbed(victim.aws)


def test_a_container_that_ends_keeps_its_code_and_its_task_its_reason(victim, tmp_path):
    definition = victim.aws.define(shell(UNTIL_TOLD.format(code=7), mountPoints=OUT), volumes=shared(tmp_path))
    task = victim.aws.run(definition)
    eventually((tmp_path / "up").exists, 10, "the container")
    victim.kill()
    (tmp_path / "end").touch()
    eventually((tmp_path / "ended").exists, 10, "the container's end")
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert (exit_code(stopped), stopped["stopCode"]) == (7, "EssentialContainerExited")


def test_a_dependant_starts_when_its_dependency_has_ended_meanwhile(victim, tmp_path):
    first = shell(UNTIL_TOLD.format(code=0), name="first", essential=False, mountPoints=OUT)
    second = shell("exit 5", name="second", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}])
    task = victim.aws.run(victim.aws.define(first, second, volumes=shared(tmp_path)))
    eventually((tmp_path / "up").exists, 10, "the first container")
    victim.kill()
    (tmp_path / "end").touch()
    eventually((tmp_path / "ended").exists, 10, "the first container's end")
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert (exit_code(stopped, "first"), exit_code(stopped, "second")) == (0, 5)


def test_a_stop_that_was_acknowledged_happens(victim):
    task = victim.aws.go("trap 'sleep 0.3; exit 9' TERM; echo up; while :; do sleep 0.05; done")
    victim.aws.says(task, "up\n")
    victim.aws.ecs.stop_task(task=task, reason="before the end")
    victim.kill()
    victim.recover()
    stopped = victim.aws.stopped(task)
    assert exit_code(stopped) == 9
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "before the end")


def test_every_line_that_is_written_is_in_the_logs(victim):
    task = victim.aws.go("n=0; while [ $n -lt 200 ]; do echo line $n; n=$((n+1)); sleep 0.01; done; " + FOREVER)
    victim.aws.says(task, "line 10\n")
    victim.kill()
    victim.recover()
    assert victim.aws.says(task, "line 199\n").splitlines() == [f"line {n}" for n in range(200)]


def test_logs_of_tasks_whose_records_are_gone_are_cleared_and_no_others(victim):
    runs = victim.aws.go("echo runs; " + FOREVER)
    victim.aws.says(runs, "runs\n")
    ended = victim.aws.finished("echo ended")["taskArn"]
    forgotten = victim.instance.data_dir / "logs" / "0123456789abcdef0123456789abcdef"
    with no_agent(victim.instance):
        # As an agent finds it that was away when the task's record was deleted.
        forgotten.mkdir()
        (forgotten / "main.log").write_text("")
    eventually(lambda: not forgotten.exists(), 10, "the end of a forgotten task's logs")
    assert victim.instance.logs(runs) == "runs\n"
    assert victim.instance.logs(ended) == "ended\n"


def test_a_supervisor_that_dies_is_found_out_and_no_exit_code_is_invented(victim, tmp_path):
    beating = Beating(victim.aws, tmp_path / "beating")
    (supervisor,) = victim.instance.supervisors()
    victim.kill()
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisor), 5, "the supervisor's end")
    victim.recover()
    stopped = victim.aws.stopped(beating.arn)
    assert "exitCode" not in container(stopped) and "supervisor" in stopped["stoppedReason"]
    quiet = len(beating.beats())
    assert exit_code(victim.aws.finished("exit 0")) == 0
    assert len(beating.beats()) == quiet, "the container's heart beats on"


def test_published_ports_answer_throughout(victim, free_port):
    serve = "mkdir /www; echo alive > /www/index.html; httpd -p 80 -h /www; " + FOREVER
    web = shell(serve, portMappings=[{"containerPort": 80, "hostPort": free_port}])
    victim.aws.running(victim.aws.run(victim.aws.define(web, networkMode="bridge")))
    assert answer(free_port) == b"alive\n"
    victim.kill()
    assert answer(free_port) == b"alive\n"
    victim.recover()
    assert answer(free_port) == b"alive\n"


def answer(port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask():
        try:
            return opener.open(f"http://127.0.0.1:{port}/", timeout=2).read()
        except OSError:
            return None

    return eventually(ask, 10, f"an answer at port {port}")
