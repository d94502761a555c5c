"""Deployments of services with real containers: each kind, the circuit breaker, rollbacks, hooks, stops, and bounds that hold."""

import pytest

import images
from ecs import FOREVER, address
from instance import eventually
from services import WITHIN, Watch

#: Exits as soon as it runs.
BAD = "exit 1"
#: Stages in ECS's order.
STAGES = [
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP",
]


def bounds(maximum, minimum, **more):
    return {"maximumPercent": maximum, "minimumHealthyPercent": minimum, **more}


def breaker(rollback=True, kind=None, value=None, **more):
    threshold = {"thresholdConfiguration": {"type": kind, "value": value}} if kind else {}
    return {"deploymentCircuitBreaker": {"enable": True, "rollback": rollback, **threshold, **more}}


def two_sided(strategy, bake=0, **more):
    return {"strategy": strategy, "bakeTimeInMinutes": bake, **more}


def canary(percent=10.0, bake=0, **more):
    return two_sided("CANARY", canaryConfiguration={"canaryPercent": percent, "canaryBakeTimeInMinutes": bake}, **more)


def linear(percent=50.0, bake=0, **more):
    return two_sided("LINEAR", linearConfiguration={"stepPercent": percent, "stepBakeTimeInMinutes": bake}, **more)


def pause(*stages, **timeout):
    hook = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    return {"lifecycleHooks": [{**hook, **({"timeoutConfiguration": timeout} if timeout else {})}]}


def awaited(services, name):
    """The hook that the newest deployment waits for, with the deployment."""

    def look():
        deployment = services.deployment(name)
        hooks = deployment.get("lifecycleHookDetails", [])
        return [(deployment, hook) for hook in hooks if hook["status"] == "AWAITING_ACTION"]

    ((deployment, hook),) = eventually(look, WITHIN, "a hook that waits")
    return deployment, hook


def answer(services, deployment, hook, action="CONTINUE"):
    arn = deployment["serviceDeploymentArn"]
    services.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action=action)


def revisions_of(services, *arns):
    return services.ecs.describe_service_revisions(serviceRevisionArns=list(arns))["serviceRevisions"]


def definitions(services, name):
    return {task["taskDefinitionArn"] for task in services.tasks(name)}


def said(services, name):
    return [event["message"] for event in services.show(name)["events"]]


# Rolling.


def test_a_rolling_deployment_replaces_every_task_and_tells_of_it(services):
    old, new = services.task(), services.task()
    name = services.created(old, 2)
    before = services.arns(name)
    services.update(name, taskDefinition=new)
    done = services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert definitions(services, name) == {new} and not before & services.arns(name)
    (source,), target = done["sourceServiceRevisions"], done["targetServiceRevision"]
    was, now = revisions_of(services, source["arn"], target["arn"])
    assert (was["taskDefinition"], now["taskDefinition"]) == (old, new)
    assert (target["requestedTaskCount"], target["runningTaskCount"], target["pendingTaskCount"]) == (2, 2, 0)
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert [deployment["status"] for deployment in services.deployments(name)] == ["SUCCESSFUL", "SUCCESSFUL"]
    (deployment,) = services.show(name)["deployments"]
    told = said(services, name)
    assert told[0] == f"(service {name}) has reached a steady state."
    assert told[1] == f"(service {name}) (deployment {deployment['id']}) deployment completed."


