"""Services from their creation to their end: counts, tasks that are replaced, tags, events, waiters, pages."""

import os
import signal
import uuid

import pytest

from ecs import FOREVER, container
from instance import eventually
from services import WITHIN, Services, runtime_pid


def waiter(services, name, kind):
    services.ecs.get_waiter(kind).wait(
        cluster="default", services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": WITHIN}
    )


# Created and described.


def test_a_service_brings_its_tasks_up_and_says_so(services):
    definition = services.task()
    name = services.create(definition, 2)
    waiter(services, name, "services_stable")
    service = services.steady(name)
    assert (service["status"], service["desiredCount"], service["runningCount"], service["pendingCount"]) == ("ACTIVE", 2, 2, 0)
    assert (service["launchType"], service["schedulingStrategy"]) == ("EC2", "REPLICA")
    assert service["serviceArn"].endswith(f":service/default/{name}")
    assert service["taskDefinition"] == definition
    (deployment,) = service["deployments"]
    assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED")
    tasks = services.tasks(name)
    assert {task["group"] for task in tasks} == {f"service:{name}"}
    assert {task["startedBy"] for task in tasks} == {deployment["id"]}


def test_events_come_newest_first_and_name_the_tasks(services):
    name = services.created(count=2)
    service = services.says_of(name, "has reached a steady state.")
    said = [event["message"] for event in service["events"]]
    (deployment,) = service["deployments"]
    assert said[0] == f"(service {name}) has reached a steady state."
    assert said[1] == f"(service {name}) (deployment {deployment['id']}) deployment completed."
    started = " ".join(text for text in said if text.startswith(f"(service {name}) has started "))
    for arn in services.arns(name):
        assert started.count(f"(task {arn.rsplit('/', 1)[1]})") == 1
    assert len({event["id"] for event in service["events"]}) == len(said)
    moments = [event["createdAt"] for event in service["events"]]
    assert moments == sorted(moments, reverse=True)


def test_a_service_of_none_is_steady_at_once(services):
    assert services.steady(services.create(services.task(), 0))["runningCount"] == 0


def test_what_is_not_there_is_missing(services):
    answer = services.ecs.describe_services(services=["nobody"])
    assert answer["services"] == []
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING" and failure["arn"].endswith(":service/default/nobody")


def test_the_command_line_client_makes_updates_and_deletes_one(services):
    name = "cli-" + uuid.uuid4().hex[:8]
    definition = services.task()
    services.made.append(("default", name))
    words = ["--service-name", name, "--task-definition", definition, "--desired-count", "1"]
    assert services.cli("ecs", "create-service", *words)["service"]["status"] == "ACTIVE"
    services.steady(name)
    assert services.cli("ecs", "update-service", "--service", name, "--desired-count", "0")["service"]["desiredCount"] == 0
    services.cli("ecs", "delete-service", "--service", name, "--force")
    waiter(services, name, "services_inactive")
    (described,) = services.cli("ecs", "describe-services", "--services", name)["services"]
    assert described["status"] == "INACTIVE"


# The same call twice.


def test_a_call_with_the_same_token_makes_one_service(services, refused):
    token, definition = uuid.uuid4().hex, services.task()
    name = services.create(definition, 1, clientToken=token)
    again = services.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=1, clientToken=token)
    assert again["service"]["serviceArn"] == services.show(name)["serviceArn"]
    assert len(services.deployments(name)) == 1
    with refused("InvalidParameterException", "idempotent"):
        services.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=2, clientToken=token)
    with refused("InvalidParameterException", "idempotent"):
        services.ecs.create_service(serviceName="other", taskDefinition=definition, desiredCount=1, clientToken=token)


def test_a_name_that_is_taken_is_for_the_same_service_only(services, refused):
    definition = services.task()
    name = services.create(definition, 1)
    same = services.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=1)["service"]
    assert same["createdAt"] == services.show(name)["createdAt"]
    with refused("InvalidParameterException", "idempotent"):
        services.ecs.create_service(serviceName=name, taskDefinition=services.task(), desiredCount=1)


def test_an_update_that_changes_nothing_deploys_nothing(services):
    definition = services.task()
    name = services.created(definition)
    before = services.arns(name)
    services.update(name, taskDefinition=definition, desiredCount=1)
    assert len(services.deployments(name)) == 1
    assert services.arns(name) == before


# Counts.


