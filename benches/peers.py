"""What stands beside us: Debian's etcd and Docker engine, PyPI's moto and MiniStack; installing, starting, ending them."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import images
import machine

PACKAGES = {"etcd": "etcd-server", "etcdctl": "etcd-client", "dockerd": "docker.io", "ip": "iproute2"}
VENV = machine.OUT / "venv"
PYTHON_PACKAGES = ["moto[server]", "ministack", "docker"]
PROGRAMS = {"moto": VENV / "bin" / "moto_server", "ministack": VENV / "bin" / "ministack"}
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def which(program):
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def missing():
    """The peers that are not there, each with the reason."""
    gone = {name: f"{name} is not installed" for name in PACKAGES if not which(name)}
    gone |= {name: f"{name} is not installed" for name, path in PROGRAMS.items() if not path.exists()}
    return gone


def install():
    """Installs what is missing; never fails: what could not be installed is answered with the reason."""
    wanted = [PACKAGES[name] for name in PACKAGES if not which(name)]
    problems = {}
    if wanted:
        print(f"installing {' '.join(wanted)}", flush=True)
        problem = apt(wanted)
        problems |= {name: problem for name in PACKAGES if problem and not which(name)}
    if not all(path.exists() for path in PROGRAMS.values()):
        print(f"installing {' '.join(PYTHON_PACKAGES)} into {VENV}", flush=True)
        problem = attempt([sys.executable, "-m", "venv", VENV]) or attempt([VENV / "bin/pip", "install", "-q", *PYTHON_PACKAGES])
        problems |= {name: problem for name, path in PROGRAMS.items() if problem and not path.exists()}
    gone = missing() | problems
    for name, reason in gone.items():
        print(f"could not be installed: {name}: {reason}", flush=True)
    return gone


def apt(packages):
    """Installs without starting the daemons in them: they are peers of a measurement, not services of this machine."""
    refused = not POLICY.exists()
    if refused:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        attempt(["apt-get", "update", "-qq"])
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return attempt(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment)
    finally:
        if refused:
            POLICY.unlink()


def attempt(argv, **options):
    """None, or why the command failed."""
    try:
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **options)
    except OSError as error:
        return str(error)
    last = (done.stderr.strip() or done.stdout.strip() or "no words").splitlines()[-1]
    return None if done.returncode == 0 else f"{pathlib.Path(str(argv[0])).name} failed: {last[:200]}"


@contextlib.contextmanager
def etcd(place):
    """A single member with a new data folder; its client address."""
    folder, client, peer = place.new("etcd"), machine.free_port(), machine.free_port()
    argv = [
        which("etcd"), "--data-dir", folder / "data", "--name", "bench", "--log-level", "error",
        "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
        "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-cluster", f"bench=http://127.0.0.1:{peer}",
    ]
    with machine.Process(argv, folder / "log") as server:
        health = [which("etcdctl"), "--endpoints", f"127.0.0.1:{client}", "endpoint", "health"]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        server.until(lambda: attempt(health, env=environment) is None, "etcd")
        yield f"127.0.0.1:{client}"
    shutil.rmtree(folder)


@contextlib.contextmanager
def put_server(place):
    """Our SQLite engine behind etcd's Put, with a new data folder; its address."""
    folder, port = place.new("store"), machine.free_port()
    argv = [machine.BENCH, "put-server", "--address", f"127.0.0.1:{port}", "--folder", folder]
    with machine.Process(argv, folder / "log") as server:
        server.until(lambda: machine.answers(port), "our Put server")
        yield f"127.0.0.1:{port}"
    shutil.rmtree(folder)


@contextlib.contextmanager
def moto(place):
    folder, port = place.new("moto"), machine.free_port()
    with machine.Process([PROGRAMS["moto"], "-H", "127.0.0.1", "-p", port], folder / "log", cwd=folder) as server:
        server.until(lambda: machine.answers(port), "moto_server")
        yield ["--address", f"127.0.0.1:{port}"]


@contextlib.contextmanager
def bridge():
    """A bridge for Docker, so that its own default one and its packet rules stay away from this machine."""
    name, address = f"bpb{os.getpid() % 100000}", "172.31.240.1/24"
    machine.run(["ip", "link", "add", name, "type", "bridge"])
    try:
        machine.run(["ip", "address", "add", address, "dev", name])
        machine.run(["ip", "link", "set", name, "up"])
        yield name
    finally:
        machine.run(["ip", "link", "delete", name])


@contextlib.contextmanager
def docker(place):
    """Debian's Docker engine with everything it keeps in a folder of ours; its socket's address."""
    folder, group = place.new("docker"), f"/bayplan-bench-{os.getpid()}"
    host = f"unix://{folder}/docker.sock"
    with contextlib.ExitStack() as stack:
        stack.callback(remove_groups, group)
        argv = [
            which("dockerd"), "--host", host, "--data-root", folder / "data", "--exec-root", folder / "exec",
            "--pidfile", folder / "pid", "--bridge", stack.enter_context(bridge()), "--iptables=false", "--ip-masq=false",
            "--ip-forward=false", "--cgroup-parent", group, "--log-level", "error", "--config-file", folder / "none.json",
        ]
        (folder / "none.json").write_text("{}")
        stack.callback(unmount_below, folder)
        server = stack.enter_context(machine.Process(argv, folder / "log"))
        client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else which("docker")
        server.until(lambda: attempt([client, "--host", host, "version"]) is None, "dockerd")
        archive = folder / "first.tar"
        archive.write_bytes(images.layer(machine.FIRST.read_bytes()))
        entry = 'ENTRYPOINT ["/first"]'
        machine.run([client, "--host", host, "import", "--change", entry, archive, "bench-first:1"])
        yield host


@contextlib.contextmanager
def ministack(place, docker_host):
    folder, port = place.new("ministack"), machine.free_port()
    environment = {
        "DOCKER_HOST": docker_host, "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "HOME": str(folder),
        "PERSIST_STATE": "0", "LOG_LEVEL": "ERROR",
    }
    with machine.Process([PROGRAMS["ministack"]], folder / "log", env=environment, cwd=folder) as server:
        server.until(lambda: machine.answers(port), "MiniStack")
        yield ["--address", f"127.0.0.1:{port}"]


def unmount_below(folder):
    """What an engine that was ended left mounted in its own folder."""
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        attempt(["umount", "-l", mount])


def remove_groups(group):
    """The control groups that Docker made below a parent of ours, in every hierarchy."""
    roots = [p for p in pathlib.Path("/sys/fs/cgroup").glob(f"*{group}")] + [pathlib.Path(f"/sys/fs/cgroup{group}")]
    for root in filter(pathlib.Path.exists, roots):
        for folder, _, _ in sorted(os.walk(root), reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
