"""A service keeps what it is to have whatever is killed: the server in the middle of a rollout, its tasks, all of Bayplan."""

import os
import re
import signal

import pytest

from instance import eventually
from services import WITHIN, Services, runtime_pid
from survival import Victim

#: Tasks count as healthy after a second.
QUICK = ("--healthy-after", "1")


@pytest.fixture
def victim(another):
    """A Bayplan of whose processes some are killed, and services on it."""
    victim = Victim(another(*QUICK), *QUICK)
    victim.services = Services(victim.instance)
    yield victim
    victim.recover()
    if victim.services.made:
        victim.services.reconnect()
        victim.services.delete_all()


def started(services, name):
    """Every task that the service's events say was started."""
    told = [event["message"] for event in services.show(name)["events"] if " has started " in event["message"]]
    return [task for text in told for task in re.findall(r"\(task (\w+)\)", text)]


def ever(services, name):
    return [task["taskArn"].rsplit("/", 1)[1] for status in ("RUNNING", "STOPPED") for task in services.tasks(name, status=status)]


@pytest.mark.parametrize("roles", [["server"], ["server", "agent"], ["server", "agent", "parent"]], ids="+".join)
def test_a_rollout_completes_although_bayplan_is_killed_in_it(victim, roles):
    services = victim.services
    old, new = services.task(), services.task()
    bounds = {"maximumPercent": 150, "minimumHealthyPercent": 50}
    name = services.created(old, 4, deploymentConfiguration=bounds)
    first = services.arns(name)
    services.update(name, taskDefinition=new)
    services.wait(name, lambda s: any(task["taskDefinitionArn"] == new for task in services.tasks(name)), "a new task")
    victim.kill(*roles)
    victim.recover()
    services.reconnect()
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    tasks = services.tasks(name)
    assert [task["taskDefinitionArn"] for task in tasks] == [new] * 4
    # None was doubled: what events tell is what there was, and eight in all are four and their four successors.
    assert sorted(started(services, name)) == sorted(ever(services, name))
    assert len(ever(services, name)) == 8
    for arn in first:
        assert services.stopped(arn)["stopCode"] == "ServiceSchedulerInitiated"


def test_the_server_may_be_killed_again_and_again_while_a_bad_rollout_goes_back(victim):
    services = victim.services
    good = services.task()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    name = services.created(good, 2, deploymentConfiguration=breaker)
    before = services.arns(name)
    services.update(name, taskDefinition=services.task("exit 1"))
    for _ in range(3):
        victim.kill("server")
        victim.recover()
    services.reconnect()
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    assert done["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    services.steady(name)
    assert services.arns(name) == before
    assert sorted(started(services, name)) == sorted(ever(services, name))


def test_a_service_that_is_made_by_a_server_that_is_killed_at_once_comes_up(victim):
    services = victim.services
    name = services.create(services.task(), 3)
    victim.kill("server")
    victim.recover()
    services.reconnect()
    services.steady(name)
    assert len(ever(services, name)) == 3


def test_a_task_that_dies_while_no_server_looks_is_replaced_once(victim):
    services = victim.services
    name = services.created(count=2)
    task, other = services.tasks(name)
    os.kill(runtime_pid(services.instance, task), signal.SIGKILL)
    victim.kill("server", "agent")
    victim.recover()
    services.reconnect()
    ended = services.stopped(task["taskArn"])
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    services.steady(name)
    assert other["taskArn"] in services.arns(name)
    assert len(ever(services, name)) == 3


def test_a_deleted_service_is_inactive_although_the_server_is_killed(victim):
    services = victim.services
    name = services.created(count=2)
    services.ecs.delete_service(service=name, force=True)
    victim.kill("server")
    victim.recover()
    services.reconnect()
    services.wait(name, lambda s: s["status"] == "INACTIVE", "INACTIVE")
    assert services.arns(name) == set()


def test_each_killed_task_is_replaced_and_the_others_are_left_alone(services):
    name = services.created(count=3)
    gone = set()
    for _ in range(3):
        task = services.tasks(name)[0]
        others = services.arns(name) - {task["taskArn"]}
        os.kill(runtime_pid(services.instance, task), signal.SIGKILL)
        gone.add(task["taskArn"])
        eventually(lambda: task["taskArn"] not in services.arns(name), WITHIN, "the end of the task")
        services.steady(name)
        assert others < services.arns(name)
    assert not gone & services.arns(name) and len(services.arns(name)) == 3
