"""`bayplan logs --follow` and `bayplan exec` while parts of Bayplan are killed and come back."""

import contextlib
import os
import subprocess

import pytest

from ecs import FOREVER, shell
from instance import BINARY, eventually, processes
from survival import Victim, no_agent

COUNTING = "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.02; done"


@pytest.fixture
def victim(another):
    return Victim(another())


@contextlib.contextmanager
def started(instance, *words):
    """`bayplan WORDS` as a process with pipes, ended with the test."""
    command = [BINARY, "--data-dir", str(instance.data_dir), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_to(process, last):
    """Its lines up to and with this one."""
    lines = []
    while not lines or lines[-1] != last:
        line = process.stdout.readline()
        assert line, (lines[-3:], process.stderr.read())
        lines.append(line.rstrip("\n"))
    return lines


def asks(process):
    """Whether it is connected to the server and waits."""
    links = [os.path.realpath(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
    return any("socket:" in link for link in links)


def runs(*words):
    return any(argv == list(words) for _, argv in processes())


@pytest.mark.parametrize("roles", [["agent"], ["server"], ["server", "agent"]], ids="+".join)
def test_logs_that_are_followed_lose_and_double_no_line(victim, roles):
    task = victim.aws.go(COUNTING)
    victim.aws.running(task)
    with started(victim.instance, "logs", task, "--follow") as following:
        for round in range(1, 4):
            lines = read_to(following, f"tick {round * 20}")
            victim.kill(*roles)
            victim.recover()
            expected = range(round * 20 - 19, round * 20 + 1)
            assert lines == [f"tick {n}" for n in expected]
        victim.aws.stop(task)
        assert following.wait(15) == 0, following.stderr.read()


def test_a_follower_goes_on_through_rotations_and_with_several_containers(victim):
    rotating = {"logDriver": "json-file", "options": {"max-size": "2k", "max-file": "50"}}
    beats = [shell(COUNTING, name=name, logConfiguration=rotating) for name in ("a", "b")]
    task = victim.aws.run(victim.aws.define(*beats))
    victim.aws.running(task)
    victim.aws.says(task, "a  tick 60\n")
    with started(victim.instance, "logs", task, "--follow", "--tail", "5") as following:
        seen = {"a": [], "b": []}
        for _ in range(3):
            until = {name: (numbers[-1] if numbers else 60) + 40 for name, numbers in seen.items()}
            while any(not numbers or numbers[-1] < until[name] for name, numbers in seen.items()):
                name, _, number = following.stdout.readline().split()
                seen[name].append(int(number))
            victim.kill("agent")
            victim.recover()
    for numbers in seen.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[0] > 50


def test_logs_that_are_asked_for_while_the_agent_is_away_come_with_it(victim):
    task = victim.aws.go("echo here; " + FOREVER)
    victim.aws.running(task)
    with contextlib.ExitStack() as asked:
        with no_agent(victim.instance):
            following = asked.enter_context(started(victim.instance, "logs", task, "--follow"))
            eventually(lambda: asks(following), 5, "a question")
        assert read_to(following, "here") == ["here"]


def test_a_program_that_is_asked_for_while_the_agent_is_away_runs_once_it_is_back(victim):
    task = victim.aws.go(FOREVER)
    victim.aws.running(task)
    once = ["sh", "-c", "echo ran >> /ran; cat /ran; exit 7"]
    with contextlib.ExitStack() as asked:
        with no_agent(victim.instance):
            waiting = asked.enter_context(started(victim.instance, "exec", task, "--", *once))
            eventually(lambda: asks(waiting), 5, "a question")
        out, errors = waiting.communicate(timeout=15)
        assert (out, waiting.returncode) == ("ran\n", 7), errors


@pytest.mark.parametrize(("role", "words"), [("agent", "agent ended"), ("server", "server was restarted")])
def test_a_program_that_runs_when_they_die_ends_with_words_and_the_task_goes_on(victim, role, words):
    task = victim.aws.go(FOREVER)
    runtime_id = victim.aws.running(task)["containers"][0]["runtimeId"]
    with started(victim.instance, "exec", task, "--", "sh", "-c", "trap '' PIPE HUP; echo in; exec sleep 4321") as running:
        read_to(running, "in")
        eventually(lambda: runs("sleep", "4321"), 5, "the program")
        victim.kill(role)
        _, errors = running.communicate(timeout=15)
        assert running.returncode == 1 and words in errors and "task was not touched" in errors
    eventually(lambda: not runs("sleep", "4321"), 10, "the end of a program that nobody can reach")
    victim.recover()
    assert victim.aws.describe(task)["containers"][0]["runtimeId"] == runtime_id
    assert victim.instance.exec(task, "echo", "again").stdout == "again\n"
