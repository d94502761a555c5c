"""`bayplan rollout`, `bayplan why` and `bayplan ps` for services: what they say, and how they end."""

import json
import os
import re
import signal
import subprocess
import uuid

import pytest

from ecs import FOREVER, Aws, shell
from instance import BINARY, eventually

QUICK = {"maximumPercent": 200, "minimumHealthyPercent": 100}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture(scope="module")
def quick(tmp_path_factory, archives):
    """A Bayplan in which tasks count as healthy after a second."""
    from conftest import end, start

    instance = start(tmp_path_factory.mktemp("quick") / "data", archives, "--healthy-after", "1")
    yield Aws(instance)
    end(instance)


class Web:
    """A service of tasks that run a script, and its deployments."""

    def __init__(self, aws, script=FOREVER, count=2, cluster="default", **settings):
        self.aws, self.bayplan, self.cluster = aws, aws.instance, cluster
        self.name = "web-" + uuid.uuid4().hex[:8]
        self.family = "f-" + self.name
        self.deleted = False
        configuration = {**QUICK, **settings.pop("configuration", {})}
        self.aws.ecs.create_service(
            cluster=cluster, serviceName=self.name, taskDefinition=self.define(script), desiredCount=count,
            deploymentConfiguration=configuration, **settings,
        )

    def define(self, script, **container):
        return self.aws.define(shell(script, **container), family=self.family)

    def update(self, script, **settings):
        self.aws.ecs.update_service(
            cluster=self.cluster, service=self.name, taskDefinition=self.define(script), **settings
        )

    def rollout(self, *args, check=True):
        return self.bayplan.command("rollout", self.name, *args, check=check)

    def lines(self, *args):
        done = self.rollout("--output", "json", *args, check=False)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    def why(self):
        return self.bayplan.json("why", self.name)

    def delete(self):
        if not self.deleted:
            self.aws.ecs.delete_service(cluster=self.cluster, service=self.name, force=True)
        self.deleted = True


@pytest.fixture
def deploy(quick):
    """Makes services, which are deleted after the test."""
    made = []

    def make(*args, **settings):
        made.append(Web(quick, *args, **settings))
        return made[-1]

    yield make
    for web in made:
        web.delete()


def family_of(web, revision):
    return f"{web.family}:{revision}"


