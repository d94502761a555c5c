"""`bayplan exec` as a pipe: everything goes in, everything comes out, and it ends when its container does."""

import hashlib
import os
import subprocess
import threading

import pytest

from ecs import FOREVER, shell
from instance import BINARY, eventually


@pytest.fixture(scope="module")
def task(clients):
    arn = clients.go(FOREVER)
    clients.running(arn)
    # It outlives the test that happens to be first.
    clients.started.clear()
    yield arn
    clients.stop(arn)


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_the_exit_code_is_the_programs(bayplan, task, code):
    assert bayplan.exec(task, "sh", "-c", f"exit {code}", check=False).returncode == code


def test_a_program_that_dies_by_a_signal(bayplan, task):
    assert bayplan.exec(task, "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_two_mebibytes_go_in_and_come_out_unchanged(bayplan, task):
    sent = os.urandom(2 << 20)
    words = [BINARY, "--data-dir", str(bayplan.data_dir), "exec", task, "--", "cat"]
    done = subprocess.run(words, input=sent, capture_output=True, timeout=30)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(sent).digest()


def test_output_and_errors_are_told_apart(bayplan, task):
    done = bayplan.exec(task, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_several_at_once_do_not_mix(bayplan, task):
    answers = {}

    def ask(number):
        answers[number] = bayplan.exec(task, "sh", "-c", f"for i in 1 2 3; do echo {number}; done").stdout

    threads = [threading.Thread(target=ask, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: f"{n}\n" * 3 for n in range(8)}


def test_it_ends_with_its_container(aws, bayplan):
    arn = aws.go(FOREVER)
    aws.running(arn)
    words = [BINARY, "--data-dir", str(bayplan.data_dir), "exec", arn, "--", "sh", "-c", "echo in; sleep 1000"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "in\n"
        aws.stop(arn)
        assert running.wait(timeout=10) != 0


def test_in_a_task_that_has_stopped_it_says_so(aws, bayplan):
    arn = aws.finished("exit 42")["taskArn"]
    done = bayplan.exec(arn, "true", check=False)
    assert done.returncode == 1 and "not running" in done.stderr
    assert "Essential container in task exited" in done.stderr and "exit code 42" in done.stderr
    assert "bayplan logs" in done.stderr and "bayplan why" in done.stderr


def test_in_a_container_that_is_not_there_it_names_it(bayplan, task):
    done = bayplan.command("exec", task, "-c", "nobody", "--", "true", check=False)
    assert done.returncode != 0 and "nobody" in done.stderr


def test_it_has_the_environment_and_the_limits_of_its_container(aws, bayplan):
    arn = aws.go(FOREVER, environment=[{"name": "COLOUR", "value": "blue"}], ulimits=[{"name": "nofile", "softLimit": 99, "hardLimit": 99}])
    aws.running(arn)
    assert bayplan.exec(arn, "sh", "-c", "echo $COLOUR; ulimit -n").stdout == "blue\n99\n"


def test_a_program_left_behind_does_not_hold_the_task(aws, bayplan):
    arn = aws.go(FOREVER)
    aws.running(arn)
    bayplan.exec(arn, "sh", "-c", "nohup sleep 1000 >/dev/null 2>&1 & echo left")
    aws.stop(arn)
    eventually(lambda: bayplan.cgroup(arn.rsplit("/", 1)[1]) == [], 5, "the end of the task's control groups")
