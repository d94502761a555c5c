"""A task's role: temporary credentials in its environment, good for asking who they are and for nothing else yet."""

import boto3
import pytest

ROLE = "arn:aws:iam::000000000000:role/stevedore"


@pytest.fixture
def as_task(aws):
    """Clients with what a task under the role has found in its environment."""
    text = aws.output("env", task={"taskRoleArn": ROLE})
    env = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def client(service, **overrides):
        given = {
            "endpoint_url": aws.instance.settings["AWS_ENDPOINT_URL"],
            "region_name": "us-east-1",
            "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": env["AWS_SESSION_TOKEN"],
        }
        return boto3.client(service, **{**given, **overrides})

    return client


def test_a_task_without_a_role_has_no_credentials(aws):
    assert "AWS_ACCESS_KEY_ID" not in aws.output("env")


def test_a_task_is_its_role(as_task):
    identity = as_task("sts").get_caller_identity()
    assert identity["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/stevedore/")


def test_its_role_may_do_nothing_else_yet(as_task, refused):
    with refused("AccessDeniedException", "stevedore", "ListClusters"):
        as_task("ecs").list_clusters()


def test_its_keys_are_worth_nothing_without_their_token_or_with_another(as_task, refused):
    with refused("InvalidClientTokenId"):
        as_task("sts", aws_session_token=None).get_caller_identity()
    with refused("InvalidClientTokenId"):
        as_task("sts", aws_session_token="x" * 40).get_caller_identity()
