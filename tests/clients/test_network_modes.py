"""Where a task's containers can be reached, and what they reach, in each network mode."""

import socket
import subprocess
import urllib.request

import pytest

from ecs import FOREVER, address, container, exit_code, shell
from instance import eventually

SERVE = "mkdir /www; echo I am $(hostname) > /www/index.html; httpd -p {port} -h /www; " + FOREVER


def fetch(host, port, timeout=2):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}/", timeout=timeout) as answer:
            return answer.read().decode()
    except OSError:
        return None


def answers(host, port):
    return eventually(lambda: fetch(host, port), 10, f"an answer of {host}:{port}")


def web(port=80, **settings):
    return shell(SERVE.format(port=port), name="web", **settings)


def host_addresses():
    """Addresses of the machine besides loopback."""
    words = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return [word for word in words if ":" not in word]


def awsvpc(aws, *containers, **settings):
    return aws.run(aws.define(*containers, networkMode="awsvpc", **settings), networkConfiguration=aws.network())


class TestAwsvpc:
    def test_a_task_has_an_address_of_the_subnet_that_was_asked_for(self, aws, bayplan):
        wanted = bayplan.subnets[2]
        definition = aws.define(shell(FOREVER), networkMode="awsvpc")
        task = aws.running(aws.run(definition, networkConfiguration=aws.network(wanted)))
        details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
        assert details["subnetId"] == wanted and task["attachments"][0]["status"] == "ATTACHED"
        (interface,) = container(task)["networkInterfaces"]
        assert interface["privateIpv4Address"] == details["privateIPv4Address"]
        (subnet,) = aws.ec2.describe_subnets(SubnetIds=[wanted])["Subnets"]
        assert address(task).split(".")[:2] == subnet["CidrBlock"].split(".")[:2]
        assert task["availabilityZone"] == subnet["AvailabilityZone"]

    def test_the_host_reaches_it(self, aws):
        task = aws.running(awsvpc(aws, web()))
        assert "I am" in answers(address(task), 80)

    def test_two_tasks_may_use_one_port_and_reach_each_other(self, aws):
        first, second = (aws.running(awsvpc(aws, web())) for _ in range(2))
        answers(address(first), 80)
        said = aws.instance.exec(second["taskArn"], "wget", "-qO-", f"http://{address(first)}/").stdout
        assert said.startswith("I am")

    def test_containers_of_a_task_share_loopback(self, aws):
        client = shell("until wget -qO- http://127.0.0.1/; do sleep 0.1; done", name="client")
        task = awsvpc(aws, web(), client)
        assert "I am" in aws.says(aws.stopped(task)["taskArn"], "I am")

    def test_addresses_are_not_shared_and_come_back(self, aws):
        tasks = aws.run_all(aws.define(shell(FOREVER), networkMode="awsvpc"), count=5, networkConfiguration=aws.network())
        addresses = {address(aws.running(task["taskArn"])) for task in tasks}
        assert len(addresses) == 5

    def test_the_hosts_interfaces_are_not_seen(self, aws):
        seen = aws.output("ls /sys/class/net | sort | tr '\\n' ' '", task={"networkMode": "awsvpc"},
                          run={"networkConfiguration": aws.network()})
        assert "lo" in seen.split() and len(seen.split()) == 2

    def test_an_awsvpc_task_without_a_network_is_refused(self, aws, refused):
        definition = aws.define(shell("true"), networkMode="awsvpc")
        with refused("InvalidParameterException", "Network Configuration must be provided"):
            aws.ecs.run_task(taskDefinition=definition)

    def test_an_unknown_subnet_is_refused(self, aws, refused):
        definition = aws.define(shell("true"), networkMode="awsvpc")
        with refused("InvalidParameterException", "subnet-0123456789abcdef0", "does not exist"):
            aws.ecs.run_task(taskDefinition=definition, networkConfiguration=aws.network("subnet-0123456789abcdef0"))

    def test_a_network_where_none_belongs_is_refused(self, aws, refused):
        with refused("InvalidParameterException", "not valid for the given networkMode"):
            aws.ecs.run_task(taskDefinition=aws.define(shell("true")), networkConfiguration=aws.network())