@pytest.mark.parametrize("count, maximum, minimum", [(2, 200, 100), (4, 150, 50), (4, 100, 50), (4, 125, 75), (3, 134, 100)])
def test_a_rollout_watched_from_outside_never_leaves_its_bounds(services, count, maximum, minimum):
    new = services.task()
    name = services.created(count=count, deploymentConfiguration=bounds(maximum, minimum))
    with Watch(services, name) as watch:
        services.update(name, taskDefinition=new)
        services.ends(name, "SUCCESSFUL")
        services.steady(name)
    assert definitions(services, name) == {new}
    assert watch.fewest >= -(-count * minimum // 100), watch.fewest
    assert watch.most <= count * maximum // 100, watch.most


def test_a_rollout_that_fails_never_leaves_its_bounds_either(services):
    name = services.created(count=3, deploymentConfiguration=bounds(150, 66, **breaker()))
    with Watch(services, name) as watch:
        services.update(name, taskDefinition=services.task(BAD))
        services.ends(name, "ROLLBACK_SUCCESSFUL")
        services.steady(name)
    assert watch.fewest >= 2 and watch.most <= 4, (watch.fewest, watch.most)


def test_a_forced_deployment_brings_out_the_same_anew(services):
    definition = services.task()
    name = services.created(definition, 1)
    before = services.arns(name)
    services.update(name, forceNewDeployment=True)
    done = services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert definitions(services, name) == {definition} and not before & services.arns(name)
    assert done["targetServiceRevision"]["arn"] != done["sourceServiceRevisions"][0]["arn"]


def test_a_newer_deployment_ends_the_one_under_way(services):
    name = services.created(count=1)
    services.update(name, taskDefinition=services.task(BAD))
    services.wait(name, lambda s: s["deployments"][0]["failedTasks"] >= 1, "a failed task")
    good = services.task()
    services.update(name, taskDefinition=good)
    services.ends(name, "SUCCESSFUL")
    newest, superseded, first = services.deployments(name)
    assert [newest["status"], superseded["status"], first["status"]] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert "a newer one was started" in superseded["statusReason"]
    assert definitions(services, name) == {good}


def test_the_count_may_change_while_a_deployment_is_under_way(services):
    name = services.created(count=2)
    new = services.task()
    services.update(name, taskDefinition=new)
    services.update(name, desiredCount=4)
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert definitions(services, name) == {new} and len(services.arns(name)) == 4
    assert len(services.deployments(name)) == 2, "a count is no deployment"


def test_unhealthy_tasks_do_not_take_the_place_of_healthy_ones(services):
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "timeout": 2, "retries": 1}
    name = services.created(count=1, deploymentConfiguration=bounds(200, 100, **breaker(kind="COUNT", value=1)))
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(healthCheck=check))
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    assert done["deploymentCircuitBreaker"]["failureCount"] == 1
    services.says_of(name, "failed container health checks.")
    assert services.arns(name) == before


def gated(services, folder, check="test -e /gate/open", **settings):
    """A task that is healthy once the test makes the file `open` in a folder of the host."""
    folder.chmod(0o755)
    return services.task(
        healthCheck={"command": ["CMD-SHELL", check], "interval": 5, "timeout": 2, "retries": 10, **settings},
        mountPoints=[{"sourceVolume": "gate", "containerPath": "/gate"}],
        task={"volumes": [{"name": "gate", "host": {"sourcePath": str(folder)}}]},
    )


def test_old_tasks_stay_until_new_ones_pass_their_health_check(services, tmp_path):
    new = gated(services, tmp_path)
    name = services.created(count=2)
    old = services.arns(name)
    services.update(name, taskDefinition=new)
    services.wait(name, lambda s: s["runningCount"] == 4, "both new tasks beside the old ones")
    eventually(
        lambda: [t["healthStatus"] for t in services.tasks(name) if t["taskDefinitionArn"] == new] == ["UNKNOWN"] * 2,
        WITHIN, "new tasks without a verdict",
    )
    assert old < services.arns(name) and services.deployment(name)["lifecycleStage"] == "SCALE_UP"
    (tmp_path / "open").touch()
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert {task["healthStatus"] for task in services.tasks(name)} == {"HEALTHY"}


def test_within_its_grace_period_a_failing_check_does_not_count(services, tmp_path):
    new = gated(services, tmp_path, retries=1)
    name = services.created(count=1, healthCheckGracePeriodSeconds=300)
    services.update(name, taskDefinition=new)

    def ill():
        return [task for task in services.tasks(name) if task.get("healthStatus") == "UNHEALTHY"]

    (task,) = eventually(ill, WITHIN, "a failing check")
    assert services.show(name)["deployments"][0]["failedTasks"] == 0
    (tmp_path / "open").touch()
    services.ends(name, "SUCCESSFUL")
    assert services.arns(name) == {task["taskArn"]}, "it was never replaced"


def test_fargate_tasks_roll_over_with_addresses_of_their_own(services):
    network = {"launchType": "FARGATE", "networkConfiguration": services.network()}
    name = services.created(services.fargate(), 2, deploymentConfiguration=bounds(150, 50), **network)
    new = services.fargate()
    with Watch(services, name) as watch:
        services.update(name, taskDefinition=new)
        services.ends(name, "SUCCESSFUL")
        services.steady(name)
    assert watch.fewest >= 1 and watch.most <= 3, (watch.fewest, watch.most)
    tasks = services.tasks(name)
    assert {task["taskDefinitionArn"] for task in tasks} == {new}
    assert len({address(task) for task in tasks}) == 2


