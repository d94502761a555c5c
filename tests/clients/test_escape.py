"""What a container must not be able to do; each probe runs inside one with the default settings unless it says otherwise."""

import os

import pytest

from ecs import FOREVER, exit_code, shell

PROBES = {
    "mount a file system": "mount -t tmpfs none /tmp",
    "mount proc anew": "mkdir /p && mount -t proc none /p",
    "remount its root": "mount -o remount,rw /proc/sys",
    "unmount a masked path": "umount /proc/kcore",
    "make a user namespace": "unshare -U true",
    "make a mount namespace": "unshare -m true",
    "make a network namespace": "unshare -n true",
    "open a disk that it made itself": "mknod /tmp/disk b 8 0 && head -c1 /tmp/disk || mknod /tmp/d b 259 0 && head -c1 /tmp/d",
    "open the kernel's memory": "mknod /tmp/mem c 1 1 && head -c1 /tmp/mem",
    "open /dev/kmsg": "mknod /tmp/kmsg c 1 11 && head -c1 /tmp/kmsg",
    "open fuse": "mknod /tmp/fuse c 10 229 && head -c1 /tmp/fuse",
    "write the kernel's core pattern": "echo '|/bin/sh' > /proc/sys/kernel/core_pattern",
    "write a kernel setting": "echo 1 > /proc/sys/kernel/panic",
    "press a magic key": "echo b > /proc/sysrq-trigger",
    "read the kernel's keys": "test -s /proc/keys",
    "read the kernel's memory image": "test -s /proc/kcore",
    "write sysfs": "echo 1 > /sys/kernel/mm/ksm/run || touch /sys/x",
    "write its own limits": "for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do echo 99999999999 > $f && exit 0; done; exit 1",
    "use a release agent": "mkdir /tmp/cg && mount -t cgroup -o memory cgroup /tmp/cg",
    "read the kernel log": "dmesg > /dev/null",
    "set the clock": "date -s 2001-01-01; date | grep -q 2001",
    "set the host name": "hostname pirate",
    "write the program that started it": "for p in /proc/[0-9]*; do (echo x > $p/exe) 2>/dev/null && exit 0; done; exit 1",
    "change root twice": "mkdir -p /tmp/c && chroot /tmp/c /bin/true",
    "load a module": "test -e /proc/modules && busybox insmod /data/from-image",
    "raise a hard limit": "ulimit -Hn 99999999",
    "add a route": "ip route add 203.0.113.0/24 via 127.0.0.1",
    "give a link an address": "ip addr add 203.0.113.9/32 dev lo",
}


@pytest.mark.parametrize("script", PROBES.values(), ids=PROBES)
def test_a_container_cannot(aws, script):
    task = aws.finished(f"{script} && echo ESCAPED", task={"networkMode": "none"})
    assert "ESCAPED" not in aws.instance.logs(task["taskArn"])
    assert exit_code(task) not in (None, 0)


def test_it_sees_no_process_of_the_host(aws):
    assert aws.output("ls /proc | grep -c '^[0-9]'").strip() in ("1", "2", "3", "4")


def test_it_sees_no_mount_of_the_host(aws, bayplan):
    text = aws.output("cut -d' ' -f5 /proc/self/mountinfo")
    assert str(bayplan.data_dir) not in text
    assert not {"/var", "/run", "/boot"} & set(text.split())


def test_it_has_the_standard_devices_only(aws):
    found = set(aws.output("ls /dev").split())
    standard = {"console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
    assert found <= standard and {"null", "zero", "urandom", "pts", "shm"} <= found


def test_it_gains_no_privilege_by_a_set_uid_program(aws):
    script = "cp /bin/busybox /tmp/su && chmod 4755 /tmp/su; su app -c 'id -u; grep NoNewPrivs /proc/self/status'"
    assert exit_code(aws.finished(script)) in (0, 1)


def test_the_agents_keys_are_out_of_reach(aws, bayplan):
    script = f"cat {bayplan.data_dir}/keys.json {bayplan.data_dir}/run/server.sock"
    assert exit_code(aws.finished(script)) != 0


def test_the_data_folder_is_closed_to_others(bayplan):
    assert os.stat(bayplan.data_dir).st_mode & 0o077 == 0
    assert os.stat(bayplan.data_dir / "keys.json").st_mode & 0o777 == 0o600


def test_exec_has_the_containers_own_confinement(aws):
    task = aws.go(FOREVER)
    aws.running(task)
    status = aws.instance.exec(task, "cat", "/proc/self/status").stdout
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(lines["CapEff"], 16) == 0xA80425FB and lines["Seccomp"] == "2"
    assert aws.instance.exec(task, "mount", "-t", "tmpfs", "none", "/tmp", check=False).returncode != 0


def test_containers_of_two_tasks_do_not_see_each_other(aws):
    victim = aws.go("exec sleep 87654")
    aws.running(victim)
    assert aws.output("ps -o args | grep -c 'sleep 8765[4]'; true").strip() == "0"


def test_a_privileged_definition_is_refused_on_fargate(aws, refused):
    main = shell("true", privileged=True)
    with refused("ClientException", "privileged"):
        aws.define(main, networkMode="awsvpc", cpu="256", memory="512", requiresCompatibilities=["FARGATE"])