class TestBridge:
    def test_a_static_host_port_answers_on_loopback_and_on_the_hosts_addresses(self, aws, free_port):
        ports = [{"containerPort": 80, "hostPort": free_port}]
        task = aws.running(aws.run(aws.define(web(portMappings=ports), networkMode="bridge")))
        assert "I am" in answers("127.0.0.1", free_port)
        for host in host_addresses():
            assert "I am" in answers(host, free_port)
        (binding,) = container(task, "web")["networkBindings"]
        assert (binding["hostPort"], binding["containerPort"], binding["protocol"]) == (free_port, 80, "tcp")
        assert binding["bindIP"] == "0.0.0.0"

    def test_a_dynamic_host_port_is_told_and_answers(self, aws):
        ports = [{"containerPort": 80}]
        task = aws.running(aws.run(aws.define(web(portMappings=ports), networkMode="bridge")))
        (binding,) = container(task, "web")["networkBindings"]
        assert 32768 <= binding["hostPort"] <= 60999
        assert "I am" in answers("127.0.0.1", binding["hostPort"])

    def test_a_published_port_is_held_while_the_task_runs_and_free_after_it(self, aws, free_port):
        ports = [{"containerPort": 80, "hostPort": free_port}]
        task = aws.run(aws.define(web(portMappings=ports), networkMode="bridge"))
        aws.running(task)
        with pytest.raises(OSError):
            socket.create_server(("0.0.0.0", free_port))
        aws.stop(task)
        socket.create_server(("0.0.0.0", free_port)).close()

    def test_each_container_has_its_own_loopback(self, aws):
        other = shell("sleep 0.3; wget -qO- http://127.0.0.1/ || echo nobody here", name="other")
        task = aws.stopped(aws.run(aws.define(web(), other, networkMode="bridge")))
        assert "nobody here" in aws.says(task["taskArn"], "nobody")

    def test_a_link_names_the_other_container(self, aws):
        client = shell("until wget -qO- http://db/; do sleep 0.1; done", name="client", links=["web:db"])
        task = aws.run(aws.define(web(), client, networkMode="bridge"))
        assert "I am" in aws.says(aws.stopped(task)["taskArn"], "I am")

    def test_another_task_reaches_a_published_port_of_the_host(self, aws, free_port):
        ports = [{"containerPort": 80, "hostPort": free_port}]
        aws.running(aws.run(aws.define(web(portMappings=ports), networkMode="bridge")))
        answers("127.0.0.1", free_port)
        for host in host_addresses()[:1]:
            script = f"wget -qO- http://{host}:{free_port}/"
            said = aws.output(script, task={"networkMode": "awsvpc"}, run={"networkConfiguration": aws.network()})
            assert said.startswith("I am")

    def test_bridge_is_what_a_task_definition_without_a_mode_uses(self, aws):
        task = aws.running(aws.run(aws.define(shell(FOREVER), networkMode=None)))
        assert task["attachments"] == []
        assert len(aws.instance.exec(task["taskArn"], "ls", "/sys/class/net").stdout.split()) == 2

    def test_a_udp_port_is_published_beside_the_tcp_port_of_the_same_number(self, aws, free_port):
        ports = [{"containerPort": 53, "hostPort": free_port, "protocol": protocol} for protocol in ("tcp", "udp")]
        task = aws.running(aws.run(aws.define(shell(FOREVER, portMappings=ports), networkMode="bridge")))
        bindings = {b["protocol"]: b["hostPort"] for b in container(task)["networkBindings"]}
        assert bindings == {"tcp": free_port, "udp": free_port}
        with pytest.raises(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("0.0.0.0", free_port))


class TestHost:
    def test_a_container_listens_on_the_hosts_own_ports(self, aws, free_port):
        ports = [{"containerPort": free_port}]
        task = aws.running(aws.run(aws.define(web(free_port, portMappings=ports))))
        assert "I am" in answers("127.0.0.1", free_port)
        assert container(task, "web")["networkBindings"][0]["hostPort"] == free_port

    def test_it_sees_the_hosts_interfaces(self, aws):
        seen = set(aws.output("ls /sys/class/net").split())
        assert {name for _, name in socket.if_nameindex()} & seen >= {"lo"}
        assert len(seen) >= 2

    def test_containers_that_want_one_port_on_the_host_are_refused(self, aws, refused):
        one, two = (shell("true", name=name, portMappings=[{"containerPort": 8080}]) for name in ("a", "b"))
        with refused("ClientException", "8080"):
            aws.define(one, two)


class TestNone:
    def test_a_task_has_loopback_and_nothing_else(self, aws):
        assert aws.output("ls /sys/class/net", task={"networkMode": "none"}).split() == ["lo"]

    def test_it_reaches_nobody(self, aws):
        assert exit_code(aws.finished("ping -c1 -W1 10.0.0.1", task={"networkMode": "none"})) != 0
