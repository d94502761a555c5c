"""How tasks end: signals, timeouts, codes and reasons."""

import time

import pytest

import images
from ecs import FOREVER, container, exit_code, shell

DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_comes_through(aws, code):
    assert exit_code(aws.finished(f"exit {code}")) == code


def test_a_death_by_signal_is_128_and_its_number(aws):
    assert exit_code(aws.finished("sh -c 'kill -9 $$'; exit $?")) == 137


def test_stop_sends_term_and_says_who_asked(aws):
    task = aws.go("trap 'echo got term; exit 33' TERM; echo up; while :; do sleep 0.05; done")
    aws.says(task, "up")
    stopped = aws.stop(task, reason="an orderly end")
    assert exit_code(stopped) == 33 and "got term" in aws.instance.logs(task)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "an orderly end")


def test_a_task_that_does_not_listen_is_killed_after_its_stop_timeout(aws):
    task = aws.go(DEAF, stopTimeout=2)
    aws.says(task, "deaf")
    began = time.monotonic()
    stopped = aws.stop(task)
    assert exit_code(stopped) == 137 and 1.8 < time.monotonic() - began < 6


def test_the_images_stop_signal_is_used(aws, bayplan, tmp_path):
    path = tmp_path / "int.tar"
    images.busybox(path, StopSignal="SIGINT")
    bayplan.command("image", "import", path, "--name", "stops-by-int:1")
    task = aws.go("trap 'exit 11' INT; trap 'exit 12' TERM; echo up; while :; do sleep 0.05; done", image="stops-by-int:1")
    aws.says(task, "up")
    assert exit_code(aws.stop(task)) == 11


def test_stopping_twice_keeps_the_first_reason(aws):
    task = aws.go(DEAF, stopTimeout=2)
    aws.says(task, "deaf")
    aws.ecs.stop_task(task=task, reason="first")
    aws.ecs.stop_task(task=task, reason="second")
    assert aws.stopped(task)["stoppedReason"] == "first"


def test_stopping_a_stopped_task_changes_nothing(aws):
    task = aws.finished("exit 6")
    again = aws.ecs.stop_task(task=task["taskArn"], reason="late")["task"]
    assert (again["lastStatus"], again["stoppedReason"]) == ("STOPPED", task["stoppedReason"])


def test_desired_status_turns_at_once(aws):
    task = aws.go(DEAF, stopTimeout=3)
    aws.says(task, "deaf")
    assert aws.ecs.stop_task(task=task)["task"]["desiredStatus"] == "STOPPED"
    aws.stopped(task)


def test_a_task_stopped_without_words_has_ecs_own(aws):
    task = aws.go(FOREVER)
    aws.running(task)
    aws.ecs.stop_task(task=task)
    assert aws.stopped(task)["stoppedReason"] == "Task stopped by user"


def test_a_program_that_is_missing_fails_the_start(aws):
    task = aws.finished("", command=["/no/such/program"])
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotStartContainerError" in container(task)["reason"] and exit_code(task) is None


def test_an_image_that_is_missing_says_so(aws):
    task = aws.finished("true", image="nobody/has:this")
    assert task["stopCode"] == "TaskFailedToStart" and exit_code(task) is None
    assert task["stoppedReason"].startswith("CannotPullContainerError") and "nobody/has:this" in task["stoppedReason"]


def test_an_unhealthy_essential_container_is_told(aws):
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1, "timeout": 2}
    task = aws.go(FOREVER, healthCheck=check)
    described = aws.until(task, lambda t: t["healthStatus"] == "UNHEALTHY", 30)
    assert container(described)["healthStatus"] == "UNHEALTHY"


def test_init_reaps_orphans_and_hands_on_signals(aws):
    script = "trap 'exit 21' TERM; ps -o pid,comm; echo up; while :; do sleep 0.05; done"
    task = aws.go(script, linuxParameters={"initProcessEnabled": True})
    text = aws.says(task, "up")
    assert not any(line.split()[:2] == ["1", "sh"] for line in text.splitlines())
    assert exit_code(aws.stop(task)) == 21


def test_a_restart_policy_does_not_restart_what_ended_too_soon(aws):
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    assert exit_code(aws.finished("exit 2", restartPolicy=policy)) == 2
