"""A task that shares the host's processes may see them; it may not look into them, enter them, or change the host."""

import os

import pytest

from ecs import FOREVER, shell

PROBES = {
    "read the host's files through its first process": "cat /proc/1/root/etc/shadow",
    "list the root of the host's first process": "ls /proc/1/root/",
    "read the environment of a process of the host": "cat /proc/{pid}/environ | grep -q .",
    "read the memory map of a process of the host": "grep -q . /proc/{pid}/maps",
    "enter the mounts of the host": "nsenter -t 1 -m true",
    "enter the network of the host": "nsenter -t 1 -n true",
    "write to a process of the host": "echo x > /proc/{pid}/mem",
    "overwrite the program of the agent": "echo x > /proc/{agent}/exe",
    "overwrite the program of its supervisor": "echo x > /proc/{supervisor}/exe",
    "read the files that the agent has open": "readlink /proc/{agent}/fd/0 || cat /proc/{agent}/fd/0",
    "read the server's keys through its working folder": "cat /proc/{server}/root{data}/keys.json",
}


@pytest.fixture(scope="module")
def observer(clients):
    task = clients.go(FOREVER, task={"networkMode": "none", "pidMode": "host"})
    clients.running(task)
    # It outlives the test that happens to be first.
    clients.started.clear()
    yield task
    clients.stop(task)


@pytest.mark.parametrize("script", PROBES.values(), ids=PROBES)
def test_it_cannot(bayplan, observer, script):
    names = {role: bayplan.pid(role) for role in ["agent", "server"]}
    given = {"pid": os.getpid(), "supervisor": bayplan.supervisors()[0], "data": bayplan.data_dir, **names}
    done = bayplan.exec(observer, "sh", "-c", f"{{ {script.format(**given)}; }} && echo ESCAPED", check=False)
    assert "ESCAPED" not in done.stdout and done.returncode != 0


def test_but_it_sees_them(bayplan, observer):
    assert f"{os.getpid()}\n" in bayplan.exec(observer, "sh", "-c", "ls -d /proc/[0-9]* | cut -d/ -f3").stdout


def test_another_task_sees_none_of_them(aws, observer):
    assert len(aws.output("ls -d /proc/[0-9]*", task={"networkMode": "none"}).split()) <= 3


def test_the_cgroup_file_system_inside_is_its_own_and_cannot_be_written(aws):
    script = "find /sys/fs/cgroup -type f -name '*procs' | while read f; do echo $$ > $f && echo WROTE $f; done; true"
    assert "WROTE" not in aws.output(script, task={"networkMode": "none"})


def test_nothing_of_the_hosts_file_system_is_left_below_the_root(aws, bayplan):
    script = "cat /proc/self/mountinfo; ls -la /; cat /.pivot* 2>&1; ls / | grep -i old; true"
    text = aws.output(script, task={"networkMode": "none"})
    assert "/.old" not in text and "put_old" not in text


def test_a_container_of_another_users_namespace_owns_no_host_file(aws, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    secret.chmod(0o600)
    main = shell("cat /host/secret && echo READ", user="app", mountPoints=[{"sourceVolume": "v", "containerPath": "/host"}])
    task = aws.stopped(aws.run(aws.define(main, volumes=[{"name": "v", "host": {"sourcePath": str(tmp_path)}}])))
    assert "READ" not in aws.instance.logs(task["taskArn"])
