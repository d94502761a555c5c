"""What containers write: the Logs API through awslogs, and `bayplan logs` without any configuration."""

import time
import uuid

import pytest

from ecs import FOREVER, shell
from instance import eventually


def awslogs(group, **options):
    given = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t", **options}
    return {"logDriver": "awslogs", "options": given}


@pytest.fixture
def group(aws):
    name = "/test/" + uuid.uuid4().hex[:12]
    aws.logs.create_log_group(logGroupName=name)
    yield name
    aws.logs.delete_log_group(logGroupName=name)


def messages(aws, group, task, name="main"):
    stream = f"t/{name}/{task.rsplit('/', 1)[1]}"
    try:
        events = aws.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    except aws.logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]


@pytest.mark.parametrize("mode", [{}, {"mode": "blocking"}, {"mode": "non-blocking", "max-buffer-size": "1m"}], ids=str)
def test_every_line_reaches_its_stream_in_order(aws, group, mode):
    task = aws.finished("seq 1 200; echo the end >&2", logConfiguration=awslogs(group, **mode))["taskArn"]
    expected = [str(n) for n in range(1, 201)]
    lines = eventually(lambda: len(seen := messages(aws, group, task)) >= 201 and seen, 15, "201 events")
    assert [line for line in lines if line.isdigit()] == expected and "the end" in lines


def test_a_group_is_made_where_the_definition_says_so(aws):
    name = "/made/" + uuid.uuid4().hex[:12]
    task = aws.finished("echo hello", logConfiguration=awslogs(name, **{"awslogs-create-group": "true"}))["taskArn"]
    assert eventually(lambda: messages(aws, name, task), 10, "the event") == ["hello"]
    aws.logs.delete_log_group(logGroupName=name)


def test_lines_are_filtered_by_a_pattern(aws, group):
    aws.finished("echo INFO fine; echo ERROR bad one; echo ERROR bad two", logConfiguration=awslogs(group))

    def found():
        events = aws.logs.filter_log_events(logGroupName=group, filterPattern='ERROR -"two"')["events"]
        return [event["message"] for event in events]

    assert eventually(found, 10, "the filtered event") == ["ERROR bad one"]


def test_streams_are_listed_with_their_prefix(aws, group):
    task = aws.finished("echo x", logConfiguration=awslogs(group))["taskArn"]

    def names():
        streams = aws.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="t/main/")["logStreams"]
        return [stream["logStreamName"] for stream in streams]

    assert eventually(names, 10, "the stream") == [f"t/main/{task.rsplit('/', 1)[1]}"]


def test_a_long_line_is_cut_into_events_and_not_lost(aws, group):
    script = "head -c 300000 /dev/zero | tr '\\0' 'x'; echo"
    task = aws.finished(script, logConfiguration=awslogs(group))["taskArn"]
    whole = eventually(lambda: len("".join(messages(aws, group, task))) >= 300_000 and messages(aws, group, task), 15)
    assert set("".join(whole)) == {"x"} and len("".join(whole)) == 300_000


def test_the_clients_own_events_come_back(aws, group):
    aws.logs.create_log_stream(logGroupName=group, logStreamName="mine")
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment + n, "message": f"event {n}"} for n in range(3)]
    aws.logs.put_log_events(logGroupName=group, logStreamName="mine", logEvents=events)
    page = aws.logs.get_log_events(logGroupName=group, logStreamName="mine", startFromHead=True)
    assert [(e["timestamp"], e["message"]) for e in page["events"]] == [(e["timestamp"], e["message"]) for e in events]


def test_retention_is_kept(aws, group):
    aws.logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    (described,) = aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["retentionInDays"] == 7


def test_logs_are_there_without_any_configuration(aws):
    task = aws.finished("echo to stdout; echo to stderr >&2")["taskArn"]
    shown = aws.instance.command("logs", task)
    assert (shown.stdout, shown.stderr) == ("to stdout\n", "to stderr\n")


def test_json_file_is_the_same_on_this_node(aws):
    configuration = {"logDriver": "json-file", "options": {"max-size": "1m", "max-file": "2"}}
    task = aws.finished("echo kept", logConfiguration=configuration)["taskArn"]
    assert aws.instance.logs(task) == "kept\n"


def test_the_last_lines_only(aws):
    task = aws.finished("seq 1 50")["taskArn"]
    assert aws.instance.logs(task, "--tail", "3").split() == ["48", "49", "50"]


def test_one_container_of_several(aws):
    task = aws.stopped(aws.run(aws.define(shell("echo a", name="a", essential=False), shell("sleep 0.3; echo b", name="b"))))
    assert aws.instance.logs(task["taskArn"], "--container", "b") == "b\n"


def test_following_ends_with_the_task(aws):
    task = aws.go("for n in 1 2 3; do sleep 0.2; echo $n; done")
    aws.running(task)
    assert aws.instance.logs(task, "--follow").split() == ["1", "2", "3"]


def test_a_flood_of_output_does_not_hold_a_non_blocking_container(aws, group):
    options = {"mode": "non-blocking", "max-buffer-size": "1m"}
    task = aws.finished("head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo flood over", logConfiguration=awslogs(group, **options))
    assert task["containers"][0]["exitCode"] == 0
    lines = messages(aws, group, task["taskArn"])
    assert lines is not None


def test_a_mode_that_is_none_is_refused(aws, refused):
    with refused("ClientException", "mode"):
        aws.define(shell(FOREVER, logConfiguration=awslogs("g", mode="sometimes")))


def test_a_driver_that_this_node_lacks_is_an_attribute_that_no_node_has(aws):
    definition = aws.define(shell("true", logConfiguration={"logDriver": "splunk", "options": {"splunk-url": "x", "splunk-token": "y"}}))
    answer = aws.ecs.run_task(taskDefinition=definition)
    assert answer["tasks"] == [] and answer["failures"][0]["reason"] == "ATTRIBUTE"
    assert "splunk" in answer["failures"][0]["detail"]
