"""Bayplan is killed at random points while tasks start, run, end and are stopped. BAYPLAN_KILLS sets how often (default 20);
BAYPLAN_SEED repeats a run's choices."""

import itertools
import os
import random
import statistics
import threading
import time
import uuid

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ecs import exit_code, shell
from instance import eventually
from survival import ROLES, Beating, Victim

KILLS = int(os.environ.get("BAYPLAN_KILLS", "20"))
SEED = int(os.environ.get("BAYPLAN_SEED", random.randrange(1 << 32)))
VICTIMS = [["server"], ["agent"], ["parent"], ROLES, ["server", "agent"]]
#: What a finite task does: says in a file of the host that it started, lives a moment, says that it ended.
FINITE = "echo started >> /out/{name}; sleep {seconds}; echo ended >> /out/{name}; exit {code}"
NETWORKS = ["bridge", "awsvpc", "host"]


class Traffic(threading.Thread):
    """Keeps starting tasks that end with a code of their own, each asked for until it is acknowledged."""

    def __init__(self, victim, folder, chance):
        super().__init__(daemon=True)
        self.victim, self.folder, self.chance = victim, folder, chance
        self.over, self.failure = threading.Event(), None
        self.expected = {}

    def run(self):
        try:
            for number in itertools.count():
                if self.over.is_set():
                    return
                self.start_one(f"task{number}", number)
        except BaseException as error:  # Told by the test, which is another thread.
            self.failure = error

    def start_one(self, name, number):
        code, seconds = number % 200, self.chance.choice(["0", "0.1", "0.7"])
        script = FINITE.format(name=name, seconds=seconds, code=code)
        main = shell(script, memory=16, mountPoints=[{"sourceVolume": "out", "containerPath": "/out"}])
        volumes = [{"name": "out", "host": {"sourcePath": str(self.folder)}}]
        mode = self.chance.choice(NETWORKS)
        definition = self.insist(lambda: self.victim.aws.define(main, volumes=volumes, networkMode=mode))
        (task,) = eventually(lambda: self.ask(definition, mode), 20, "a task, not only failures")
        self.expected[task["taskArn"]] = (name, code)

    def ask(self, definition, mode):
        """RunTask under one token until it is answered; no task where the agent is not connected at this moment."""
        token = str(uuid.uuid4())

        def once():
            network = {"networkConfiguration": self.victim.aws.network()} if mode == "awsvpc" else {}
            return self.victim.aws.ecs.run_task(taskDefinition=definition, clientToken=token, **network)

        answer = self.insist(once)
        assert all(failure["reason"] == "AGENT" for failure in answer["failures"]), answer
        return answer["tasks"]

    def insist(self, call):
        """The call's answer, asked for again while nobody answers."""
        last = []

        def once():
            try:
                return call()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                last[:] = [error]
            except BotoCoreError as error:
                last[:] = [error]

        return eventually(once, 20, f"an answer after {last}")


@pytest.mark.timeout(120 + 4 * KILLS)
def test_nothing_is_lost_doubled_or_invented(another, tmp_path, capsys):
    chance = random.Random(SEED)
    victim = Victim(another("--capacity", "cpu=65536,memory=16384"))
    beating = [Beating(victim.aws, tmp_path / mode, networkMode=mode) for mode in NETWORKS]
    folder = tmp_path / "out"
    folder.mkdir()
    traffic = Traffic(victim, folder, random.Random(chance.random()))
    traffic.start()
    recoveries = []
    for _ in range(KILLS):
        # The point in time is the test's subject: anywhere within what the traffic does.
        time.sleep(chance.uniform(0, 0.25))
        moment = victim.kill(*chance.choice(VICTIMS))
        victim.recover()
        recoveries.append(time.monotonic() - moment)
        assert traffic.failure is None, f"seed {SEED}: {traffic.failure!r}"
    traffic.over.set()
    traffic.join()
    assert traffic.failure is None, f"seed {SEED}: {traffic.failure!r}"
    with capsys.disabled():
        median, worst = statistics.median(recoveries), max(recoveries)
        print(f"\n  {KILLS} kills, {len(traffic.expected)} tasks, seed {SEED}: ready again after", end=" ")
        print(f"{1000 * median:.0f} ms in the median, {1000 * worst:.0f} ms at worst", end=" ")
    for arn, (name, code) in traffic.expected.items():
        stopped = victim.aws.stopped(arn)
        assert exit_code(stopped) == code, f"seed {SEED}: {name} {stopped}"
        assert (folder / name).read_text() == "started\nended\n", f"seed {SEED}: {name} ran otherwise than once"
    for task in beating:
        task.was_not_disturbed(victim.aws)
    assert len(traffic.expected) >= KILLS / 2
    assert median < 2
    known = set(victim.aws.ecs.list_tasks()["taskArns"])
    assert known == {task.arn for task in beating}