def test_scaling_out_keeps_the_tasks_and_scaling_in_stops_some(services):
    name = services.created(count=1)
    first = services.arns(name)
    services.update(name, desiredCount=3)
    services.steady(name)
    three = services.arns(name)
    assert first < three and len(three) == 3
    services.update(name, desiredCount=1)
    services.says_of(name, "has stopped 2 running tasks: (task ")
    services.steady(name)
    assert services.arns(name) < three
    gone = eventually(lambda: len(found := services.tasks(name, status="STOPPED")) == 2 and found, WITHIN, "two stopped tasks")
    assert {task["stopCode"] for task in gone} == {"ServiceSchedulerInitiated"}
    assert all(task["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/") for task in gone)
    assert len(services.deployments(name)) == 1


def test_a_protected_task_is_not_scaled_in(services):
    name = services.created(count=3)
    kept = services.tasks(name)[1]["taskArn"]
    services.ecs.update_task_protection(cluster="default", tasks=[kept], protectionEnabled=True, expiresInMinutes=5)
    services.update(name, desiredCount=1)
    services.steady(name)
    assert services.arns(name) == {kept}


def test_protected_tasks_outstay_the_desired_count_until_they_are_free(services):
    name = services.created(count=2)
    both = services.arns(name)
    services.ecs.update_task_protection(cluster="default", tasks=list(both), protectionEnabled=True)
    services.update(name, desiredCount=1)
    assert services.show(name)["runningCount"] == 2
    services.ecs.update_task_protection(cluster="default", tasks=list(both), protectionEnabled=False)
    services.steady(name)
    assert services.arns(name) < both


# Tasks that end.


def replaced(services, name, arn):
    """Waits until another task runs in the place of one; gives the one that has ended."""
    services.wait(name, lambda s: arn not in services.arns(name) and s["runningCount"] == s["desiredCount"], "another task")
    return services.stopped(arn)


def test_a_killed_container_is_replaced(services):
    name = services.created()
    (task,) = services.tasks(name)
    os.kill(runtime_pid(services.instance, task), signal.SIGKILL)
    ended = replaced(services, name, task["taskArn"])
    assert ended["stopCode"] == "EssentialContainerExited" and container(ended)["exitCode"] == 137


def test_a_task_that_a_user_stops_is_replaced(services):
    name = services.created()
    (arn,) = services.arns(name)
    services.stop(arn, "by hand")
    ended = replaced(services, name, arn)
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "by hand")


def test_a_task_that_falls_ill_is_replaced(services):
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/ill"], "interval": 5, "timeout": 2, "retries": 1}
    name = services.created(services.task(healthCheck=check))
    (arn,) = services.arns(name)
    services.instance.exec(arn, "touch", "/tmp/ill")
    ended = replaced(services, name, arn)
    assert ended["stopCode"] == "ServiceSchedulerInitiated"
    services.says_of(name, f"(task {arn.rsplit('/', 1)[1]}) failed container health checks.")


def test_tasks_that_exit_at_once_are_started_ever_more_slowly(services):
    name = services.create(services.task("exit 1"), 1)
    service = services.says_of(name, "is unable to consistently start tasks successfully.")
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert services.wait(name, lambda s: s["deployments"][0]["failedTasks"] >= 3, "failed tasks")
    assert len([e for e in service["events"] if "unable to consistently" in e["message"]]) == 1


# Room.


def test_a_service_without_room_says_why_and_goes_on_when_there_is_some(services):
    name = services.create(services.task(memory=10_000_000), 1)
    service = services.says_of(name, "was unable to place a task", "has insufficient memory available")
    assert service["runningCount"] == 0
    services.update(name, taskDefinition=services.task())
    services.steady(name)


def test_a_port_that_is_taken_keeps_the_second_task_waiting(services, free_port):
    ports = [{"containerPort": 80, "hostPort": free_port}]
    name = services.create(services.task(portMappings=ports, task={"networkMode": "bridge"}), 2)
    services.says_of(name, "is already using a port required by your task")
    services.wait(name, lambda s: s["runningCount"] == 1, "one task")
    services.update(name, desiredCount=1)
    services.steady(name)


# Tags.


def tags_of(task):
    return {tag["key"]: tag["value"] for tag in task["tags"]}


