"""Services as a test speaks to them: made in a line, waited for, watched while they roll, and gone after the test."""

import json
import threading
import time
import uuid

from botocore.exceptions import ClientError

from ecs import FOREVER, Aws, shell
from instance import eventually

#: How long anything that a test waits for may take, in seconds: long, because other tests may have the machine too.
WITHIN = 45


class Services(Aws):
    """Clients of an instance, and the calls that nearly every test of services makes."""

    def __init__(self, instance):
        super().__init__(instance)
        self.made = []

    # Task definitions.

    def task(self, script=FOREVER, *, task=None, **container):
        """A task definition whose one container is small and stops at once."""
        return self.define(shell(script, **{"memory": 16, "stopTimeout": 2, **container}), **(task or {}))

    def fargate(self, script=FOREVER):
        main = shell(script, stopTimeout=2)
        del main["memory"]
        return self.define(
            main, networkMode="awsvpc", cpu="256", memory="512", requiresCompatibilities=["FARGATE"]
        )

    # Services.

    def create(self, definition=None, count=1, *, cluster="default", **settings):
        """CreateService under a fresh name; gives the name."""
        name = "s-" + uuid.uuid4().hex[:10]
        given = {"serviceName": name, "cluster": cluster, "taskDefinition": definition, "desiredCount": count, **settings}
        given = {key: value for key, value in given.items() if value is not None}
        if given.get("schedulingStrategy") == "DAEMON":
            del given["desiredCount"]
        self.ecs.create_service(**given)
        self.made.append((cluster, given["serviceName"]))
        return given["serviceName"]

    def created(self, definition=None, count=1, **settings):
        """The same, and waits until the service is steady."""
        name = self.create(definition or self.task(), count, **settings)
        self.steady(name, cluster=settings.get("cluster", "default"))
        return name

    def update(self, name, **settings):
        return self.ecs.update_service(service=name, **settings)["service"]

    def show(self, name, cluster="default"):
        (service,) = self.ecs.describe_services(services=[name], cluster=cluster)["services"]
        return service

    def wait(self, name, condition, what, within=WITHIN, cluster="default"):
        """Waits for something of a service; says all of it where that does not come about."""
        seen = {}

        def look():
            seen.update(self.show(name, cluster))
            return condition(seen) and seen

        try:
            return eventually(look, within, what)
        except AssertionError:
            raise AssertionError(f"{what}: {json.dumps(seen, default=str, indent=1)}") from None

    def steady(self, name, **settings):
        """Waits until the one deployment is complete and all its tasks run."""

        def is_steady(service):
            deployments = service["deployments"]
            return (
                len(deployments) == 1
                and deployments[0]["rolloutState"] == "COMPLETED"
                and service["runningCount"] == deployments[0]["desiredCount"]
                and service["pendingCount"] == 0
            )

        return self.wait(name, is_steady, "a steady state", **settings)

    def says_of(self, name, *words, **settings):
        """Waits for an event with all these words."""

        def said(service):
            return any(all(word in event["message"] for word in words) for event in service["events"])

        return self.wait(name, said, f"an event that says {words}", **settings)

    def tasks(self, name, cluster="default", status="RUNNING"):
        """The tasks of a service that are to run, or that have stopped."""
        return self.described(self.arns_listed(name, cluster, status), cluster)

    def arns_listed(self, name, cluster="default", status="RUNNING"):
        return self.ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)["taskArns"]

    def described(self, arns, cluster="default"):
        return self.ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"] if arns else []

    def arns(self, name, **settings):
        return {task["taskArn"] for task in self.tasks(name, **settings)}

    # Deployments.

    def deployments(self, name, **settings):
        """What ListServiceDeployments says, newest first."""
        return self.ecs.list_service_deployments(service=name, cluster="default", **settings)["serviceDeployments"]

    def deployment(self, name):
        """The newest deployment, described."""
        arn = self.deployments(name)[0]["serviceDeploymentArn"]
        (described,) = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
        return described

    def ends(self, name, status, within=WITHIN):
        """Waits until the newest deployment has this status."""
        seen = {}

        def look():
            seen.update(self.deployment(name))
            return seen["status"] == status and seen

        try:
            return eventually(look, within, status)
        except AssertionError:
            shown = json.dumps([seen, self.show(name)], default=str, indent=1)
            raise AssertionError(f"{status}: {shown}") from None

    def delete_all(self):
        made, self.made = self.made, []
        for cluster, name in made:
            try:
                self.ecs.delete_service(cluster=cluster, service=name, force=True)
            except ClientError:
                pass  # The test has deleted it.
        self.stop_all()


class Watch:
    """Looks at a service again and again while it rolls: the fewest healthy tasks that there were, and the most in all.

    A task counts as healthy from one second on, which is the instance's setting. What was asked to stop counts among all
    until it does, as for ECS's maximumPercent."""

    HEALTHY_AFTER = 1.0

    def __init__(self, services, name):
        self.services, self.name = services, name
        self.fewest, self.most, self.looks = None, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.broken = None

    def watch(self):
        try:
            while not self.over.is_set():
                self.look()
        except Exception as error:  # Told where the watch ends: this thread has nobody to tell it to.
            self.broken = error

    def look(self):
        service = self.services.show(self.name)
        self.most = max(self.most, service["runningCount"] + service["pendingCount"])
        before = self.services.arns_listed(self.name)
        tasks = self.services.described(before)
        if before != self.services.arns_listed(self.name):
            return  # The description may lack a task that came in between.
        now = time.time()
        ages = [now - task["startedAt"].timestamp() for task in tasks if task["lastStatus"] == "RUNNING"]
        healthy = sum(age >= self.HEALTHY_AFTER for age in ages)
        self.fewest = healthy if self.fewest is None else min(self.fewest, healthy)
        self.looks += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        try:
            eventually(lambda: self.looks > 2 or self.broken, WITHIN, "a few looks")
        finally:
            self.over.set()
            self.thread.join()
        assert self.broken is None, self.broken


def runtime_pid(instance, task):
    """The pid of a task's main process on the host."""
    (container,) = task["containers"]
    for folder in instance.cgroup(task["taskArn"].rsplit("/", 1)[1]):
        for procs in folder.rglob("cgroup.procs"):
            for pid in procs.read_text().split():
                words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
                if words[:2] == [b"sh", b"-c"]:
                    return int(pid)
    raise AssertionError(f"no process of {container['runtimeId']}")
