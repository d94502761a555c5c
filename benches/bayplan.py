"""A Bayplan of its own for a measurement: data folder, free port, its image; taken down and deleted afterwards."""

import json
import pathlib
import platform

import images
import machine

IMAGE = "bench-first:1"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


class Bayplan:
    """`with Bayplan(place) as ours:` a running one."""

    def __init__(self, place, *, with_image=True, capacity=None):
        self.data = place.new("bayplan")
        self.with_image = with_image
        self.capacity = capacity
        self.settings = None

    def command(self, *argv):
        return machine.run([machine.BAYPLAN, "--data-dir", self.data, *argv])

    def up(self):
        capacity = ["--capacity", self.capacity] if self.capacity else []
        return self.command("up", "--detach", "--aws-addr", "127.0.0.1:0", *capacity)

    def __enter__(self):
        if self.with_image:
            archive = self.data / "first.tar"
            self.data.mkdir(parents=True, exist_ok=True)
            archive.write_bytes(images.oci(machine.FIRST.read_bytes(), ARCHITECTURE[platform.machine()]))
            self.command("image", "import", archive, "--name", IMAGE)
        try:
            self.up()
            self.settings = json.loads(self.command("env", "--format", "json"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.command("down", "--purge")

    @property
    def endpoint(self):
        """For the bench program."""
        return [
            "--address", self.settings["AWS_ENDPOINT_URL"].removeprefix("http://"),
            "--access-key", self.settings["AWS_ACCESS_KEY_ID"],
            "--secret-key", self.settings["AWS_SECRET_ACCESS_KEY"],
            "--region", self.settings["AWS_REGION"],
        ]

    @property
    def subnet(self):
        return self.settings["network"]["subnets"][0]["id"]

    def processes(self):
        """Its long-lived processes by name: parent, server, agent and what else the parent has started."""
        parent = int((self.data / "lock").read_text())
        return {role(pid): pid for pid in [parent, *children(parent)]}


def role(pid):
    """What a process of Bayplan says it is in its command line."""
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return next((word for word in words if word in ("parent", "server", "agent", "edge")), f"process {pid}")


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def private_kib(pid):
    """Memory that ends with this process: Private_Clean and Private_Dirty."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def cpu_ticks(pid):
    """User and system time so far, in clock ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