def test_another_network_is_a_deployment(services):
    one, other = services.instance.subnets[:2]
    name = services.created(services.fargate(), 1, launchType="FARGATE", networkConfiguration=services.network(one))
    services.update(name, networkConfiguration=services.network(other))
    services.ends(name, "SUCCESSFUL")
    services.steady(name)
    (task,) = services.tasks(name)
    (attachment,) = task["attachments"]
    assert {"name": "subnetId", "value": other} in attachment["details"]


def test_services_stable_waits_for_the_whole_rollout(services):
    name = services.created(count=2)
    new = services.task()
    services.update(name, taskDefinition=new)
    waiter = services.ecs.get_waiter("services_stable")
    waiter.wait(cluster="default", services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": WITHIN})
    assert definitions(services, name) == {new}
    services.ecs.delete_service(service=name, force=True)
    waiter = services.ecs.get_waiter("services_inactive")
    waiter.wait(cluster="default", services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": WITHIN})


# Listed and described.


def test_deployments_are_listed_by_status_and_time_in_pages(services, refused):
    name = services.created(count=0)
    for _ in range(2):
        services.update(name, forceNewDeployment=True)
        services.ends(name, "SUCCESSFUL")
    services.update(name, forceNewDeployment=True, deploymentConfiguration=pause("PRE_SCALE_UP"))
    awaited(services, name)
    arns = [deployment["serviceDeploymentArn"] for deployment in services.deployments(name)]
    assert len(arns) == 4
    assert [d["serviceDeploymentArn"] for d in services.deployments(name, status=["IN_PROGRESS"])] == arns[:1]
    assert [d["serviceDeploymentArn"] for d in services.deployments(name, status=["SUCCESSFUL"])] == arns[1:]
    oldest = services.deployments(name)[-1]["createdAt"]
    assert [d["serviceDeploymentArn"] for d in services.deployments(name, createdAt={"after": oldest})] == arns[:-1]
    assert services.deployments(name, createdAt={"before": oldest}) == []
    first = services.ecs.list_service_deployments(service=name, maxResults=3)
    rest = services.ecs.list_service_deployments(service=name, maxResults=3, nextToken=first["nextToken"])
    pages = [[d["serviceDeploymentArn"] for d in page["serviceDeployments"]] for page in (first, rest)]
    assert pages == [arns[:3], arns[3:]] and "nextToken" not in rest
    for wrong in ({"maxResults": 0}, {"maxResults": 101}, {"status": ["LOST"]}, {"nextToken": "x"}):
        with refused("InvalidParameterException"):
            services.ecs.list_service_deployments(service=name, **wrong)


def test_what_is_not_there_is_missing(services, refused):
    name = services.created(count=0)
    deployment = services.deployment(name)
    for operation, parameter, known, found in [
        ("describe_service_deployments", "serviceDeploymentArns", deployment["serviceDeploymentArn"], "serviceDeployments"),
        ("describe_service_revisions", "serviceRevisionArns", deployment["targetServiceRevision"]["arn"], "serviceRevisions"),
    ]:
        call = getattr(services.ecs, operation)
        answer = call(**{parameter: [known + "9", known]})
        assert len(answer[found]) == 1
        assert answer["failures"] == [{"arn": known + "9", "reason": "MISSING"}]
        for wrong in ([], [known] * 21):
            with refused("InvalidParameterException"):
                call(**{parameter: wrong})


# Version consistency.


@pytest.mark.parametrize("consistency, follows", [("enabled", False), ("disabled", True)])
def test_a_tag_means_the_same_for_a_whole_revision_unless_told_otherwise(services, tmp_path, consistency, follows):
    tag = f"moving:{consistency}"

    def push(mark):
        archive = images.busybox(tmp_path / f"{mark}.tar", Labels={"mark": mark})
        services.instance.command("image", "import", archive, "--name", tag)

    def digests():
        return {task["containers"][0]["imageDigest"] for task in services.tasks(name)}

    push("first")
    name = services.created(services.task(image=tag, versionConsistency=consistency), 1)
    (first,) = digests()
    push("second")
    services.update(name, desiredCount=3)
    services.steady(name)
    after = digests()
    assert (len(after) == 2) is follows and first in after
    (revision,) = revisions_of(services, services.deployment(name)["targetServiceRevision"]["arn"])
    if not follows:
        assert [image["imageDigest"] for image in revision["containerImages"]] == [first]
        services.update(name, forceNewDeployment=True)
        services.ends(name, "SUCCESSFUL")
        services.steady(name)
        assert first not in digests() and len(digests()) == 1


def test_a_digest_is_there_for_a_successor_and_a_rollback_after_its_tag_has_moved(services, tmp_path):
    """The way of a developer who builds `app:latest` anew: the only task dies, and the next build is a bad one."""
    tag = "moving:latest"

    def push(mark):
        archive = images.busybox(tmp_path / f"{mark}.tar", Env=["PATH=/bin", f"MARK={mark}"])
        services.instance.command("image", "import", archive, "--name", tag)

    def digest():
        (task,) = services.tasks(name)
        return task["containers"][0]["imageDigest"]

    push("good")
    script = f'[ "$MARK" = bad ] && exit 1; {FOREVER}'
    given = bounds(100, 0, **breaker(kind="COUNT", value=1))
    name = services.created(services.task(script, image=tag), 1, deploymentConfiguration=given)
    good = digest()
    push("bad")
    (arn,) = services.arns(name)
    services.stop(arn)
    services.steady(name)
    assert digest() == good
    services.update(name, forceNewDeployment=True)
    services.ends(name, "ROLLBACK_SUCCESSFUL")
    services.steady(name)
    assert digest() == good


# The circuit breaker.

THRESHOLDS = {
    "a count of one": (2, {"kind": "COUNT", "value": 1}, 1),
    "a count of four": (2, {"kind": "COUNT", "value": 4}, 4),
    "a bounded percentage below its bound": (2, {"kind": "BOUNDED_PERCENT", "value": 50}, 3),
    "a bounded percentage": (4, {"kind": "BOUNDED_PERCENT", "value": 100}, 4),
    "an unbounded percentage": (2, {"kind": "UNBOUNDED_PERCENT", "value": 50}, 1),
    "the default": (2, {}, 3),
}


@pytest.mark.parametrize("what", THRESHOLDS)
def test_each_threshold_rolls_back_to_what_last_completed(services, what):
    count, threshold, failures = THRESHOLDS[what]
    good = services.task()
    name = services.created(good, count, deploymentConfiguration=bounds(150, 100, **breaker(**threshold)))
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(BAD))
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    seen = done["deploymentCircuitBreaker"]
    assert (seen["status"], seen["threshold"]) == ("TRIGGERED", failures)
    # Tasks that had been started together may all have failed by then.
    assert failures <= seen["failureCount"] < failures + count
    assert done["rollback"]["serviceRevisionArn"] == done["sourceServiceRevisions"][0]["arn"]
    assert "circuit breaker" in done["statusReason"]
    services.steady(name)
    assert services.arns(name) == before, "the old tasks never stopped"
    assert services.show(name)["taskDefinition"] == good
    told = said(services, name)
    assert any("deployment failed: tasks failed to start." in text for text in told), told
    assert any("rolling back to deployment ecs-svc/" in text for text in told), told


def test_a_failure_of_tasks_that_cannot_be_made_counts_too(services):
    name = services.created(count=1, deploymentConfiguration=bounds(200, 100, **breaker(kind="COUNT", value=2)))
    services.update(name, taskDefinition=services.task(image="nowhere:1"))
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    assert done["deploymentCircuitBreaker"]["failureCount"] == 2


def test_without_rollback_it_stops_where_it_stands(services):
    good = services.task()
    name = services.created(good, 2, deploymentConfiguration=bounds(200, 100, **breaker(rollback=False)))
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(BAD))
    done = services.ends(name, "STOPPED")
    assert "rollback" not in done and done["deploymentCircuitBreaker"]["failureCount"] >= 3
    primary, active = services.show(name)["deployments"]
    assert (primary["status"], primary["rolloutState"], active["status"]) == ("PRIMARY", "FAILED", "ACTIVE")
    assert primary["failedTasks"] >= 3 and "circuit breaker" in primary["rolloutStateReason"]
    eventually(lambda: services.arns(name) == before, WITHIN, "the end of the last new task, and no further one")
    services.update(name, taskDefinition=good)
    services.ends(name, "SUCCESSFUL")
    services.steady(name)