class TestRollout:
    def test_a_first_deployment_ends_with_0_and_says_what_runs(self, deploy):
        web = deploy()
        said = web.rollout().stdout
        assert said.startswith(f"Service {web.name} in cluster default: {family_of(web, 1)}\n"), said
        assert "ROLLING, at least 2 healthy, at most 4 tasks; the circuit breaker is off" in said
        assert re.search(r"has started \d tasks", said) and "deployment completed" in said, said
        assert re.search(rf"{web.name} runs {web.family}:1 after \d+\.\d s\. Next: bayplan ps --services\n$", said), said
        assert "\x1b" not in said

    def test_a_revision_is_followed_to_the_next(self, deploy):
        web = deploy()
        web.rollout()
        web.update(FOREVER)
        said = web.rollout().stdout
        assert f": {family_of(web, 1)} -> {family_of(web, 2)}\n" in said
        assert said.splitlines()[-1].startswith(f"{web.name} runs {family_of(web, 2)}")

    def test_each_line_of_json_is_a_whole_state_or_an_event_and_the_last_is_the_end(self, deploy):
        web = deploy()
        web.rollout()
        web.update(FOREVER)
        done, lines = web.lines()
        assert {line["type"] for line in lines} == {"state", "event", "end"}
        first, last = lines[0], lines[-1]
        assert (first["service"], first["to"]["taskDefinition"]) == (web.name, family_of(web, 2))
        assert {"atMs", "status", "stage", "sets", "desired", "minHealthy", "maxTasks", "failures", "breaker", "hooks"} <= set(first)
        sets = [entry for line in lines if line["type"] == "state" for entry in line["sets"]]
        kinds = {"set", "role", "taskDefinition", "desired", "waiting", "pending", "running", "healthy", "stopping"}
        assert sets and all(kinds == set(entry) for entry in sets)
        assert (last["type"], last["status"], last["exitCode"], done.returncode) == ("end", "SUCCESSFUL", 0, 0)

    def test_a_broken_version_is_rolled_back_which_is_5(self, deploy):
        web = deploy(configuration=BREAKER)
        web.rollout()
        web.update("exit 3")
        done = web.rollout(check=False)
        assert done.returncode == 5, done.stdout + done.stderr
        last = done.stdout.splitlines()[-1]
        assert last.startswith(f"{web.name} runs {family_of(web, 1)} again after ") and f"not {family_of(web, 2)}: " in last
        assert done.stdout.endswith(f"Next: bayplan why service/{web.name}\n")

    def test_a_failure_that_is_not_rolled_back_is_4(self, deploy):
        web = deploy(configuration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
        web.rollout()
        web.update("exit 3")
        assert web.rollout(check=False).returncode == 4

    def test_a_deployment_that_is_not_over_is_6(self, deploy):
        web = deploy("exit 3", count=1)
        done = web.rollout("--timeout", "1", check=False)
        assert done.returncode == 6 and "It was waited for 1 s." in done.stdout, done.stdout
        now = web.rollout("--no-wait", check=False)
        assert now.returncode == 6 and now.stdout.endswith(f"Next: bayplan rollout {web.name}\n")

    def test_one_that_is_over_is_told_again(self, deploy):
        web = deploy()
        web.rollout()
        again = web.rollout("--no-wait")
        assert "deployment completed" in again.stdout and again.returncode == 0

    def test_a_deployment_that_a_newer_one_takes_over_from_is_8(self, deploy):
        web = deploy("exit 3", count=1)
        following = subprocess.Popen(
            [BINARY, "--data-dir", web.bayplan.data_dir, "rollout", web.name], stdout=subprocess.PIPE, text=True
        )
        try:
            assert following.stdout.readline().startswith(f"Service {web.name}")
            web.update(FOREVER)
            rest, _ = following.communicate(timeout=30)
        finally:
            following.kill()
        assert following.returncode == 8, rest
        assert rest.endswith(f"Next: bayplan rollout {web.name}\n")
        assert web.rollout().returncode == 0

    def test_it_goes_on_when_the_server_is_killed(self, deploy):
        web = deploy("exit 3", count=1)
        following = subprocess.Popen(
            [BINARY, "--data-dir", web.bayplan.data_dir, "rollout", web.name, "--output", "json"], stdout=subprocess.PIPE, text=True
        )
        try:
            first = json.loads(following.stdout.readline())
            server = web.bayplan.pid("server")
            os.kill(server, signal.SIGKILL)
            eventually(lambda: web.bayplan.pid("server") not in (None, server), what="another server")
            web.update(FOREVER)
            rest = [json.loads(line) for line in following.communicate(timeout=30)[0].splitlines()]
        finally:
            following.kill()
        assert {line["deployment"] for line in rest if line["type"] == "state"} == {first["deployment"]}
        numbers = [line["number"] for line in rest if line["type"] == "event"]
        assert numbers == sorted(set(numbers))
        assert following.returncode == 8 and rest[-1]["status"] == "STOPPED"

    def test_a_reader_who_has_seen_enough_ends_it(self, deploy):
        web = deploy("exit 3", count=1)
        done = subprocess.run(
            f'"{BINARY}" --data-dir "{web.bayplan.data_dir}" rollout {web.name} | head -n 1',
            shell=True, capture_output=True, text=True, timeout=30,
        )
        assert done.stdout.startswith("Service") and done.stderr == ""

    def test_an_unknown_service_is_3(self, quick):
        done = quick.instance.command("rollout", "nobody", check=False)
        assert done.returncode == 3 and "nobody" in done.stderr and "ps --services" in done.stderr

    def test_a_terminal_is_drawn_over(self, deploy):
        web = deploy()
        command = f"{BINARY} --data-dir {web.bayplan.data_dir} rollout {web.name}"
        env = {**os.environ, "TERM": "xterm"}
        done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0 and "\x1b[J" in done.stdout
        assert "DEFINITION" in done.stdout and "Next: bayplan ps --services" in done.stdout


class TestWhy:
    def test_a_steady_service(self, deploy):
        web = deploy()
        web.rollout()
        said = web.why()
        assert {"service", "taskDefinition", "cluster", "what", "evidence", "lastLogLines", "next"} == set(said)
        assert said["what"] == f"It is steady: 2 of 2 tasks of {family_of(web, 1)} are healthy."
        prose = web.bayplan.command("why", f"service/{web.name}").stdout
        assert prose.startswith(f"Service {web.name} (") and "has reached a steady state" in prose

    def test_tasks_that_do_not_stay_up(self, deploy):
        web = deploy("echo this is why; exit 7", count=1)

        def throttled():
            said = web.why()
            return said if "in a row have failed" in said["what"] else None

        said = eventually(throttled, within=30, what="a throttled service")
        assert "exit code 7: bayplan logs" in said["next"] and said["lastLogLines"] == ["this is why"]
        (failed, *_) = [item for item in said["evidence"] if "failedTask" in item]
        assert failed["containers"][0]["exitCode"] == 7 and failed["taskDefinition"] == family_of(web, 1)
        assert any("throttledUntilMs" in item for item in said["evidence"])
        assert "exit code 7" in web.bayplan.command("why", web.name).stdout

    def test_a_rollback(self, deploy):
        web = deploy(configuration=BREAKER)
        web.rollout()
        web.update("exit 3")
        assert web.rollout(check=False).returncode == 5
        said = web.why()
        assert f"of {family_of(web, 2)} was rolled back, and it runs {family_of(web, 1)} again" in said["what"]
        (deployment,) = [item for item in said["evidence"] if "deployment" in item]
        assert (deployment["status"], deployment["threshold"]) == ("ROLLBACK_SUCCESSFUL", 3)

    def test_no_node_has_room(self, deploy, quick):
        web = deploy(count=1)
        web.rollout()
        huge = quick.define(shell(FOREVER, memory=10_000_000), family=web.family)
        quick.ecs.update_service(service=web.name, taskDefinition=huge)

        def short():
            said = web.why()
            return said if said["what"].startswith("No node takes") else None

        said = eventually(short, what="a shortage")
        assert "memory" in said["what"] and any("lacks" in item for item in said["evidence"])
        task = next(row["id"] for row in web.bayplan.json("ps") if row["service"] == web.name and row["status"] == "PROVISIONING")
        of_task = web.bayplan.json("why", task)
        assert of_task["service"] == web.name and "memory" in of_task["what"]

    def test_a_hook_comes_with_the_command_that_answers_it(self, deploy):
        web = deploy(count=1)
        web.rollout()
        pause = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
        web.update(FOREVER, deploymentConfiguration={**QUICK, "lifecycleHooks": [pause]})
        said = eventually(lambda: (why := web.why()) and "hook" in why["what"] and why, what="a hook that is waited for")
        assert web.rollout("--no-wait", check=False).stdout.rstrip().endswith(said["next"])
        words = said["next"].split()
        assert words[:3] == ["aws", "ecs", "continue-service-deployment"]
        web.aws.cli(*words[1:])
        assert web.rollout().returncode == 0

    def test_a_deleted_service(self, deploy):
        web = deploy(count=1)
        web.rollout()
        web.delete()
        eventually(lambda: "its last task has stopped" in web.why()["what"], what="the service's end")


class TestPs:
    def test_a_task_shows_its_service(self, deploy, quick):
        web = deploy()
        web.rollout()
        alone = quick.go(FOREVER).rsplit("/", 1)[1]
        rows = web.bayplan.json("ps")
        assert len([row for row in rows if row["service"] == web.name]) == 2
        assert [row["service"] for row in rows if row["id"] == alone] == [None]
        assert web.name in web.bayplan.command("ps").stdout
        quick.stop_all()

    def test_services_are_listed(self, deploy):
        web = deploy()
        web.rollout()
        (row,) = [row for row in web.bayplan.json("ps", "--services") if row["name"] == web.name]
        keys = {"name", "cluster", "status", "taskDefinition", "desired", "waiting", "pending", "running", "healthy", "stopping"}
        assert keys | {"deployment", "createdAtMs"} == set(row)
        assert (row["desired"], row["running"], row["healthy"], row["deployment"]) == (2, 2, 2, "SUCCESSFUL")
        listed = web.bayplan.command("ps", "--services").stdout
        assert re.search(rf"{web.name} +default +{web.family}:1 +2/2 +2 +SUCCESSFUL", listed), listed

    def test_a_service_that_is_gone_is_not(self, deploy):
        web = deploy(count=1)
        web.rollout()
        web.delete()
        eventually(lambda: web.name not in web.bayplan.command("ps", "--services").stdout, what="the service's end")
