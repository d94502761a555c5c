"""What a container finds inside: user, environment, files, kernel settings."""

import pytest

from ecs import FOREVER, exit_code, shell

ISOLATED = {"networkMode": "none"}


def test_the_images_environment_and_the_definitions(aws):
    text = aws.output("env", environment=[{"name": "GREETING", "value": "hello world"}])
    assert {"FROM_IMAGE=yes", "GREETING=hello world", "PATH=/bin", "HOME=/root"} <= set(text.splitlines())


@pytest.mark.parametrize(
    "user, expected",
    [("app", "1000 1000 1000 2000"), ("1000:2000", "1000 2000 2000"), ("1234", "1234 0 0")],
    ids=["by name", "by ids", "unknown to the image"],
)
def test_the_user_is_resolved_in_the_image(aws, user, expected):
    text = aws.output("echo $(id -u) $(id -g) $(id -G)", user=user)
    assert text.split()[:2] == expected.split()[:2]
    assert set(text.split()[2:]) >= set(expected.split()[2:3])


def test_the_working_directory(aws):
    assert aws.output("pwd", workingDirectory="/data") == "/data\n"


def test_entry_point_and_command_combine(aws):
    task = aws.finished("", entryPoint=["echo", "one"], command=["two"])
    assert aws.instance.logs(task["taskArn"]) == "one two\n"


def test_a_read_only_root(aws):
    assert exit_code(aws.finished("touch /x", readonlyRootFilesystem=True)) != 0


def test_the_writable_layer_is_the_containers_own(aws):
    definition = aws.define(shell("test ! -e /mark && touch /mark"))
    assert [exit_code(aws.stopped(aws.run(definition))) for _ in range(2)] == [0, 0]


def test_hosts_hostname_and_extra_hosts(aws):
    text = aws.output(
        "hostname; cat /etc/hostname /etc/hosts",
        hostname="boat",
        extraHosts=[{"hostname": "pier", "ipAddress": "10.9.8.7"}],
        task={"networkMode": "bridge"},
    )
    assert text.splitlines()[:2] == ["boat", "boat"]
    assert ["10.9.8.7", "pier"] in [line.split() for line in text.splitlines()]
    assert ["127.0.0.1", "localhost"] in [line.split()[:2] for line in text.splitlines()]


def test_dns_servers_and_search_domains(aws):
    settings = {"dnsServers": ["10.1.2.3"], "dnsSearchDomains": ["fleet.example"]}
    text = aws.output("cat /etc/resolv.conf", task={"networkMode": "bridge"}, **settings)
    assert "nameserver 10.1.2.3" in text and "fleet.example" in text


def test_no_loopback_resolver_is_handed_to_a_task_of_its_own_network(aws):
    text = aws.output("cat /etc/resolv.conf", task={"networkMode": "bridge"})
    assert "nameserver 127." not in text


def test_a_sysctl_of_its_own_namespace(aws):
    controls = [{"namespace": "net.core.somaxconn", "value": "321"}]
    assert aws.output("cat /proc/sys/net/core/somaxconn", systemControls=controls, task={"networkMode": "bridge"}) == "321\n"


def test_a_sysctl_of_the_host_is_refused(aws, refused):
    with refused("ClientException", "kernel.panic"):
        aws.define(shell("true", systemControls=[{"namespace": "kernel.panic", "value": "1"}]), **ISOLATED)


def test_a_device_of_the_host(aws):
    devices = {"devices": [{"hostPath": "/dev/null", "containerPath": "/dev/nothing", "permissions": ["read", "write"]}]}
    assert aws.output("echo x > /dev/nothing && stat -c %F /dev/nothing", linuxParameters=devices) == "character special file\n"


def test_added_and_dropped_capabilities(aws):
    def effective(**capabilities):
        text = aws.output("grep CapEff /proc/self/status", linuxParameters={"capabilities": capabilities})
        return int(text.split()[1], 16)

    docker, net_admin, chown = 0xA80425FB, 1 << 12, 1 << 0
    assert effective() == docker
    assert effective(add=["NET_ADMIN"]) == docker | net_admin
    assert effective(drop=["CHOWN"]) == docker & ~chown
    assert effective(drop=["ALL"]) == 0


def test_privileged_has_all_capabilities(aws):
    text = aws.output("grep CapEff /proc/self/status", privileged=True)
    assert int(text.split()[1], 16) & (1 << 21), "CAP_SYS_ADMIN"


def test_a_terminal(aws):
    task = aws.finished("test -t 1 && echo a terminal", pseudoTerminal=True)
    assert "a terminal" in aws.instance.logs(task["taskArn"])


def test_interactive_keeps_stdin_open(aws):
    task = aws.go("cat; echo it ended", interactive=True)
    aws.running(task)
    assert "it ended" not in aws.instance.logs(task)


@pytest.mark.parametrize("mode, seen", [(None, "0"), ("task", "1")], ids=["of its own", "of the task"])
def test_pid_mode(aws, mode, seen):
    other = shell("exec sleep 98765", name="other", essential=False)
    main = shell("sleep 0.3; ps -o args | grep -c 'sleep 9876[5]'; true", dependsOn=[{"containerName": "other", "condition": "START"}])
    task = aws.stopped(aws.run(aws.define(main, other, pidMode=mode)))
    assert aws.instance.logs(task["taskArn"], "--container", "main").strip() == seen


def test_the_pid_namespace_of_the_host(aws):
    assert int(aws.output("ps | wc -l", task={"pidMode": "host"})) > 5


def test_containers_of_a_task_may_share_ipc(aws):
    writer = shell("echo shared > /dev/shm/x; " + FOREVER, name="writer", essential=False)
    reader = shell("until cat /dev/shm/x 2>/dev/null; do sleep 0.05; done", name="reader")
    task = aws.stopped(aws.run(aws.define(writer, reader, ipcMode="task")))
    assert "shared" in aws.instance.logs(task["taskArn"])


def test_a_label_is_echoed(aws):
    definition = aws.define(shell("true", dockerLabels={"team": "harbour"}))
    described = aws.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert described["containerDefinitions"][0]["dockerLabels"] == {"team": "harbour"}
