"""Where a service's tasks run: strategies, constraints, daemons, draining, protection, capacity providers, and Spot."""

import time
import uuid

import pytest

from conftest import end, start
from ecs import FOREVER, exit_code
from instance import eventually
from services import WITHIN, Services

INVALID = "InvalidParameterException"
#: The instance's own attributes in these tests.
ATTRIBUTES = {"colour": "blue", "size": "10", "bare": None}
UNMET = "was unable to place a task"


@pytest.fixture(scope="module")
def roomy(tmp_path_factory, archives):
    """A Bayplan that says it has room for many tasks, whose instance has attributes."""
    instance = start(tmp_path_factory.mktemp("roomy") / "data", archives, "--healthy-after", "1", "--capacity", "cpu=32768,memory=65536")
    services = Services(instance)
    for name, value in ATTRIBUTES.items():
        put(services, name, value)
    yield services
    end(instance)


@pytest.fixture
def services(roomy):
    yield roomy
    roomy.delete_all()


@pytest.fixture
def alone(another):
    """A Bayplan for one test, which may drain it."""
    return Services(another("--healthy-after", "1").instance)


def the_instance(services):
    (arn,) = services.ecs.list_container_instances()["containerInstanceArns"]
    return arn


def put(services, name, value=None):
    attribute = {"name": name, "targetId": the_instance(services), **({"value": value} if value else {})}
    services.ecs.put_attributes(attributes=[attribute])


def forget(services, name):
    services.ecs.delete_attributes(attributes=[{"name": name, "targetId": the_instance(services)}])


def member_of(expression):
    return {"placementConstraints": [{"type": "memberOf", "expression": expression}]}


def drain(services, status="DRAINING"):
    services.ecs.update_container_instances_state(containerInstances=[the_instance(services)], status=status)


# Strategies.


@pytest.mark.parametrize(
    "strategy",
    [
        [{"type": "spread", "field": "instanceId"}],
        [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "spread", "field": "instanceId"}],
        [{"type": "spread", "field": "attribute:colour"}],
        [{"type": "binpack", "field": "CPU"}],
        [{"type": "binpack", "field": "MEMORY"}],
        [{"type": "random"}],
        [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "MEMORY"}],
    ],
    ids=lambda strategy: "+".join(f"{item['type']} {item.get('field', '')}".strip() for item in strategy),
)
def test_each_strategy_places_all_tasks_and_is_shown(services, strategy):
    name = services.created(count=2, placementStrategy=strategy)
    assert services.show(name)["placementStrategy"] == strategy
    assert {task["containerInstanceArn"] for task in services.tasks(name)} == {the_instance(services)}


def test_host_is_another_word_for_the_instance(services):
    name = services.created(placementStrategy=[{"type": "spread", "field": "host"}])
    assert services.show(name)["placementStrategy"] == [{"type": "spread", "field": "instanceId"}]


def test_a_strategy_may_change_without_a_deployment(services, refused):
    name = services.created()
    before = services.arns(name)
    with refused(INVALID, "availabilityZoneRebalancing"):
        services.update(name, placementStrategy=[{"type": "random"}])
    services.update(name, placementStrategy=[{"type": "random"}], availabilityZoneRebalancing="DISABLED")
    assert services.show(name)["placementStrategy"] == [{"type": "random"}]
    assert len(services.deployments(name)) == 1 and services.arns(name) == before


# Constraints.

