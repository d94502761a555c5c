"""How clients read: describe with what is missing beside what is there, lists with filters and pages."""

import uuid

from ecs import FOREVER, shell
from instance import eventually


def test_describe_answers_for_what_is_there_and_names_what_is_not(aws):
    task = aws.finished("exit 0")["taskArn"]
    answer = aws.ecs.describe_tasks(tasks=[task, "0" * 32])
    assert [t["taskArn"] for t in answer["tasks"]] == [task]
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING" and failure["arn"].endswith("task/default/" + "0" * 32)


def test_a_missing_cluster_is_a_failure_of_describe_clusters(aws):
    answer = aws.ecs.describe_clusters(clusters=["default", "nowhere"])
    assert [c["clusterName"] for c in answer["clusters"]] == ["default"]
    assert [f["reason"] for f in answer["failures"]] == ["MISSING"]


def test_tasks_are_listed_by_what_they_are(aws):
    definition = aws.define(shell(FOREVER))
    family = definition.split("/")[1].split(":")[0]
    mark = uuid.uuid4().hex[:8]
    task = aws.run(definition, startedBy=mark)
    aws.running(task)
    for filters in [{"family": family}, {"startedBy": mark}, {"family": family, "desiredStatus": "RUNNING"},
                    {"family": family, "launchType": "EC2"}]:
        assert aws.ecs.list_tasks(**filters)["taskArns"] == [task], filters
    assert aws.ecs.list_tasks(family=family, launchType="FARGATE")["taskArns"] == []
    assert aws.ecs.list_tasks(family=family, desiredStatus="STOPPED")["taskArns"] == []
    aws.stop(task)
    assert aws.ecs.list_tasks(family=family)["taskArns"] == []
    assert aws.ecs.list_tasks(family=family, desiredStatus="STOPPED")["taskArns"] == [task]


def test_tasks_come_in_pages_without_gap_or_double(aws):
    definition = aws.define(shell("exit 0", memory=16))
    family = definition.split("/")[1].split(":")[0]
    tasks = [task["taskArn"] for task in aws.run_all(definition, count=7)]
    for task in tasks:
        aws.stopped(task)
    pages = aws.ecs.get_paginator("list_tasks").paginate(
        family=family, desiredStatus="STOPPED", PaginationConfig={"PageSize": 3}
    )
    pages = [page["taskArns"] for page in pages]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(sum(pages, [])) == sorted(tasks)


def test_families_and_revisions(aws):
    family = "pages-" + uuid.uuid4().hex[:8]
    arns = [aws.define(shell(f"echo {n}"), family=family) for n in range(3)]
    assert [arn.rsplit(":", 1)[1] for arn in arns] == ["1", "2", "3"]
    assert aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == arns
    assert aws.ecs.list_task_definitions(familyPrefix=family, sort="DESC")["taskDefinitionArns"] == arns[::-1]
    assert aws.ecs.list_task_definition_families(familyPrefix=family)["families"] == [family]
    assert aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 3
    aws.ecs.deregister_task_definition(taskDefinition=arns[2])
    assert aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 2
    assert aws.ecs.list_task_definitions(familyPrefix=family, status="INACTIVE")["taskDefinitionArns"] == [arns[2]]


def test_a_definition_comes_back_with_ecs_defaults(aws):
    described = aws.ecs.describe_task_definition(taskDefinition=aws.define(shell("true"), networkMode=None))["taskDefinition"]
    (main,) = described["containerDefinitions"]
    assert (main["cpu"], main["essential"], main["environment"], main["mountPoints"]) == (0, True, [], [])
    assert (main["portMappings"], main["volumesFrom"], described["volumes"]) == ([], [], [])
    assert (described["status"], described["compatibilities"]) == ("ACTIVE", ["EXTERNAL", "EC2"])
    assert described["registeredBy"] == "arn:aws:iam::000000000000:root"


def test_the_counts_of_a_cluster_follow_its_tasks(another):
    aws = another()
    task = aws.go(FOREVER)
    aws.running(task)

    def counts():
        (cluster,) = aws.ecs.describe_clusters(clusters=["default"])["clusters"]
        return cluster["runningTasksCount"], cluster["pendingTasksCount"]

    assert counts() == (1, 0)
    aws.stop(task)
    assert counts() == (0, 0)


def test_an_instance_shows_what_its_tasks_take(another):
    aws = another("--capacity", "cpu=2048,memory=2048")
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]

    def remaining():
        (instance,) = aws.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
        amounts = {r["name"]: r.get("integerValue") for r in instance["remainingResources"]}
        return amounts["CPU"], amounts["MEMORY"], instance["runningTasksCount"]

    assert remaining() == (2048, 2048, 0)
    task = aws.go(FOREVER, cpu=512, memory=100)
    aws.running(task)
    assert remaining() == (1536, 1948, 1)
    aws.stop(task)
    eventually(lambda: remaining() == (2048, 2048, 0), 5, "everything free again")


def test_the_waiters_of_the_sdk_agree(aws):
    task = aws.go(FOREVER)
    config = {"Delay": 1, "MaxAttempts": 15}
    aws.ecs.get_waiter("tasks_running").wait(tasks=[task], WaiterConfig=config)
    aws.ecs.stop_task(task=task)
    aws.ecs.get_waiter("tasks_stopped").wait(tasks=[task], WaiterConfig=config)


def test_stopped_tasks_stay_describable(aws):
    task = aws.finished("exit 4")["taskArn"]
    assert aws.describe(task)["containers"][0]["exitCode"] == 4


def test_a_deleted_definition_stays_until_its_last_task_has_stopped(aws, refused):
    definition = aws.define(shell(FOREVER))
    task = aws.run(definition)
    aws.running(task)
    aws.ecs.deregister_task_definition(taskDefinition=definition)
    (deleted,) = aws.ecs.delete_task_definitions(taskDefinitions=[definition])["taskDefinitions"]
    assert deleted["status"] == "DELETE_IN_PROGRESS"
    assert aws.ecs.list_task_definitions(status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == [definition]
    with refused("ClientException"):
        aws.ecs.run_task(taskDefinition=definition)
    aws.stop(task)
    leaving = lambda: aws.ecs.list_task_definitions(status="DELETE_IN_PROGRESS")["taskDefinitionArns"]
    eventually(lambda: leaving() == [], 10, "the definition's end")
    with refused("ClientException"):
        aws.ecs.describe_task_definition(taskDefinition=definition)
    assert aws.describe(task)["taskDefinitionArn"] == definition
