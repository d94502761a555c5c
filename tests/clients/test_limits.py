"""Memory, cpu, processes and files: limits that the kernel holds, and what is said when one is hit."""

import pytest

from ecs import FOREVER, container, exit_code, shell

EAT = "exec dd if=/dev/zero of=/dev/null bs={mib}M count=1"


def first_number(path):
    return int(path.read_text().split()[0])


def limit(bayplan, task, names):
    """The value of the first of these control files in the task's own groups, or in its containers'."""
    short = task.rsplit("/", 1)[1]
    for folder in sorted(bayplan.cgroup(short), key=lambda p: len(p.parts)):
        for name in names:
            if (folder / name).exists():
                yield first_number(folder / name)


def test_a_container_that_outgrows_its_memory_is_killed_and_told(aws):
    task = aws.finished(EAT.format(mib=200), memory=32)
    main = container(task)
    assert main["exitCode"] == 137 and main["reason"].startswith("OutOfMemoryError")
    assert task["stopCode"] == "EssentialContainerExited"


def test_one_that_stays_within_its_memory_lives(aws):
    assert exit_code(aws.finished(EAT.format(mib=5), memory=64)) == 0


def test_the_tasks_own_memory_counts_for_all_its_containers(aws):
    eater = shell(EAT.format(mib=200), name="eater", memory=None, memoryReservation=16)
    del eater["memory"]
    task = aws.stopped(aws.run(aws.define(eater, memory="48")))
    assert exit_code(task, "eater") == 137
    assert container(task, "eater")["reason"].startswith("OutOfMemoryError")


def test_the_hard_limit_is_in_the_control_group(aws, bayplan):
    task = aws.go(FOREVER, memory=77)
    aws.running(task)
    assert 77 << 20 in list(limit(bayplan, task, ["memory.limit_in_bytes", "memory.max"]))


def test_the_reservation_is_the_soft_limit(aws, bayplan):
    task = aws.go(FOREVER, memory=77, memoryReservation=33)
    aws.running(task)
    assert 33 << 20 in list(limit(bayplan, task, ["memory.soft_limit_in_bytes", "memory.low"]))


def test_cpu_units_are_shares(aws, bayplan):
    task = aws.go(FOREVER, cpu=512)
    aws.running(task)
    found = list(limit(bayplan, task, ["cpu.shares"])) or list(limit(bayplan, task, ["cpu.weight"]))
    assert 512 in found or 20 in found


def test_processes_are_bounded(aws):
    script = "ulimit -u; n=0; while [ $n -lt 40 ]; do sleep 5 & n=$((n+1)); done 2>&1 | grep -c -i 'resource\\|fork' ; true"
    text = aws.output(script, ulimits=[{"name": "nproc", "softLimit": 4096, "hardLimit": 4096}])
    assert text.splitlines()[0] in ("4096", "unlimited")


def test_ulimits_apply(aws):
    text = aws.output("ulimit -n; ulimit -Hn", ulimits=[{"name": "nofile", "softLimit": 123, "hardLimit": 456}])
    assert text.split() == ["123", "456"]


def test_a_soft_limit_above_the_hard_one_is_refused(aws, refused):
    with refused("ClientException", "nofile"):
        aws.define(shell("true", ulimits=[{"name": "nofile", "softLimit": 9, "hardLimit": 3}]))


@pytest.mark.parametrize(
    "settings, word",
    [
        ({"memory": 3}, "at least 6 MiB"),
        ({"memory": 64, "memoryReservation": 128}, "greater than or equal"),
        ({"memory": 64, "cpu": -1}, "cpu"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(aws, refused, settings, word):
    with refused("ClientException", word):
        aws.define({**shell("true"), **settings})


def test_shared_memory_has_its_size(aws):
    text = aws.output("df -m /dev/shm | tail -1", linuxParameters={"sharedMemorySize": 100})
    assert text.split()[1] == "100"