#: Of each operator, an expression that the instance satisfies and one that it does not.
OPERATORS = {
    "==": ("attribute:colour == blue", "attribute:colour == red"),
    "equals": ("attribute:colour equals blue", "attribute:colour equals red"),
    "!=": ("attribute:colour != red", "attribute:colour != blue"),
    "not_equals": ("attribute:colour not_equals red", "attribute:colour not_equals blue"),
    ">": ("attribute:size > 9", "attribute:size > 10"),
    "greater_than": ("attribute:size greater_than 9", "attribute:size greater_than 10"),
    ">=": ("attribute:size >= 10", "attribute:size >= 11"),
    "<": ("attribute:size < 11", "attribute:size < 10"),
    "<=": ("attribute:size <= 10", "attribute:size <= 9"),
    "exists": ("attribute:bare exists", "attribute:absent exists"),
    "!exists": ("attribute:absent !exists", "attribute:bare !exists"),
    "in": ("attribute:colour in [red, blue]", "attribute:colour in [red, green]"),
    "!in": ("attribute:colour !in [red, green]", "attribute:colour !in [red, blue]"),
    "not_in": ("attribute:colour not_in [red]", "attribute:colour not_in [blue]"),
    "=~": ("attribute:colour =~ bl.*", "attribute:colour =~ bl"),
    "matches": ("attribute:colour matches b.+e", "attribute:colour matches r.+"),
    "!~": ("attribute:colour !~ re.*", "attribute:colour !~ bl.*"),
    "&&": ("attribute:colour == blue && attribute:size > 5", "attribute:colour == blue && attribute:size > 50"),
    "and": ("attribute:colour == blue and attribute:size > 5", "attribute:colour == red and attribute:size > 5"),
    "||": ("attribute:colour == red || attribute:size > 5", "attribute:colour == red || attribute:size > 50"),
    "!": ("!(attribute:colour == red)", "!(attribute:colour == blue)"),
    "agentConnected": ("agentConnected == true", "agentConnected == false"),
    "runningTasksCount": ("runningTasksCount >= 0", "runningTasksCount < 0"),
    "registeredAt": ("registeredAt >= 2020-01-01T00:00", "registeredAt < 2020-01-01T00:00"),
    "built in": ("attribute:ecs.os-type == linux", "attribute:ecs.os-type == windows"),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_chooses_and_leaves_the_instance(services, operator):
    yes, no = OPERATORS[operator]
    definition = services.task()
    left = services.create(definition, **member_of(no))
    chosen = services.create(definition, **member_of(yes))
    services.wait(chosen, lambda s: s["runningCount"] == 1, "a running task")
    assert services.show(chosen)["placementConstraints"] == member_of(yes)["placementConstraints"]
    services.says_of(left, UNMET, "MemberOf placement constraint unsatisfied", no)
    assert services.show(left)["runningCount"] == 0


def test_a_task_that_waits_for_an_attribute_runs_when_there_is_one(services):
    berth = "berth-" + uuid.uuid4().hex[:6]
    name = services.create(services.task(), **member_of(f"attribute:{berth} == north"))
    services.says_of(name, UNMET)
    put(services, berth, "north")
    services.steady(name)
    forget(services, berth)
    assert services.steady(name)["runningCount"] == 1, "a replica that runs stays"


def test_the_definitions_constraints_count_beside_the_services(services):
    rules = member_of("attribute:colour == blue")["placementConstraints"]
    definition = services.task(task={"placementConstraints": rules})
    services.created(definition, **member_of("attribute:size > 5"))
    name = services.create(definition, **member_of("attribute:size > 50"))
    services.says_of(name, UNMET, "attribute:size > 50")


def test_distinct_instances_leave_the_second_task_waiting(services):
    name = services.create(services.task(), 2, placementConstraints=[{"type": "distinctInstance"}])
    services.says_of(name, UNMET, "DistinctInstance placement constraint unsatisfied")
    services.wait(name, lambda s: s["runningCount"] == 1, "one task")
    services.update(name, desiredCount=1)
    services.steady(name)


def test_a_service_rolls_over_on_one_distinct_instance(services):
    given = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    name = services.created(placementConstraints=[{"type": "distinctInstance"}], deploymentConfiguration=given)
    new = services.task()
    services.update(name, taskDefinition=new)
    services.ends(name, "SUCCESSFUL")
    assert {task["taskDefinitionArn"] for task in services.tasks(name)} == {new}


@pytest.mark.parametrize(
    "settings, word",
    [
        ({"placementStrategy": [{"type": "binpack", "field": "disk"}]}, "binpack"),
        ({"placementStrategy": [{"type": "spread"}]}, ""),
        ({"placementStrategy": [{"type": "guess"}]}, "type"),
        ({"placementStrategy": [{"type": "random"}] * 6}, "5"),
        ({"placementConstraints": [{"type": "distinctInstance"}] * 11}, "10"),
        ({"placementConstraints": [{"type": "memberOf"}]}, ""),
        (member_of("attribute:colour =="), ""),
        (member_of("x" * 2001), ""),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(services, refused, settings, word):
    definition = services.task()
    with refused(INVALID, word):
        services.create(definition, **settings)


# Daemons.


def test_a_daemon_runs_once_on_the_instance_and_rolls_over(services):
    name = services.created(schedulingStrategy="DAEMON")
    (task,) = services.tasks(name)
    assert task["containerInstanceArn"] == the_instance(services)
    service = services.show(name)
    assert (service["desiredCount"], service["schedulingStrategy"]) == (1, "DAEMON")
    configuration = service["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (100, 0)
    new = services.task()
    services.update(name, taskDefinition=new)
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert [task["taskDefinitionArn"] for task in services.tasks(name)] == [new]


def test_a_daemon_follows_the_attributes_of_its_instance(services):
    berth = "berth-" + uuid.uuid4().hex[:6]
    name = services.create(services.task(), schedulingStrategy="DAEMON", **member_of(f"attribute:{berth} exists"))
    services.wait(name, lambda s: s["deployments"][0]["rolloutState"] == "COMPLETED", "a deployment of none")
    assert services.show(name)["desiredCount"] == 0
    put(services, berth)
    services.wait(name, lambda s: (s["desiredCount"], s["runningCount"]) == (1, 1), "its task")
    forget(services, berth)
    services.wait(name, lambda s: (s["desiredCount"], s["runningCount"]) == (0, 0), "none")


def test_a_daemon_has_no_count(services, refused):
    name = services.create(services.task(), schedulingStrategy="DAEMON")
    with refused(INVALID, "desired count"):
        services.update(name, desiredCount=2)
    with refused(INVALID, "placement strategies"):
        services.update(name, placementStrategy=[{"type": "random"}])


# Draining.


def test_a_draining_instance_keeps_the_tasks_that_nothing_can_replace(alone):
    """The only instance: a service that must not lose a task keeps it, one that may gives it up, others' tasks are left alone."""
    keeps = alone.created(count=1, deploymentConfiguration={"maximumPercent": 200, "minimumHealthyPercent": 100})
    gives = alone.created(count=2, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 50})
    single = alone.go(FOREVER)
    alone.running(single)
    kept, given = alone.arns(keeps), alone.arns(gives)
    drain(alone)
    alone.wait(gives, lambda s: s["runningCount"] == 1, "one task less")
    alone.says_of(keeps, UNMET)
    assert kept <= alone.arns(keeps)
    assert alone.show(keeps)["runningCount"] == 1
    ended = [task for task in alone.tasks(gives, status="STOPPED") if task["taskArn"] in given]
    assert {task["stoppedReason"] for task in ended} == {
        "Task stopped because its container instance is draining or was deregistered"}
    assert alone.describe(single)["lastStatus"] == "RUNNING"
    drain(alone, "ACTIVE")
    alone.steady(keeps)
    alone.steady(gives)


def test_a_daemon_leaves_a_draining_instance_and_comes_back(alone):
    name = alone.created(schedulingStrategy="DAEMON")
    drain(alone)
    alone.wait(name, lambda s: (s["desiredCount"], s["runningCount"]) == (0, 0), "no daemon")
    drain(alone, "ACTIVE")
    alone.wait(name, lambda s: (s["desiredCount"], s["runningCount"]) == (1, 1), "the daemon")


def test_an_instance_that_runs_tasks_is_deregistered_only_by_force(alone, refused):
    name = alone.created(deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 0})
    instance = the_instance(alone)
    with refused(INVALID):
        alone.ecs.deregister_container_instance(containerInstance=instance)
    alone.ecs.deregister_container_instance(containerInstance=instance, force=True)
    alone.wait(name, lambda s: s["runningCount"] == 0, "no task")
    alone.says_of(name, UNMET)


def test_an_instance_that_is_not_there_cannot_drain(services):
    answer = services.ecs.update_container_instances_state(containerInstances=["0" * 32], status="DRAINING")
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


# Protection.


def protect(services, arns, enabled=True, **settings):
    return services.ecs.update_task_protection(cluster="default", tasks=list(arns), protectionEnabled=enabled, **settings)


def test_a_protected_task_outlasts_a_deployment_until_it_is_free(services):
    name = services.created(count=2)
    old = services.arns(name)
    kept = sorted(old)[0]
    answer = protect(services, [kept], expiresInMinutes=10)
    assert answer["protectedTasks"][0]["protectionEnabled"] and answer["failures"] == []
    new = services.task()
    services.update(name, taskDefinition=new)
    services.wait(name, lambda s: old & services.arns(name) == {kept}, "the end of the other old task")
    assert services.describe(kept)["lastStatus"] == "RUNNING"
    assert services.deployment(name)["status"] == "IN_PROGRESS"
    protect(services, [kept], enabled=False)
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert kept not in services.arns(name)


def test_protection_is_told_and_ends(services):
    name = services.created()
    (arn,) = services.arns(name)
    before = time.time()
    protect(services, [arn])
    (told,) = services.ecs.get_task_protection(cluster="default", tasks=[arn])["protectedTasks"]
    assert told["protectionEnabled"] and 7_190 < told["expirationDate"].timestamp() - before < 7_210, "120 minutes by default"
    protect(services, [arn], enabled=False)
    (told,) = services.ecs.get_task_protection(cluster="default", tasks=[arn])["protectedTasks"]
    assert not told["protectionEnabled"] and "expirationDate" not in told


def test_only_a_services_task_is_protected(services, refused):
    single = services.go(FOREVER)
    services.running(single)
    (failure,) = protect(services, [single])["failures"]
    assert failure["reason"] == "TASK_NOT_VALID"
    with refused(INVALID):
        protect(services, [single], expiresInMinutes=2881)


def test_a_protected_task_may_be_stopped_by_its_user(services):
    name = services.created()
    (arn,) = services.arns(name)
    protect(services, [arn])
    assert services.stop(arn)["stopCode"] == "UserInitiated"
    services.steady(name)


# Capacity providers.


def item(provider, base=0, weight=0):
    return {"capacityProvider": provider, "base": base, "weight": weight}


def cluster_with(services, *providers, **settings):
    name = "c-" + uuid.uuid4().hex[:8]
    services.ecs.create_cluster(clusterName=name, capacityProviders=list(providers), **settings)
    return name


def group_provider(services):
    name = "p-" + uuid.uuid4().hex[:8]
    arn = f"arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{name}"
    services.ecs.create_capacity_provider(name=name, autoScalingGroupProvider={"autoScalingGroupArn": arn})
    return name


def by_provider(services, name, cluster):
    counts = {}
    for task in services.tasks(name, cluster=cluster):
        counts[task["capacityProviderName"]] = counts.get(task["capacityProviderName"], 0) + 1
    return counts


SHARES = {
    "one for all": ([("FARGATE", 0, 1)], 3, {"FARGATE": 3}),
    "equal weights": ([("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 1)], 4, {"FARGATE": 2, "FARGATE_SPOT": 2}),
    "one to three": ([("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 3)], 4, {"FARGATE": 1, "FARGATE_SPOT": 3}),
    "the base first": ([("FARGATE", 2, 0), ("FARGATE_SPOT", 0, 1)], 5, {"FARGATE": 2, "FARGATE_SPOT": 3}),
    "a base and a weight": ([("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 2)], 4, {"FARGATE": 2, "FARGATE_SPOT": 2}),
    "fewer than the base": ([("FARGATE", 5, 1), ("FARGATE_SPOT", 0, 1)], 3, {"FARGATE": 3}),
}


@pytest.mark.parametrize("what", SHARES)
def test_a_strategy_shares_the_tasks_out_by_base_and_weight(services, what):
    items, count, expected = SHARES[what]
    cluster = cluster_with(services, "FARGATE", "FARGATE_SPOT")
    strategy = [item(*each) for each in items]
    name = services.created(
        services.fargate(), count, cluster=cluster, capacityProviderStrategy=strategy, networkConfiguration=services.network()
    )
    assert by_provider(services, name, cluster) == expected
    service = services.show(name, cluster)
    assert service["capacityProviderStrategy"] == strategy and "launchType" not in service
    assert {task["launchType"] for task in services.tasks(name, cluster=cluster)} == {"FARGATE"}


def test_scaling_out_and_in_keeps_the_shares(services):
    cluster = cluster_with(services, "FARGATE", "FARGATE_SPOT")
    strategy = [item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 1)]
    name = services.created(
        services.fargate(), 1, cluster=cluster, capacityProviderStrategy=strategy, networkConfiguration=services.network()
    )
    assert by_provider(services, name, cluster) == {"FARGATE": 1}
    services.update(name, cluster=cluster, desiredCount=5)
    services.steady(name, cluster=cluster)
    assert by_provider(services, name, cluster) == {"FARGATE": 3, "FARGATE_SPOT": 2}


def test_a_group_of_machines_is_a_provider_too(services):
    one, other = group_provider(services), group_provider(services)
    cluster = cluster_with(services, one, other)
    strategy = [item(one, 1, 0), item(other, 0, 1)]
    name = services.created(count=3, cluster=cluster, capacityProviderStrategy=strategy)
    assert by_provider(services, name, cluster) == {one: 1, other: 2}
    assert all("containerInstanceArn" in task for task in services.tasks(name, cluster=cluster))


def test_the_clusters_own_strategy_is_taken_where_none_is_given(services):
    cluster = cluster_with(
        services, "FARGATE", "FARGATE_SPOT", defaultCapacityProviderStrategy=[item("FARGATE_SPOT", 0, 1)]
    )
    name = services.created(services.fargate(), 1, cluster=cluster, networkConfiguration=services.network())
    assert by_provider(services, name, cluster) == {"FARGATE_SPOT": 1}


def test_another_strategy_is_a_deployment_that_has_to_be_forced(services, refused):
    cluster = cluster_with(services, "FARGATE", "FARGATE_SPOT")
    name = services.created(
        services.fargate(), 2, cluster=cluster, capacityProviderStrategy=[item("FARGATE", 0, 1)],
        networkConfiguration=services.network(),
    )
    other = {"cluster": cluster, "capacityProviderStrategy": [item("FARGATE_SPOT", 0, 1)]}
    with refused(INVALID, "you must force a new deployment"):
        services.update(name, **other)
    services.update(name, **other, forceNewDeployment=True)
    services.wait(name, lambda s: by_provider(services, name, cluster) == {"FARGATE_SPOT": 2}, "the move", cluster=cluster)
    services.steady(name, cluster=cluster)


@pytest.mark.parametrize(
    "strategy, word",
    [
        ([item("moon", 0, 1)], "not associated"),
        ([item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1)], "base"),
        ([item("FARGATE", 0, 0), item("FARGATE_SPOT", 0, 0)], "greater than zero"),
        ([item("FARGATE", 0, 1001)], "weight"),
        ([item("FARGATE", 100_001, 1)], "base"),
        ([item("FARGATE", 0, 1), item("FARGATE", 0, 1)], "twice"),
    ],
    ids=str,
)
def test_a_strategy_that_cannot_be_is_refused(services, refused, strategy, word):
    cluster = cluster_with(services, "FARGATE", "FARGATE_SPOT")
    definition = services.fargate()
    with refused(INVALID, word):
        services.create(
            definition, cluster=cluster, capacityProviderStrategy=strategy, networkConfiguration=services.network()
        )


def test_fargate_and_machines_do_not_mix(services, refused):
    mine = group_provider(services)
    cluster = cluster_with(services, "FARGATE", mine)
    definition = services.fargate()
    with refused(INVALID, "mix of capacity providers"):
        services.create(definition, cluster=cluster, capacityProviderStrategy=[item("FARGATE", 0, 1), item(mine, 0, 1)],
                        networkConfiguration=services.network())


# Spot.


@pytest.fixture
def spot(services):
    """Makes a service whose tasks run on FARGATE_SPOT; gives its name and its cluster."""

    def make(script=FOREVER, count=1, provider="FARGATE_SPOT"):
        cluster = cluster_with(services, "FARGATE", "FARGATE_SPOT")
        name = services.created(
            services.fargate(script), count, cluster=cluster, capacityProviderStrategy=[item(provider, 0, 1)],
            networkConfiguration=services.network(),
        )
        return name, cluster

    return make


def interrupt(services, task, **options):
    return services.instance.command("spot", "interrupt", task, **options)


def test_an_interrupted_task_gets_sigterm_and_its_service_starts_another(services, spot):
    name, cluster = spot("trap 'echo got term; exit 33' TERM; echo up; while :; do sleep 0.05; done", 2)
    one, other = sorted(services.arns(name, cluster=cluster))
    said = services.instance.json("spot", "interrupt", one)
    assert said == {"task": one.rsplit("/", 1)[1], "cluster": cluster, "service": name,
                    "stoppedReason": "Your Spot Task was interrupted."}
    ended = services.stopped(one)
    assert (ended["stopCode"], ended["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert exit_code(ended) == 33 and "got term" in services.instance.logs(one)
    assert ended["desiredStatus"] == "STOPPED"
    service = services.steady(name, cluster=cluster)
    assert other in services.arns(name, cluster=cluster) and len(services.arns(name, cluster=cluster)) == 2
    assert by_provider(services, name, cluster) == {"FARGATE_SPOT": 2}
    assert service["deployments"][0]["failedTasks"] == 0, "it is nobody's failure"


def test_a_task_that_does_not_listen_is_killed_after_its_stop_timeout(services, spot):
    name, cluster = spot("trap '' TERM; while :; do sleep 0.1; done")
    (arn,) = services.arns(name, cluster=cluster)
    told = interrupt(services, arn).stdout
    assert arn.rsplit("/", 1)[1] in told and f"Service {name} starts another" in told
    began = time.monotonic()
    assert exit_code(services.stopped(arn)) == 137
    assert time.monotonic() - began < 15


def test_a_task_of_no_service_is_interrupted_too(services):
    cluster = cluster_with(services, "FARGATE_SPOT")
    task = services.run(services.fargate(), cluster=cluster, capacityProviderStrategy=[item("FARGATE_SPOT", 0, 1)],
                        networkConfiguration=services.network())
    services.running(task)
    interrupt(services, task.rsplit("/", 1)[1][:12])
    assert services.stopped(task)["stopCode"] == "SpotInterruption"


def test_only_a_spot_task_that_runs_is_interrupted(services, spot):
    name, cluster = spot(provider="FARGATE")
    (fargate,) = services.arns(name, cluster=cluster)
    machine = services.go(FOREVER)
    services.running(machine)
    for task in (fargate, machine):
        done = interrupt(services, task, check=False)
        assert done.returncode == 1 and "does not run on FARGATE_SPOT" in done.stderr and "aws ecs stop-task" in done.stderr
        assert services.describe(task)["lastStatus"] == "RUNNING"
    name, cluster = spot()
    (arn,) = services.arns(name, cluster=cluster)
    interrupt(services, arn)
    services.stopped(arn)
    done = interrupt(services, arn, check=False)
    assert done.returncode == 1 and "has stopped" in done.stderr
    done = interrupt(services, "0123", check=False)
    assert done.returncode == 3 and "0123" in done.stderr
