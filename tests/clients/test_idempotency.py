"""A call that is repeated with its token does nothing twice."""

import threading
import uuid

from ecs import FOREVER, shell


def test_the_same_token_gives_the_same_tasks(aws):
    definition, token = aws.define(shell(FOREVER)), uuid.uuid4().hex
    first, second = (aws.run_all(definition, count=2, clientToken=token) for _ in range(2))
    assert [t["taskArn"] for t in first] == [t["taskArn"] for t in second]
    family = definition.split("/")[1].split(":")[0]
    assert len(aws.ecs.list_tasks(family=family)["taskArns"]) == 2


def test_the_same_token_with_other_words_is_a_conflict(aws, refused):
    definition, token = aws.define(shell("exit 0")), uuid.uuid4().hex
    aws.run_all(definition, clientToken=token)
    with refused("ConflictException"):
        aws.ecs.run_task(taskDefinition=definition, clientToken=token, count=3)


def test_many_calls_at_once_with_one_token_are_one(aws):
    definition, token, seen = aws.define(shell(FOREVER)), uuid.uuid4().hex, []

    def call():
        seen.append(tuple(t["taskArn"] for t in aws.ecs.run_task(taskDefinition=definition, clientToken=token)["tasks"]))

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(seen) == 8 and len(set(seen)) == 1
    aws.started.append(("default", seen[0][0]))


def test_without_a_token_each_call_is_new(aws):
    definition = aws.define(shell("exit 0"))
    assert aws.run(definition) != aws.run(definition)