def test_a_first_deployment_has_nothing_to_go_back_to(services):
    name = services.create(services.task(BAD), 1, deploymentConfiguration=bounds(200, 100, **breaker()))
    done = services.ends(name, "ROLLBACK_FAILED")
    assert "No rollback candidate was found" in done["statusReason"]
    (deployment,) = services.show(name)["deployments"]
    assert deployment["rolloutState"] == "FAILED"
    services.update(name, taskDefinition=services.task())
    services.ends(name, "SUCCESSFUL")


def test_a_rollback_passes_over_what_never_completed(services):
    good = services.task()
    name = services.created(good, 1, deploymentConfiguration=bounds(200, 100, **breaker(rollback=False)))
    services.update(name, taskDefinition=services.task(BAD))
    services.ends(name, "STOPPED")
    services.update(name, taskDefinition=services.task(BAD), deploymentConfiguration=bounds(200, 100, **breaker()))
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    (revision,) = revisions_of(services, done["rollback"]["serviceRevisionArn"])
    assert revision["taskDefinition"] == good
    services.steady(name)
    assert definitions(services, name) == {good}


@pytest.mark.parametrize("resets, status", [(True, "SUCCESSFUL"), (False, "ROLLBACK_SUCCESSFUL")])
def test_a_healthy_task_sets_the_count_back_unless_told_not_to(services, tmp_path, resets, status):
    """Two tasks fail at once, the third comes up, the fourth fails when the third is healthy: two and one, or three."""
    tmp_path.chmod(0o755)
    script = f"""
        n=1; while ! mkdir /turns/$n 2>/dev/null; do n=$((n+1)); done
        [ $n -le 2 ] && exit 1
        [ $n -eq 4 ] && {{ while [ ! -e /turns/healthy ]; do sleep 0.1; done; sleep 1; exit 1; }}
        touch /tmp/up
        {FOREVER}
    """
    check = {"command": ["CMD-SHELL", "test -e /tmp/up && touch /turns/healthy"], "interval": 5, "timeout": 2, "retries": 10}
    new = services.task(
        script, healthCheck=check, mountPoints=[{"sourceVolume": "turns", "containerPath": "/turns"}],
        task={"volumes": [{"name": "turns", "host": {"sourcePath": str(tmp_path)}}]},
    )
    given = breaker(kind="COUNT", value=3, resetOnHealthyTask=resets)
    name = services.created(count=2, deploymentConfiguration=bounds(200, 100, **given))
    services.update(name, taskDefinition=new)
    done = services.ends(name, status, within=90)
    if not resets:
        assert done["deploymentCircuitBreaker"]["failureCount"] == 3
    assert done["deploymentConfiguration"]["deploymentCircuitBreaker"]["resetOnHealthyTask"] is resets


