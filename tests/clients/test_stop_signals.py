"""Which signal ends a container, by its image, and how its end is counted."""

import pytest

import images
from ecs import FOREVER, exit_code, shell

WAIT = "echo up; while :; do sleep 0.02; done"


@pytest.mark.parametrize(
    "name, trap", [("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("10", "USR1"), ("quit", "QUIT")]
)
def test_the_image_names_it_in_any_spelling(aws, bayplan, tmp_path, name, trap):
    reference = f"stops-by-{name.lower().replace('+', '-')}:1"
    bayplan.command("image", "import", images.busybox(tmp_path / "image.tar", StopSignal=name), "--name", reference)
    task = aws.go(f"trap 'exit 23' {trap}; trap 'exit 24' TERM; {WAIT}", image=reference)
    aws.says(task, "up")
    assert exit_code(aws.stop(task)) == 23


def test_an_image_with_a_signal_that_is_none_does_not_start(aws, bayplan, tmp_path):
    bayplan.command("image", "import", images.busybox(tmp_path / "i.tar", StopSignal="SIGNOPE"), "--name", "stops-by-nope:1")
    assert "SIGNOPE" in aws.finished(FOREVER, image="stops-by-nope:1")["stoppedReason"]


def test_a_program_under_init_dies_by_it_and_counts_128_more(aws):
    task = aws.go("echo up; exec sleep 1000", linuxParameters={"initProcessEnabled": True})
    aws.says(task, "up")
    assert exit_code(aws.stop(task)) == 143


def test_the_first_process_of_a_container_without_init_is_not_killed_by_a_signal_it_ignores(aws):
    # Only its stop timeout ends it: the kernel gives the first process of a namespace no default action.
    task = aws.go("echo up; exec sleep 1000", stopTimeout=2)
    aws.says(task, "up")
    assert exit_code(aws.stop(task)) == 137


@pytest.mark.parametrize("signal, code", [("ABRT", 134), ("SEGV", 139), ("USR2", 140)])
def test_a_death_by_a_signal_is_told_by_its_number(aws, signal, code):
    under_init = {"initProcessEnabled": True}
    assert exit_code(aws.finished(f"kill -{signal} $$; sleep 5", linuxParameters=under_init)) == code


def test_everything_in_the_container_dies_with_its_first_process(aws, tmp_path):
    volumes = {"volumes": [{"name": "out", "host": {"sourcePath": str(tmp_path)}}]}
    script = "(while :; do echo beat >> /out/beats; sleep 0.02; done) & sleep 0.2; exit 3"
    mounts = [{"sourceVolume": "out", "containerPath": "/out"}]
    task = aws.stopped(aws.run(aws.define(shell(script, mountPoints=mounts), **volumes)))
    assert exit_code(task) == 3
    beats = (tmp_path / "beats").read_text()
    assert exit_code(aws.finished("sleep 0.1")) == 0
    assert beats and (tmp_path / "beats").read_text() == beats
