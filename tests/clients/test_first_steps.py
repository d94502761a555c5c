"""The way of a new user: who am I, what is there, a task that answers, and the command line beside it."""

import json
import urllib.request

from ecs import FOREVER, address, container, shell


def fetch(url):
    # No proxy: the address is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return answer.read().decode()


def test_the_keys_of_an_installation_are_its_root(aws):
    identity = aws.sts.get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"


def test_the_default_cluster_exists(aws):
    (cluster,) = aws.ecs.describe_clusters()["clusters"]
    assert (cluster["clusterName"], cluster["status"]) == ("default", "ACTIVE")
    assert cluster["registeredContainerInstancesCount"] == 1


def test_the_default_network_exists_and_env_lists_it(aws, bayplan):
    (vpc,) = aws.ec2.describe_vpcs()["Vpcs"]
    subnets = aws.ec2.describe_subnets()["Subnets"]
    zones = {zone["ZoneName"] for zone in aws.ec2.describe_availability_zones()["AvailabilityZones"]}
    groups = aws.ec2.describe_security_groups()["SecurityGroups"]
    network = bayplan.settings["network"]
    assert vpc["IsDefault"] and vpc["VpcId"] == network["vpc"]
    assert {s["SubnetId"] for s in subnets} == set(bayplan.subnets) and len(subnets) == 3
    assert {s["AvailabilityZone"] for s in subnets} <= zones
    assert [g["GroupId"] for g in groups] == [network["securityGroup"]]


def test_the_demonstration_image_answers_at_the_tasks_own_address(aws, bayplan):
    web = {"name": "web", "image": "demo", "memory": 64, "stopTimeout": 2, "portMappings": [{"containerPort": 8080}]}
    task = aws.run(aws.define(web, networkMode="awsvpc"), networkConfiguration=aws.network())
    described = aws.running(task)
    url = f"http://{address(described)}:8080/hello"
    aws.says(task, "answering on port 8080")
    assert "container run by Bayplan" in fetch(url)
    assert "hello: /hello" in bayplan.logs(task)


def test_the_aws_cli_registers_runs_and_describes(aws, tmp_path):
    document = tmp_path / "app.json"
    document.write_text(json.dumps({"family": "by-cli", "networkMode": "host", "containerDefinitions": [shell("exit 3")]}))
    registered = aws.cli("ecs", "register-task-definition", "--cli-input-json", f"file://{document}")
    assert registered["taskDefinition"]["family"] == "by-cli"
    (task,) = aws.cli("ecs", "run-task", "--task-definition", "by-cli")["tasks"]
    aws.stopped(task["taskArn"])
    (described,) = aws.cli("ecs", "describe-tasks", "--tasks", task["taskArn"])["tasks"]
    assert described["containers"][0]["exitCode"] == 3
    assert aws.cli("sts", "get-caller-identity")["Account"] == "000000000000"


def test_the_aws_cli_prints_a_refusal_with_its_code(aws):
    done = aws.cli("ecs", "describe-tasks", "--cluster", "nowhere", "--tasks", "x", check=False)
    assert done.returncode != 0 and "(ClusterNotFoundException)" in done.stderr


def test_clients_find_a_task_by_any_of_its_names(aws):
    task = aws.go(FOREVER)
    aws.running(task)
    short = task.rsplit("/", 1)[1]
    for name in [task, short]:
        (described,) = aws.ecs.describe_tasks(tasks=[name])["tasks"]
        assert described["taskArn"] == task


def test_states_and_timestamps_come_in_order(aws):
    task = aws.finished("exit 0")
    moments = ["createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt"]
    times = [task[moment] for moment in moments]
    assert times == sorted(times)
    assert task["createdAt"] <= task["executionStoppedAt"] <= task["stoppedAt"]
    assert (task["lastStatus"], task["desiredStatus"]) == ("STOPPED", "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")


def test_the_version_grows_with_every_change(aws):
    task = aws.go(FOREVER)
    before = aws.running(task)["version"]
    assert aws.stop(task)["version"] > before


def test_a_container_has_an_id_a_digest_and_an_arn(aws):
    task = aws.go(FOREVER)
    main = container(aws.running(task))
    assert main["containerArn"].startswith("arn:aws:ecs:us-east-1:000000000000:container/default/")
    assert main["imageDigest"].startswith("sha256:") and len(main["runtimeId"]) >= 32
    assert main["taskArn"] == task
