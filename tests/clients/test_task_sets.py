"""Task sets of services with an external deployment controller: scaled, made primary, deleted, and what of them is refused."""

import uuid

import pytest

from instance import eventually
from services import WITHIN, Services
from survival import Victim

EXTERNAL = {"deploymentController": {"type": "EXTERNAL"}}
INVALID, CLIENT = "InvalidParameterException", "ClientException"


def percent(value):
    return {"value": float(value), "unit": "PERCENT"}


class External:
    """A service with an external controller, and the calls on its task sets."""

    def __init__(self, services, count):
        self.services = services
        self.name = services.create(None, count, **EXTERNAL)
        self.given = {"cluster": "default", "service": self.name}

    def create(self, definition=None, share=0, **settings):
        definition = definition or self.services.task()
        given = {"taskDefinition": definition, "scale": percent(share), **self.given, **settings}
        return self.services.ecs.create_task_set(**given)["taskSet"]

    def scale(self, task_set, value):
        return self.services.ecs.update_task_set(taskSet=task_set["id"], scale=percent(value), **self.given)["taskSet"]

    def make_primary(self, task_set):
        return self.services.ecs.update_service_primary_task_set(primaryTaskSet=task_set["id"], **self.given)["taskSet"]

    def delete(self, task_set, **settings):
        return self.services.ecs.delete_task_set(taskSet=task_set["id"], **self.given, **settings)["taskSet"]

    def describe(self, *task_sets, **settings):
        named = {"taskSets": [task_set["id"] for task_set in task_sets]} if task_sets else {}
        return self.services.ecs.describe_task_sets(**self.given, **named, **settings)

    def show(self, task_set):
        (shown,) = self.describe(task_set)["taskSets"]
        return shown

    def steady(self, task_set, count):
        """Waits until a set has all tasks that it is to have, and says so."""

        def is_steady():
            shown = self.show(task_set)
            counts = (shown["computedDesiredCount"], shown["runningCount"], shown["pendingCount"])
            return shown["stabilityStatus"] == "STEADY_STATE" and counts == (count, count, 0) and shown

        return eventually(is_steady, WITHIN, f"a steady set of {count}")

    def gone(self, task_set):
        def is_gone():
            answer = self.describe(task_set)
            return [failure["reason"] for failure in answer["failures"]] == ["MISSING"] and answer

        return eventually(is_gone, WITHIN, "the end of a task set")

    def tasks(self, task_set):
        return [task for task in self.services.tasks(self.name) if task["startedBy"] == task_set["id"]]


@pytest.fixture
def external(services):
    return lambda count=2: External(services, count)


def test_a_service_with_an_external_controller_runs_nothing_by_itself(services, external):
    service = services.show(external(3).name)
    assert (service["desiredCount"], service["runningCount"], service["pendingCount"]) == (3, 0, 0)
    assert (service["taskSets"], service["deployments"]) == ([], [])
    assert "taskDefinition" not in service


def test_a_set_without_a_scale_has_no_tasks(services, external):
    of = external()
    made = services.ecs.create_task_set(taskDefinition=services.task(), **of.given)["taskSet"]
    assert (made["status"], made["scale"], made["computedDesiredCount"]) == ("ACTIVE", percent(0), 0)
    assert made["taskSetArn"].endswith(f":task-set/default/{of.name}/{made['id']}")
    of.steady(made, 0)


def test_the_share_of_a_set_is_rounded_up(external):
    of = external(3)
    made = of.create(share=50)
    assert (made["computedDesiredCount"], made["stabilityStatus"]) == (2, "STABILIZING")
    of.steady(made, 2)
    assert len(of.tasks(made)) == 2
    of.services.says_of(of.name, f"taskSet {made['id']}", "has started ")


def test_a_set_follows_its_scale_and_the_service(services, external):
    of = external(2)
    made = of.create(share=100)
    of.steady(made, 2)
    assert of.scale(made, 50)["computedDesiredCount"] == 1
    of.steady(made, 1)
    services.says_of(of.name, f"(service {of.name}) has reached a steady state.")
    services.update(of.name, desiredCount=4)
    of.steady(made, 2)
    services.update(of.name, desiredCount=0)
    of.steady(made, 0)


def test_tasks_of_a_set_that_end_are_replaced(services, external):
    of = external(1)
    made = of.create(share=100)
    of.steady(made, 1)
    (task,) = of.tasks(made)
    services.stop(task["taskArn"], "by hand")
    eventually(lambda: of.tasks(made) and of.tasks(made)[0]["taskArn"] != task["taskArn"], WITHIN, "another task")
    of.steady(made, 1)