# Two sides.

KINDS = {"BLUE_GREEN": lambda **more: two_sided("BLUE_GREEN", **more), "LINEAR": linear, "CANARY": canary}


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_are_whole_before_traffic_moves(services, kind):
    new = services.task()
    name = services.created(count=2)
    old = services.arns(name)
    hooks = pause("POST_SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT")
    services.update(name, taskDefinition=new, deploymentConfiguration=KINDS[kind](**hooks))
    for stage, weight in [("POST_SCALE_UP", 0.0), ("POST_PRODUCTION_TRAFFIC_SHIFT", 100.0)]:
        deployment, hook = awaited(services, name)
        assert deployment["lifecycleStage"] == stage
        (source,), target = deployment["sourceServiceRevisions"], deployment["targetServiceRevision"]
        assert (source["runningTaskCount"], target["runningTaskCount"]) == (2, 2)
        assert target["requestedProductionTrafficWeight"] == weight
        assert source["requestedProductionTrafficWeight"] == 100.0 - weight
        assert old < services.arns(name)
        answer(services, deployment, hook)
    done = services.ends(name, "SUCCESSFUL")
    services.steady(name)
    assert definitions(services, name) == {new}
    assert [hook["status"] for hook in done["lifecycleHookDetails"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert done["deploymentConfiguration"]["strategy"] == kind


def test_a_step_of_traffic_waits_for_its_bake_time_and_both_sides_stay(services):
    """Three services at once, because a bake time is a minute at least."""
    new = services.task()
    kinds = {
        "BLUE_GREEN": two_sided("BLUE_GREEN", 1),
        "LINEAR": linear(60.0, 1),
        "CANARY": canary(12.5, 1),
    }
    weights = {"BLUE_GREEN": 100.0, "LINEAR": 60.0, "CANARY": 12.5}
    stages = {"BLUE_GREEN": "BAKE_TIME", "LINEAR": "PRODUCTION_TRAFFIC_SHIFT", "CANARY": "PRODUCTION_TRAFFIC_SHIFT"}
    names = {kind: services.create(services.task(), 1, deploymentConfiguration=given) for kind, given in kinds.items()}
    for name in names.values():
        services.steady(name)
        services.update(name, taskDefinition=new)
    for kind, name in names.items():

        def bakes():
            seen = services.deployment(name)
            is_there = seen.get("lifecycleStage") == stages[kind]
            return is_there and seen["targetServiceRevision"]["requestedProductionTrafficWeight"] == weights[kind] and seen

        seen = eventually(bakes, WITHIN, f"the bake time of {kind}")
        assert seen["sourceServiceRevisions"][0]["runningTaskCount"] == 1, kind
        assert seen["targetServiceRevision"]["runningTaskCount"] == 1, kind
        assert services.show(name)["runningCount"] == 2
    for kind, name in names.items():
        done = services.ends(name, "SUCCESSFUL", within=100)
        services.steady(name)
        assert (done["finishedAt"] - done["startedAt"]).total_seconds() >= 60, kind
        assert definitions(services, name) == {new}, kind


def test_stages_come_in_ecs_order(services):
    every = [stage for stage in STAGES if stage not in
             ("SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP")]
    name = services.created(count=1)
    services.update(name, taskDefinition=services.task(), deploymentConfiguration=two_sided("BLUE_GREEN", **pause(*every)))
    seen = []
    for _ in every:
        deployment, hook = awaited(services, name)
        seen.append(deployment["lifecycleStage"])
        answer(services, deployment, hook)
    assert seen == every
    services.ends(name, "SUCCESSFUL")


def test_a_two_sided_deployment_that_fails_leaves_the_old_side(services):
    name = services.created(count=2, deploymentConfiguration={**two_sided("BLUE_GREEN"), **breaker()})
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(BAD))
    services.ends(name, "ROLLBACK_SUCCESSFUL")
    services.steady(name)
    assert services.arns(name) == before


# Hooks.


def test_a_hook_before_the_scale_up_holds_everything(services):
    name = services.created(count=1)
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(), deploymentConfiguration=pause("PRE_SCALE_UP"))
    deployment, hook = awaited(services, name)
    assert (deployment["status"], deployment["lifecycleStage"]) == ("IN_PROGRESS", "PRE_SCALE_UP")
    assert services.arns(name) == before
    assert (hook["targetType"], hook["timeoutAction"]) == ("PAUSE", "ROLLBACK")
    assert 86_300 < (hook["expiresAt"] - deployment["startedAt"]).total_seconds() < 86_500, "1440 minutes by default"
    answer(services, deployment, hook)
    services.ends(name, "SUCCESSFUL")


