"""Clusters, tags, attributes, account settings: what a user names and marks."""

import uuid

import pytest

from ecs import FOREVER, shell


@pytest.fixture
def cluster(aws):
    name = "c-" + uuid.uuid4().hex[:8]
    yield aws.ecs.create_cluster(clusterName=name)["cluster"]
    try:
        aws.ecs.delete_cluster(cluster=name)
    except aws.ecs.exceptions.ClientException:
        pass


def test_a_task_runs_in_a_cluster_of_its_own(aws, cluster):
    assert cluster["status"] == "ACTIVE"
    task = aws.stopped(aws.run(aws.define(shell("exit 0")), cluster=cluster["clusterName"]))
    assert task["clusterArn"] == cluster["clusterArn"] and cluster["clusterName"] in task["taskArn"]
    assert task["taskArn"] not in aws.ecs.list_tasks(desiredStatus="STOPPED")["taskArns"]


def test_creating_a_cluster_twice_gives_the_same(aws, cluster):
    assert aws.ecs.create_cluster(clusterName=cluster["clusterName"])["cluster"]["clusterArn"] == cluster["clusterArn"]


def test_a_cluster_with_tasks_is_not_deleted(aws, cluster, refused):
    task = aws.run(aws.define(shell(FOREVER)), cluster=cluster["clusterName"])
    aws.running(task)
    with refused("ClusterContainsTasksException"):
        aws.ecs.delete_cluster(cluster=cluster["clusterName"])
    aws.stop(task)


def test_a_deleted_cluster_is_inactive(aws, cluster):
    assert aws.ecs.delete_cluster(cluster=cluster["clusterName"])["cluster"]["status"] == "INACTIVE"
    assert cluster["clusterArn"] not in aws.ecs.list_clusters()["clusterArns"]


def test_each_cluster_has_an_instance_of_its_own_for_the_one_machine(aws, cluster):
    (here,) = aws.ecs.list_container_instances(cluster=cluster["clusterName"])["containerInstanceArns"]
    (there,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    assert here != there and f"/{cluster['clusterName']}/" in here


def tags_of(answer):
    return {tag["key"]: tag["value"] for tag in answer}


def test_tags_of_a_task_are_given_shown_changed_and_taken(aws):
    task = aws.run(aws.define(shell(FOREVER)), tags=[{"key": "berth", "value": "7"}])
    assert tags_of(aws.describe(task, include=["TAGS"])["tags"]) == {"berth": "7"}
    assert aws.describe(task)["tags"] == []
    aws.ecs.tag_resource(resourceArn=task, tags=[{"key": "crew", "value": "12"}, {"key": "berth", "value": "8"}])
    assert tags_of(aws.ecs.list_tags_for_resource(resourceArn=task)["tags"]) == {"berth": "8", "crew": "12"}
    aws.ecs.untag_resource(resourceArn=task, tagKeys=["berth"])
    assert tags_of(aws.ecs.list_tags_for_resource(resourceArn=task)["tags"]) == {"crew": "12"}


def test_tags_are_propagated_from_the_definition_and_managed_ones_added(aws):
    definition = aws.ecs.register_task_definition(
        family="t-" + uuid.uuid4().hex[:8], networkMode="host", containerDefinitions=[shell("exit 0")],
        tags=[{"key": "from", "value": "definition"}],
    )["taskDefinition"]["taskDefinitionArn"]
    task = aws.run(definition, propagateTags="TASK_DEFINITION", enableECSManagedTags=True)
    tags = tags_of(aws.describe(task, include=["TAGS"])["tags"])
    assert tags["from"] == "definition" and tags["aws:ecs:clusterName"] == "default"


def test_attributes_of_an_instance(aws):
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    name = "stack-" + uuid.uuid4().hex[:6]
    attribute = {"name": name, "value": "production", "targetId": arn}
    aws.ecs.put_attributes(attributes=[attribute])
    (listed,) = aws.ecs.list_attributes(targetType="container-instance", attributeName=name)["attributes"]
    assert (listed["name"], listed["value"]) == (name, "production")
    found = aws.ecs.list_container_instances(filter=f"attribute:{name} == production")["containerInstanceArns"]
    assert found == [arn]
    aws.ecs.delete_attributes(attributes=[attribute])
    assert aws.ecs.list_attributes(targetType="container-instance", attributeName=name)["attributes"] == []


def test_builtin_attributes_are_listed(aws):
    (arn,) = aws.ecs.list_container_instances()["containerInstanceArns"]
    (instance,) = aws.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    attributes = {a["name"]: a.get("value") for a in instance["attributes"]}
    assert attributes["ecs.os-type"] == "linux" and instance["agentConnected"] and instance["status"] == "ACTIVE"


def test_account_settings(aws):
    def effective(name):
        (setting,) = aws.ecs.list_account_settings(name=name, effectiveSettings=True)["settings"]
        return setting["value"]

    before = effective("containerInsights")
    aws.ecs.put_account_setting(name="containerInsights", value="enabled")
    assert effective("containerInsights") == "enabled"
    aws.ecs.delete_account_setting(name="containerInsights")
    assert effective("containerInsights") == before


def test_a_group_and_who_started_it_are_kept(aws):
    task = aws.describe(aws.run(aws.define(shell("exit 0")), group="batch", startedBy="a-test"))
    assert (task["group"], task["startedBy"]) == ("batch", "a-test")
