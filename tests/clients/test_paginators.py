"""Every paginator of boto3's ECS client, with pages of one or two, joins to the whole list."""

import uuid

import botocore.session
import pytest

from ecs import shell

#: Of operations that are not built, or list what there can be none of yet.
UNBUILT = {"ListGatewayClusterAssociations", "ListGatewayRoutes", "ListGateways", "ListServicesByNamespace"}
SETTINGS = ["containerInsights", "awsvpcTrunking", "fargateFIPSMode"]


@pytest.fixture(scope="module")
def made(bayplan):
    """A few of each thing that ECS lists, in a cluster of their own."""
    from ecs import Aws

    aws = Aws(bayplan)
    cluster = "pages-" + uuid.uuid4().hex[:8]
    aws.ecs.create_cluster(clusterName=cluster)
    families = [f"{cluster}-{n}" for n in range(3)]
    definitions = [aws.define(shell("sleep 1000"), family=family) for family in families]
    tasks = [aws.run(definitions[0], cluster=cluster) for _ in range(3)]
    services = [
        aws.ecs.create_service(cluster=cluster, serviceName=f"s{n}", taskDefinition=definitions[0], desiredCount=0)[
            "service"
        ]["serviceArn"]
        for n in range(3)
    ]
    (container_instance,) = aws.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    attributes = [{"name": f"{cluster}-{n}", "value": "v", "targetId": container_instance} for n in range(3)]
    aws.ecs.put_attributes(cluster=cluster, attributes=attributes)
    for name in SETTINGS:
        aws.ecs.put_account_setting(name=name, value="enabled")
    yield {
        "aws": aws, "cluster": cluster, "families": families, "definitions": definitions, "tasks": tasks,
        "services": services, "container_instances": [container_instance],
        "attributes": [attribute["name"] for attribute in attributes],
        "clusters": [aws.ecs.describe_clusters(clusters=[name])["clusters"][0]["clusterArn"] for name in (cluster, "default")],
    }
    for name in SETTINGS:
        aws.ecs.delete_account_setting(name=name)
    for service in services:
        aws.ecs.delete_service(cluster=cluster, service=service, force=True)
    aws.stop_all()


def cases(made):
    """What to ask each paginator, and what must be among its answers."""
    cluster, prefix = {"cluster": made["cluster"]}, made["cluster"]
    return {
        "ListAccountSettings": ({}, SETTINGS),
        "ListAttributes": ({**cluster, "targetType": "container-instance"}, made["attributes"]),
        "ListClusters": ({}, made["clusters"]),
        "ListContainerInstances": (cluster, made["container_instances"]),
        "ListServices": (cluster, made["services"]),
        "ListTaskDefinitionFamilies": ({"familyPrefix": prefix}, made["families"]),
        "ListTaskDefinitions": ({}, made["definitions"]),
        "ListTasks": (cluster, made["tasks"]),
    }


def paginators():
    return botocore.session.get_session().get_paginator_model("ecs")._paginator_config


@pytest.mark.parametrize("operation", sorted(set(paginators()) - UNBUILT))
def test_pages_join_to_the_whole_list(made, operation):
    aws, model = made["aws"], paginators()[operation]
    asked, expected = cases(made)[operation]
    paginator = aws.ecs.get_paginator(botocore.xform_name(operation))
    size = 2 if len(expected) > 2 else 1
    pages = [page[model["result_key"]] for page in paginator.paginate(**asked, PaginationConfig={"PageSize": size})]
    names = [thing if isinstance(thing, str) else thing["name"] for page in pages for thing in page]
    assert len(names) == len(set(names)), names
    assert set(expected) <= set(names), names
    assert all(len(page) == size for page in pages[:-1]), pages
    assert len(pages) > 1 or len(expected) < 2, pages
    (most,) = [page[model["result_key"]] for page in paginator.paginate(**asked, PaginationConfig={"PageSize": 10})][:1]
    assert names[:10] == [thing if isinstance(thing, str) else thing["name"] for thing in most]


def test_the_first_so_many_are_taken_and_the_rest_goes_on_from_a_token(made):
    paginator = made["aws"].ecs.get_paginator("list_tasks")
    first = paginator.paginate(cluster=made["cluster"], PaginationConfig={"MaxItems": 2, "PageSize": 1}).build_full_result()
    token = first["NextToken"]
    rest = paginator.paginate(cluster=made["cluster"], PaginationConfig={"StartingToken": token}).build_full_result()
    assert len(first["taskArns"]) == 2 and sorted(first["taskArns"] + rest["taskArns"]) == sorted(made["tasks"])
