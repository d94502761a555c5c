"""`bayplan simulate`: a rollout on a described cluster, played to its end in no time."""

import copy
import json
import subprocess
from pathlib import Path

import pytest

from instance import BINARY

EXAMPLE = Path(__file__).parents[2] / "docs/examples/simulate.json"


@pytest.fixture
def plan():
    return copy.deepcopy(json.loads(EXAMPLE.read_text()))


@pytest.fixture
def simulate(tmp_path):
    def run(plan, *flags):
        file = tmp_path / "plan.json"
        file.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        return subprocess.run([BINARY, "simulate", file, *flags], capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def lines(simulate):
    def run(plan, *flags):
        done = simulate(plan, "--output", "json", *flags)
        assert done.stderr == ""
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert told[-1]["type"] == "end" and told[-1]["exitCode"] == done.returncode
        return told

    return run


def events(told):
    return [line["message"] for line in told if line["type"] == "event"]


def test_the_example_rolls_back_and_says_so(simulate, plan):
    done = simulate(plan)
    assert done.returncode == 5, done.stderr
    assert "web:1 -> web:2" in done.stdout and "the circuit breaker has tripped after 4 failures" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("web runs web:1 again after")


def test_a_version_that_works_is_rolled_out_within_the_bounds(lines, plan):
    del plan["tasks"]["web:2"]["exitsAfterSeconds"]
    end = lines(plan)[-1]
    assert (end["status"], end["exitCode"]) == ("SUCCESSFUL", 0)
    assert (end["fewestHealthy"], end["mostTasks"]) == (6, 10)


def test_a_creation_is_shown_when_there_is_no_update(lines, plan):
    del plan["update"]
    told = lines(plan)
    assert told[-1]["status"] == "SUCCESSFUL" and told[-1]["mostTasks"] == 8
    assert any("has reached a steady state" in message for message in events(told))


def test_it_is_the_same_rollout_every_time_and_takes_simulated_time(lines, plan):
    del plan["tasks"]["web:2"]["exitsAfterSeconds"]
    slow = copy.deepcopy(plan)
    slow["tasks"]["web:2"]["startSeconds"] = 600
    what = [lines(one)[-1]["what"] for one in (plan, plan, slow)]
    assert what[0] == what[1] and what[0] != what[2]
    assert float(what[2].split("after ")[1].split(" s")[0]) > 600


def test_tasks_that_never_turn_healthy_are_rolled_back(lines, plan):
    for definition in plan["taskDefinitions"]:
        definition["containerDefinitions"][0]["healthCheck"] = {"command": ["CMD-SHELL", "true"]}
    plan["tasks"]["web:2"] = {"neverHealthy": True}
    assert lines(plan)[-1]["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_version_that_does_not_start_is_rolled_back(lines, plan):
    plan["tasks"]["web:2"] = {"failsToStart": True}
    assert lines(plan)[-1]["exitCode"] == 5


def test_without_a_circuit_breaker_it_goes_on_until_its_time_is_up(lines, plan):
    del plan["service"]["deploymentConfiguration"]["deploymentCircuitBreaker"]
    end = lines(plan, "--timeout", "3600")[-1]
    assert end["exitCode"] == 6 and end["what"].endswith("It was waited for 3600 s.")


def test_an_hour_of_baking_takes_no_time(lines, plan):
    del plan["tasks"]["web:2"]["exitsAfterSeconds"]
    plan["service"]["deploymentConfiguration"] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}
    end = lines(plan)[-1]
    assert end["exitCode"] == 0 and float(end["what"].split("after ")[1].split(" s")[0]) > 3600


def test_a_cluster_without_room_is_told(lines, plan):
    plan["nodes"] = [{"cpu": 1024, "memoryMib": 1024}]
    del plan["update"]
    told = lines(plan, "--timeout", "600")
    assert told[-1]["exitCode"] == 6 and told[-1]["mostTasks"] == 8
    assert any("was unable to place a task" in message for message in events(told)), events(told)


def test_a_service_that_is_not_steady_before_its_update_is_shown_as_it_is(simulate, plan):
    plan["nodes"] = [{"cpu": 1024, "memoryMib": 1024}]
    done = simulate(plan, "--timeout", "600")
    assert done.returncode == 6 and "does not get steady as it is" in done.stderr
    assert "8 desired; 6 waiting, 2 running" in done.stdout


def test_subnets_of_the_plan_are_taken_for_the_simulations(lines, plan):
    for definition in plan["taskDefinitions"]:
        definition["networkMode"] = "awsvpc"
    plan["service"]["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": ["subnet-12345"], "securityGroups": ["sg-1"]}}
    plan["tasks"] = {}
    assert lines(plan)[-1]["exitCode"] == 0


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda plan: plan.pop("nodes"), "missing field `nodes`"),
        (lambda plan: plan.update(node=[]), "unknown field `node`"),
        (lambda plan: plan["tasks"].update({"web:3": {}}), "tasks names web:3, which is none of the task definitions: web:1, web:2"),
        (lambda plan: plan["service"].update(desiredCount=-1), "CreateService: "),
        (lambda plan: plan["update"].update(taskDefinition="web:9"), "UpdateService: "),
        (lambda plan: plan["tasks"]["web:2"].update(startSecond=1), "unknown field `startSecond`"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_what_is_wrong(simulate, plan, change, words):
    change(plan)
    done = simulate(plan)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    done = subprocess.run([BINARY, "simulate", tmp_path / "none.json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "none.json cannot be read" in done.stderr