def test_two_sets_share_the_service_as_their_controller_says(services, external):
    """What a blue/green controller does: a second set beside the first, the switch, the end of the first."""
    of = external(2)
    blue, green = services.task(), services.task()
    old = of.create(blue, 100)
    of.make_primary(old)
    of.steady(old, 2)
    assert services.show(of.name)["taskDefinition"] == blue
    new = of.create(green, 50)
    of.steady(new, 1)
    of.steady(old, 2)
    of.scale(new, 100)
    of.steady(new, 2)
    assert services.show(of.name)["runningCount"] == 4
    assert of.make_primary(new)["status"] == "PRIMARY"
    service = services.show(of.name)
    assert service["taskDefinition"] == green
    assert {shown["id"]: shown["status"] for shown in service["taskSets"]} == {old["id"]: "ACTIVE", new["id"]: "PRIMARY"}
    kept = {task["taskArn"] for task in of.tasks(new)}
    of.delete(old, force=True)
    of.gone(old)
    assert services.arns(of.name) == kept, "the new set was left alone"
    assert [shown["id"] for shown in services.show(of.name)["taskSets"]] == [new["id"]]


def test_a_deleted_set_drains_until_its_last_task_has_stopped(services, external):
    of = external(1)
    slow = services.task("trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done", stopTimeout=10)
    made = of.create(slow, 100)
    of.steady(made, 1)
    (task,) = of.tasks(made)
    deleted = of.delete(made, force=True)
    assert (deleted["status"], deleted["computedDesiredCount"]) == ("DRAINING", 0)
    assert of.show(made)["status"] == "DRAINING"
    of.gone(made)
    ended = services.describe(task["taskArn"])
    assert (ended["lastStatus"], ended["stopCode"]) == ("STOPPED", "ServiceSchedulerInitiated")


def test_a_set_with_a_share_and_the_primary_one_are_deleted_only_by_force(services, external, refused):
    of = external(1)
    made, other = of.create(share=100), of.create()
    with refused(INVALID, "scaled above 0"):
        of.delete(made)
    of.make_primary(other)
    with refused(INVALID, "primary"):
        of.delete(other)
    of.delete(other, force=True)
    assert "taskDefinition" not in services.show(of.name)
    of.scale(made, 0)
    of.steady(made, 0)
    of.delete(made)
    of.gone(made)
    with refused("TaskSetNotFoundException"):
        of.delete(made)


def test_a_call_with_the_same_token_makes_one_set(services, external, refused):
    of, definition, token = external(1), services.task(), uuid.uuid4().hex
    first = of.create(definition, clientToken=token)
    assert of.create(definition, clientToken=token)["id"] == first["id"]
    assert len(of.describe()["taskSets"]) == 1
    with refused(INVALID, "idempotent"):
        of.create(definition, 50, clientToken=token)


def test_sets_are_described_by_id_by_arn_or_all(services, external):
    of = external(1)
    one, other = of.create(externalId="mine"), of.create()
    assert [shown["id"] for shown in of.describe()["taskSets"]] == [one["id"], other["id"]]
    by_arn = services.ecs.describe_task_sets(taskSets=[one["taskSetArn"]], **of.given)["taskSets"]
    assert [(shown["id"], shown["externalId"]) for shown in by_arn] == [(one["id"], "mine")]
    answer = services.ecs.describe_task_sets(taskSets=["ecs-svc/1", other["id"]], **of.given)
    assert [shown["id"] for shown in answer["taskSets"]] == [other["id"]]
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING" and failure["arn"].endswith(f":task-set/default/{of.name}/ecs-svc/1")


def test_a_set_is_tagged_and_untagged(services, external):
    of = external(1)
    made = of.create(tags=[{"key": "a", "value": "1"}])
    services.ecs.tag_resource(resourceArn=made["taskSetArn"], tags=[{"key": "b", "value": "2"}])
    services.ecs.untag_resource(resourceArn=made["taskSetArn"], tagKeys=["a"])
    expected = [{"key": "b", "value": "2"}]
    assert services.ecs.list_tags_for_resource(resourceArn=made["taskSetArn"])["tags"] == expected
    assert of.describe(made, include=["TAGS"])["taskSets"][0]["tags"] == expected
    assert "tags" not in of.show(made)