def test_a_hook_that_is_answered_with_no_rolls_back(services):
    good = services.task()
    name = services.created(good, 1)
    before = services.arns(name)
    services.update(name, taskDefinition=services.task(), deploymentConfiguration=two_sided("BLUE_GREEN", **pause("POST_SCALE_UP")))
    deployment, hook = awaited(services, name)
    answer(services, deployment, hook, "ROLLBACK")
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    assert [hook["status"] for hook in done["lifecycleHookDetails"]] == ["FAILED"]
    services.steady(name)
    assert services.arns(name) == before


def test_an_answer_is_given_once_and_to_what_waits(services, refused):
    name = services.created(count=1)
    services.update(name, taskDefinition=services.task(), deploymentConfiguration=pause("PRE_SCALE_UP", "POST_SCALE_UP"))
    deployment, hook = awaited(services, name)
    with refused("InvalidParameterException", "does not wait"):
        answer(services, deployment, {"hookId": "nothing"})
    with refused("ServiceDeploymentNotFoundException"):
        answer(services, {"serviceDeploymentArn": deployment["serviceDeploymentArn"] + "x"}, hook)
    answer(services, deployment, hook)
    answer(services, deployment, hook)
    with refused("InvalidParameterException", "does not wait"):
        answer(services, deployment, hook, "ROLLBACK")
    deployment, other = eventually(lambda: (seen := awaited(services, name)) and seen[1]["hookId"] != hook["hookId"] and seen)
    answer(services, deployment, other)
    services.ends(name, "SUCCESSFUL")


# Stops.