@pytest.mark.parametrize("source, expected", [("SERVICE", "service"), ("TASK_DEFINITION", "definition"), ("NONE", None)])
def test_tags_are_propagated_from_where_the_service_says(services, source, expected):
    definition = services.task(task={"tags": [{"key": "of", "value": "definition"}]})
    name = services.created(definition, tags=[{"key": "of", "value": "service"}], propagateTags=source, enableECSManagedTags=True)
    (task,) = services.tasks(name)
    tags = tags_of(task)
    assert tags.get("of") == expected
    assert (tags["aws:ecs:clusterName"], tags["aws:ecs:serviceName"]) == ("default", name)


def test_a_service_is_tagged_and_untagged(services):
    name = services.create(services.task(), 0, tags=[{"key": "a", "value": "1"}])
    arn = services.show(name)["serviceArn"]
    services.ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    services.ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert services.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    (shown,) = services.ecs.describe_services(services=[name], include=["TAGS"])["services"]
    assert shown["tags"] == [{"key": "b", "value": "2"}] and "tags" not in services.show(name)


# Lists.


def test_pages_of_services_join_to_the_whole_list(services):
    definition = services.task()
    services.ecs.create_cluster(clusterName="pages")
    names = [services.create(definition, 0, cluster="pages") for _ in range(12)]
    pages = list(services.ecs.get_paginator("list_services").paginate(cluster="pages", PaginationConfig={"PageSize": 5}))
    assert [len(page["serviceArns"]) for page in pages] == [5, 5, 2]
    assert {arn.rsplit("/", 1)[1] for page in pages for arn in page["serviceArns"]} == set(names)
    assert len(services.ecs.list_services(cluster="pages")["serviceArns"]) == 10


def test_services_are_listed_by_how_they_are_scheduled(services):
    name = services.create(services.task(), 0)
    for settings, is_listed in [({"schedulingStrategy": "REPLICA"}, True), ({"schedulingStrategy": "DAEMON"}, False),
                                ({"launchType": "EC2"}, True), ({"launchType": "FARGATE"}, False)]:
        arns = services.ecs.list_services(maxResults=100, **settings)["serviceArns"]
        assert any(arn.endswith(f"/{name}") for arn in arns) is is_listed, settings


# The end.


def test_only_a_service_of_none_is_deleted_without_force(services, refused):
    name = services.created()
    with refused("InvalidParameterException", "scaled above 0"):
        services.ecs.delete_service(service=name)
    services.update(name, desiredCount=0)
    services.wait(name, lambda s: s["runningCount"] == 0, "no task")
    assert services.ecs.delete_service(service=name)["service"]["status"] in ("DRAINING", "INACTIVE")
    waiter(services, name, "services_inactive")


def test_a_deleted_service_drains_and_gives_its_name_back(services, refused):
    script = "trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done"
    definition = services.task(script, stopTimeout=10)
    name = services.created(definition)
    (arn,) = services.arns(name)
    assert services.ecs.delete_service(service=name, force=True)["service"]["status"] == "DRAINING"
    with refused("InvalidParameterException", "still Draining"):
        services.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=1)
    with refused("ServiceNotActiveException"):
        services.update(name, desiredCount=2)
    assert services.stopped(arn)["stopCode"] == "ServiceSchedulerInitiated"
    waiter(services, name, "services_inactive")
    assert not [a for a in services.ecs.list_services(maxResults=100)["serviceArns"] if a.endswith(f"/{name}")]
    services.create(services.task(FOREVER), 1, serviceName=name)
    assert services.steady(name)["status"] == "ACTIVE"


def test_a_cluster_with_services_is_not_deleted(services, refused):
    services.ecs.create_cluster(clusterName="full")
    services.create(services.task(), 0, cluster="full")
    with refused("ClusterContainsServicesException"):
        services.ecs.delete_cluster(cluster="full")


# Taken down.


def test_taking_bayplan_down_starts_nothing_in_the_place_of_what_it_stops(another):
    services = Services(another("--healthy-after", "1").instance)
    name = services.created(count=3)
    before = services.arns(name)
    services.instance.down(purge=False)
    services.instance.up("--healthy-after", "1")
    services.reconnect()
    services.steady(name)
    assert not before & services.arns(name)
    ever = before | services.arns(name)
    stopped = {task["taskArn"]: task["stoppedReason"] for task in services.tasks(name, status="STOPPED")}
    assert stopped == dict.fromkeys(before, "Bayplan was taken down")
    said = " ".join(event["message"] for event in services.show(name)["events"])
    assert said.count("(task ") == len(ever), said
