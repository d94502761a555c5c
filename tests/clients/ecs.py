"""ECS as a test speaks to it: task definitions in a line, tasks that are waited for, AWS clients of one instance."""

import json
import os
import subprocess
import sys
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from instance import eventually

#: Runs until it is told to stop, then stops at once.
FOREVER = "trap 'exit 0' TERM INT; while :; do sleep 1000 & wait $!; done"


def shell(script, **settings):
    """A container definition that runs a script in BusyBox."""
    return {
        "name": "main",
        "image": "busybox:1",
        "essential": True,
        "memory": 64,
        "command": ["sh", "-c", script],
        "stopTimeout": 5,
        **settings,
    }


class Aws:
    """Clients of one instance, and the few calls that nearly every test makes."""

    def __init__(self, instance):
        self.instance = instance
        self.started = []
        self.reconnect()

    def reconnect(self):
        """Takes up what `bayplan env` says now: after another `up` the address may be a new one."""
        self.ecs, self.sts = self.client("ecs"), self.client("sts")
        self.logs, self.ec2 = self.client("logs"), self.client("ec2")

    def client(self, service, **overrides):
        env = self.instance.settings
        given = {
            "endpoint_url": env["AWS_ENDPOINT_URL"],
            "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
            "region_name": env["AWS_REGION"],
            "config": Config(retries={"total_max_attempts": 1}, read_timeout=60, inject_host_prefix=False),
        }
        return boto3.client(service, **{**given, **overrides})

    def cli(self, *words, check=True):
        """Runs the AWS CLI with what `bayplan env` says; gives the parsed answer, or the process where it may fail."""
        env = {k: v for k, v in self.instance.settings.items() if isinstance(v, str)}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        program = os.path.join(os.path.dirname(sys.executable), "aws")
        done = subprocess.run(
            [program, *words], env={**inherited, **env, "AWS_PAGER": ""}, capture_output=True, text=True, timeout=60
        )
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    # Task definitions and tasks.

    def define(self, *containers, **settings):
        """Registers a task definition under a fresh family; gives its ARN."""
        given = {"family": "t-" + uuid.uuid4().hex[:12], "networkMode": "host", **settings}
        given = {key: value for key, value in given.items() if value is not None}
        return self.ecs.register_task_definition(containerDefinitions=list(containers), **given)["taskDefinition"][
            "taskDefinitionArn"
        ]

    def network(self, *subnets):
        """The networkConfiguration of an awsvpc task."""
        return {"awsvpcConfiguration": {"subnets": list(subnets) or self.instance.subnets[:1]}}

    def run_all(self, definition, **settings):
        """RunTask; no failure is expected."""
        answer = self.ecs.run_task(taskDefinition=definition, **settings)
        cluster = settings.get("cluster", "default")
        self.started += [(cluster, task["taskArn"]) for task in answer["tasks"]]
        assert answer["failures"] == []
        return answer["tasks"]

    def run(self, definition, **settings):
        (task,) = self.run_all(definition, **settings)
        return task["taskArn"]

    def go(self, script, *, run=None, task=None, **container):
        """Runs a script in one container; gives the task's ARN."""
        return self.run(self.define(shell(script, **container), **(task or {})), **(run or {}))

    def finished(self, script, **settings):
        """Runs a script to its end; gives the stopped task."""
        return self.stopped(self.go(script, **settings))

    def output(self, script, **settings):
        """Runs a script to its end; gives what it wrote."""
        task = self.finished(script, **settings)
        text = self.instance.logs(task["taskArn"])
        assert task["containers"][0].get("exitCode") == 0, f"{task['stoppedReason']} {task['containers']}\n{text}"
        return text

    def describe(self, task, cluster=None, **settings):
        cluster = cluster or task.split("/")[-2]
        (described,) = self.ecs.describe_tasks(cluster=cluster, tasks=[task], **settings)["tasks"]
        return described

    def until(self, task, condition, within=20, what="the task's state"):
        seen = {}

        def look():
            seen.update(self.describe(task))
            return seen if condition(seen) else None

        try:
            return eventually(look, within, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(seen, default=str, indent=1)}") from None

    def running(self, task, within=20):
        """Waits until a task runs; one that stops instead fails at once."""
        described = self.until(task, lambda t: t["lastStatus"] in ("RUNNING", "STOPPED"), within, "RUNNING")
        assert described["lastStatus"] == "RUNNING", described.get("stoppedReason")
        return described

    def stopped(self, task, within=30):
        return self.until(task, lambda t: t["lastStatus"] == "STOPPED", within, "STOPPED")

    def stop(self, task, reason="the test is over"):
        self.ecs.stop_task(cluster=task.split("/")[-2], task=task, reason=reason)
        return self.stopped(task)

    def stop_all(self):
        """Asks every task that a test has started to stop, and waits for none."""
        started, self.started = self.started, []
        for cluster, task in started:
            try:
                self.ecs.stop_task(cluster=cluster, task=task, reason="the test is over")
            except ClientError:
                pass  # It has gone with its cluster.

    def says(self, task, text, within=10):
        """Waits until a task's containers have written a text; gives all they have written."""
        return eventually(lambda: (seen := self.instance.logs(task)) and text in seen and seen, within, f"{text!r} in the logs")


def container(task, name="main"):
    return next(c for c in task["containers"] if c["name"] == name)


def exit_code(task, name="main"):
    return container(task, name).get("exitCode")


def address(task):
    (attachment,) = task["attachments"]
    return {d["name"]: d["value"] for d in attachment["details"]}["privateIPv4Address"]
