"""The machine under the measurement: folders, processes that are ended by their pid, and what is true of host and disk."""

import json
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "target" / "bench"
BAYPLAN = ROOT / "dist" / "bayplan"
BENCH = ROOT / "target" / "release" / "bench"
FIRST = ROOT / "target" / f"{platform.machine()}-unknown-linux-musl" / "release" / "bench-first"


class Place:
    """A folder on the checkout's disk for everything that a run makes; all of it is gone afterwards."""

    def __init__(self, stack):
        self.stack = stack
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=OUT))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def new(self, name):
        return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


class Process:
    """A server of ours or of a peer; ends with the `with` block."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def until(self, is_ready, what, patience_s=60):
        deadline = time.monotonic() + patience_s
        while not is_ready():
            if self.child.poll() is not None:
                raise RuntimeError(f"{what} ended: {tail(self.log)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} was not ready within {patience_s} s: {tail(self.log)}")
            time.sleep(0.02)


def tail(path, size=400):
    return pathlib.Path(path).read_text(errors="replace")[-size:].strip()


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(argv, **options):
    """The output of a command that must succeed."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-600:]
        raise RuntimeError(f"{pathlib.Path(str(argv[0])).name} {argv[1]} failed ({done.returncode}): {words}")
    return done.stdout


def build():
    """The bench program, and the static one for the containers; dist/bayplan is what `make build` left."""
    if not BAYPLAN.exists():
        raise SystemExit("dist/bayplan is not there. Type: make build")
    cargo = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "benches", "--bin"]
    subprocess.run([*cargo, "bench"], cwd=ROOT, check=True)
    subprocess.run([*cargo, "bench-first", "--target", f"{platform.machine()}-unknown-linux-musl"], cwd=ROOT, check=True)


def bench(what, *argv, endpoint=None):
    """One measurement by the bench program."""
    return json.loads(run([BENCH, what, *(endpoint or []), *argv]))


def surroundings(folder):
    """What stands beside every round: the load, and how long the disk takes."""
    disk = bench("sync", folder)
    return {"load": round(os.getloadavg()[0], 2), "sync_p50_ms": disk["p50_ms"], "sync_p99_ms": disk["p99_ms"]}


def facts():
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1024
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(), "cores": os.cpu_count(), "memory_mib": memory, "kernel": platform.release(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"), "load": [round(part, 2) for part in os.getloadavg()],
    }