def test_a_fargate_set_has_addresses_and_a_platform(services, external):
    of = external(1)
    made = of.create(services.fargate(), 100, launchType="FARGATE", networkConfiguration=services.network())
    shown = of.steady(made, 1)
    assert (shown["launchType"], shown["platformVersion"], shown["platformFamily"]) == ("FARGATE", "1.4.0", "Linux")
    (task,) = of.tasks(made)
    assert (task["launchType"], task["platformVersion"]) == ("FARGATE", "1.4.0")
    assert task["attachments"][0]["type"] == "ElasticNetworkInterface"


def test_a_service_with_sets_is_deleted_only_by_force_and_takes_them_along(services, external, refused):
    of = external(1)
    made = of.create(share=100)
    of.steady(made, 1)
    services.update(of.name, desiredCount=0)
    with refused(INVALID, "task sets"):
        services.ecs.delete_service(service=of.name)
    services.ecs.delete_service(service=of.name, force=True)
    waiter = services.ecs.get_waiter("services_inactive")
    waiter.wait(cluster="default", services=[of.name], WaiterConfig={"Delay": 1, "MaxAttempts": WITHIN})
    assert services.show(of.name)["taskSets"] == []
    for call in [lambda: of.create(), lambda: of.describe(), lambda: of.scale(made, 1), lambda: of.delete(made)]:
        with refused("ServiceNotActiveException"):
            call()


def test_sets_outlive_a_server_that_is_killed(another):
    victim = Victim(another("--healthy-after", "1"))
    services = Services(victim.instance)
    of = External(services, 2)
    made = of.create(share=50)
    of.steady(made, 1)
    before = services.arns(of.name)
    victim.kill("server")
    victim.recover()
    services.reconnect()
    of.scale(made, 100)
    of.steady(made, 2)
    assert before < services.arns(of.name)


# What is refused.

CREATE = {
    "an unknown definition": ({"taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    "a launch type that is none": ({"launchType": "MOON"}, INVALID, "launchType"),
    "a definition that is not for fargate": ({"launchType": "FARGATE"}, INVALID, "FARGATE"),
    "both launch type and strategy": (
        {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, INVALID, "both"),
    "a provider that is not the cluster's": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, INVALID, "not associated"),
    "more than all": ({"scale": percent(100.5)}, INVALID, "scale.value"),
    "less than nothing": ({"scale": percent(-1)}, INVALID, "scale.value"),
    "another unit": ({"scale": {"value": 1.0, "unit": "TASKS"}}, INVALID, "unit"),
    "too long a token": ({"clientToken": "x" * 37}, INVALID, "clientToken"),
    "load balancers": ({"loadBalancers": [{"containerName": "main", "containerPort": 80}]}, CLIENT, "loadBalancers"),
    "service registries": ({"serviceRegistries": [{"registryArn": "arn:x"}]}, CLIENT, "serviceRegistries"),
    "a tag of another": ({"tags": [{"key": "aws:x", "value": "1"}]}, INVALID, "AWS"),
    "an unknown cluster": ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
    "an unknown service": ({"service": "nobody"}, "ServiceNotFoundException", "Service not found."),
}


@pytest.mark.parametrize("what", CREATE)
def test_create_task_set_refuses(external, refused, what):
    of = external(1)
    more, code, words = CREATE[what]
    with refused(code, words):
        of.create(**more)
    assert of.describe()["taskSets"] == []


def test_a_service_has_five_sets_at_most(services, external, refused):
    of, definition = external(1), services.task()
    for _ in range(5):
        of.create(definition)
    with refused(INVALID, "5 deployments exist on the service."):
        of.create(definition)


def test_only_an_external_controllers_service_has_task_sets(services, refused):
    definition = services.task()
    given = {"cluster": "default", "service": services.create(definition, 0)}
    calls = {
        "create_task_set": {"taskDefinition": definition},
        "describe_task_sets": {},
        "update_task_set": {"taskSet": "ecs-svc/1", "scale": percent(1)},
        "delete_task_set": {"taskSet": "ecs-svc/1"},
        "update_service_primary_task_set": {"primaryTaskSet": "ecs-svc/1"},
    }
    for operation, more in calls.items():
        with refused(INVALID, "external deployment controllers"):
            getattr(services.ecs, operation)(**given, **more)


@pytest.mark.parametrize("reference, code", [("ecs-svc/1", "TaskSetNotFoundException"), ("task", INVALID)])
def test_a_set_that_is_not_there_is_said(external, refused, reference, code):
    of = external(1)
    with refused(code):
        of.scale({"id": reference}, 1)
    with refused(code):
        of.make_primary({"id": reference})
    with refused(code):
        of.delete({"id": reference})
