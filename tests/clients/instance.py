"""One running Bayplan: starts it, finds its processes, looks for what it leaves on the host."""

import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("BAYPLAN_BIN", str(ROOT / "dist" / "bayplan"))
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class Instance:
    """A data folder and the Bayplan that runs in it."""

    def __init__(self, data_dir):
        self.data_dir = pathlib.Path(data_dir)
        self.instance = None
        self.settings = None

    # What a user types.

    def command(self, *args, check=True, timeout=90, **options):
        """Runs `bayplan ARGS` here and gives the finished process."""
        words = [BINARY, "--data-dir", str(self.data_dir), *map(str, args)]
        options = {"stdin": subprocess.DEVNULL, **options} if "input" not in options else options
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
        assert not check or done.returncode == 0, f"{args} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def json(self, *args, **options):
        return json.loads(self.command(*args, "--output", "json", **options).stdout)

    def up(self, *args, check=True):
        done = self.command("up", "--detach", "--aws-addr", "127.0.0.1:0", *args, check=check)
        if done.returncode == 0:
            self.read_settings()
        return done

    def read_settings(self):
        self.instance = json.loads((self.data_dir / "installation.json").read_text())["instance"]
        self.settings = json.loads(self.command("env", "--format", "json").stdout)

    def down(self, purge=True):
        self.command("down", *(["--purge"] if purge else []))

    @property
    def subnets(self):
        return [subnet["id"] for subnet in self.settings["network"]["subnets"]]

    def logs(self, task, *args):
        return self.command("logs", task, *args).stdout

    def exec(self, task, *command, check=True, **options):
        return self.command("exec", task, "--", *command, check=check, **options)

    # What the host shows.

    def pid(self, role):
        """The pid of the parent, the server or the agent; None while there is none."""
        folder = str(self.data_dir)
        for pid, words in processes():
            if words[:2] == ["bayplan", role] and folder in words:
                return pid
        return None

    def supervisors(self):
        return [pid for pid, words in processes() if words[1:2] == ["supervisor"] and words[2].startswith(f"{self.instance}/")]

    def leftovers(self):
        """Everything on the host that carries this instance's name; empty when nothing is left."""
        found = [f"process {pid} {words}" for pid, words in processes() if self.is_mine(words)]
        found += [f"cgroup {path}" for path in groups(self.instance)]
        found += [f"link {name}" for name in os.listdir("/sys/class/net") if self.instance in name]
        mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        found += [f"mount {line}" for line in mounts if str(self.data_dir) in line or self.instance in line]
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, env=with_sbin())
        found += [f"table {line}" for line in tables.stdout.splitlines() if self.instance in line]
        return found

    def is_mine(self, words):
        return str(self.data_dir) in words or any(self.instance in word for word in words)

    def cgroup(self, task_id):
        """The folders of a task's control groups, one for each controller."""
        return [path for path in groups(self.instance, deep=True) if path.name == task_id or task_id in str(path)]


def with_sbin():
    return {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def processes():
    """(pid, argv) of every process."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                argv = pathlib.Path("/proc", entry, "cmdline").read_bytes().split(b"\0")[:-1]
            except OSError:
                continue
            if argv:
                yield int(entry), [word.decode(errors="replace") for word in argv]


def groups(instance, deep=False):
    found = []
    for folder, names, _ in os.walk(CGROUPS):
        if instance in folder:
            found.append(pathlib.Path(folder))
            if not deep:
                names.clear()
    return found


def eventually(look, within=10.0, what="the condition"):
    """Calls `look` again and again until it gives something true, and returns that."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what} did not come about within {within} s; last seen: {seen!r}"
        time.sleep(0.02)
