"""Killing parts of a Bayplan, waiting until it is ready again, and containers that tell whether they were disturbed."""

import contextlib
import os
import pathlib
import signal
import time

from botocore.exceptions import BotoCoreError, ClientError

from ecs import Aws, shell
from instance import eventually

ROLES = ["server", "agent", "parent"]
#: A line for each start of the container, and one for each beat of its heart.
BEAT = "trap 'exit 0' TERM; echo $$ >> /out/starts; while :; do cut -d' ' -f1 /proc/uptime >> /out/beats; sleep 0.05; done"
#: How long a heart may pause on a machine that others use too, in seconds.
PAUSE = 2.0


class Victim:
    """A Bayplan of whose processes some are killed again and again; `args` are what it was started with."""

    def __init__(self, aws, *args):
        self.instance, self.args = aws.instance, args
        self.aws = aws

    def kill(self, *roles):
        """SIGKILL to these roles at once, or to all; gives the moment, as time.monotonic() tells it."""
        pids = [self.instance.pid(role) for role in roles or ROLES]
        moment = time.monotonic()
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in filter(None, pids):
            eventually(lambda: not is_alive(pid), 5, f"the end of {pid}")
        return moment

    def recover(self):
        """Until Bayplan answers and its agent is connected again; starts it anew where the parent is gone."""
        if self.instance.pid("parent") is None:
            eventually(lambda: not any(self.instance.pid(role) for role in ROLES), 10, "the end of parentless roles")
            self.instance.up(*self.args)
            self.aws = Aws(self.instance)
        eventually(self.is_ready, 10, "ready again")

    def is_ready(self):
        try:
            cluster = self.aws.ecs.describe_clusters()["clusters"][0]
            arns = self.aws.ecs.list_container_instances()["containerInstanceArns"]
            instances = self.aws.ecs.describe_container_instances(containerInstances=arns)["containerInstances"]
            return cluster["status"] == "ACTIVE" and all(i["agentConnected"] for i in instances)
        except (ClientError, BotoCoreError):
            return False


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def no_agent(instance):
    """The agent is dead and its parent does not start it again, until this is left."""
    parent = instance.pid("parent")
    os.kill(parent, signal.SIGSTOP)
    try:
        agent = instance.pid("agent")
        os.kill(agent, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{agent}/root/."), 5, "the end of the agent")
        yield
    finally:
        os.kill(parent, signal.SIGCONT)


class Beating:
    """A task whose container writes a beat into a folder of the host every 50 ms."""

    def __init__(self, aws, folder, **settings):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        definition = aws.define(
            shell(BEAT, mountPoints=[{"sourceVolume": "out", "containerPath": "/out"}], stopTimeout=2),
            volumes=[{"name": "out", "host": {"sourcePath": str(folder)}}],
            **settings,
        )
        network = {"networkConfiguration": aws.network()} if settings.get("networkMode") == "awsvpc" else {}
        self.arn = aws.run(definition, **network)
        self.runtime_id = aws.running(self.arn)["containers"][0]["runtimeId"]
        self.beat_again()

    def beats(self):
        path = self.folder / "beats"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def beat_again(self):
        seen = len(self.beats())
        eventually(lambda: len(self.beats()) > seen + 2, 10, "another heart beat")

    def was_not_disturbed(self, aws):
        """The same container still runs, started once, with no long pause."""
        self.beat_again()
        task = aws.describe(self.arn)
        assert task["lastStatus"] == "RUNNING", task.get("stoppedReason")
        assert task["containers"][0]["runtimeId"] == self.runtime_id
        assert len((self.folder / "starts").read_text().split()) == 1
        beats = self.beats()
        assert max(after - before for before, after in zip(beats, beats[1:])) < PAUSE