def test_an_aborted_deployment_stays_where_it_is(services, refused):
    new = services.task()
    name = services.created(count=1)
    before = services.arns(name)
    services.update(name, taskDefinition=new, deploymentConfiguration=pause("PRE_SCALE_UP"))
    deployment, hook = awaited(services, name)
    arn = deployment["serviceDeploymentArn"]
    assert services.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ABORT")["serviceDeploymentArn"] == arn
    done = services.ends(name, "STOPPED")
    assert "stopped by a user" in done["statusReason"] and "rollback" not in done
    assert services.arns(name) == before, "what ran goes on"
    with refused("ConflictException", "STOPPED"):
        services.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    with refused("InvalidParameterException", "does not wait"):
        answer(services, deployment, hook)
    services.update(name, taskDefinition=new, forceNewDeployment=True, deploymentConfiguration={"lifecycleHooks": []})
    services.ends(name, "SUCCESSFUL")
    services.steady(name)


@pytest.mark.parametrize("stage, stays", [("POST_SCALE_UP", "old"), ("POST_PRODUCTION_TRAFFIC_SHIFT", "new")])
def test_of_two_sides_that_are_aborted_the_one_with_the_traffic_stays(services, stage, stays):
    definition = {"old": services.task(), "new": services.task()}
    name = services.created(definition["old"], 2)
    services.update(name, taskDefinition=definition["new"], deploymentConfiguration=two_sided("BLUE_GREEN", **pause(stage)))
    deployment, _ = awaited(services, name)
    with Watch(services, name) as watch:
        services.ecs.stop_service_deployment(serviceDeploymentArn=deployment["serviceDeploymentArn"], stopType="ABORT")
        services.ends(name, "STOPPED")
        eventually(lambda: definitions(services, name) == {definition[stays]}, WITHIN, "one side")
    assert watch.fewest >= 2
    assert len(services.arns(name)) == 2


@pytest.mark.parametrize("given", [{}, {"stopType": "ROLLBACK"}])
def test_a_deployment_that_is_taken_back_ends_at_what_ran_before(services, refused, given):
    good = services.task()
    name = services.created(good, 2)
    services.update(name, taskDefinition=services.task(BAD))
    arn = services.deployment(name)["serviceDeploymentArn"]
    services.ecs.stop_service_deployment(serviceDeploymentArn=arn, **given)
    done = services.ends(name, "ROLLBACK_SUCCESSFUL")
    assert "a user asked for it" in done["rollback"]["reason"]
    services.steady(name)
    assert definitions(services, name) == {good}
    with refused("ConflictException", "ROLLBACK_SUCCESSFUL"):
        services.ecs.stop_service_deployment(serviceDeploymentArn=arn, **given)


# Early success.


@pytest.mark.parametrize("clean_up", ["BLOCKING", "DEFERRED"])
def test_early_success_needs_only_some_of_the_tasks(services, tmp_path, clean_up):
    """One of two new tasks comes up; the other one waits until the test lets it."""
    tmp_path.chmod(0o755)
    script = f"""
        mkdir /gate/first 2>/dev/null || {{ while [ ! -e /gate/open ]; do sleep 0.1; done; }}
        touch /tmp/up
        {FOREVER}
    """
    check = {"command": ["CMD-SHELL", "test -e /tmp/up"], "interval": 5, "timeout": 2, "retries": 10}
    new = services.task(
        script, healthCheck=check, mountPoints=[{"sourceVolume": "gate", "containerPath": "/gate"}],
        task={"volumes": [{"name": "gate", "host": {"sourcePath": str(tmp_path)}}]},
    )
    criteria = {"enable": True, "healthyPercent": 50, "sourceServiceRevisionCleanup": clean_up}
    name = services.created(count=2, deploymentConfiguration=bounds(200, 50, earlySuccessCriteria=criteria))
    services.update(name, taskDefinition=new)
    if clean_up == "BLOCKING":
        # The old tasks have to go, and the last of them goes only when both new ones are there.
        eventually(lambda: services.deployment(name).get("lifecycleStage") == "CLEAN_UP", WITHIN, "CLEAN_UP")
        assert services.deployment(name)["status"] == "IN_PROGRESS"
        (tmp_path / "open").touch()
    done = services.ends(name, "SUCCESSFUL")
    assert done["deploymentConfiguration"]["earlySuccessCriteria"] == criteria
    (tmp_path / "open").touch()
    services.steady(name)
    assert definitions(services, name) == {new}
