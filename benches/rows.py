"""The rows of the table: what is measured, beside what, in which order. Each takes (place, report, given, missing)."""

import contextlib
import subprocess
import time

import bayplan
import machine
import peers
from bayplan import Bayplan
from report import median


def start(place, report, given, missing):
    """RunTask call to first instruction. A peer's start is long, so it gets fewer runs."""
    runs, peer_runs = (10, 3) if given.quick else (50, 10)
    reason = next((missing[name] for name in ("dockerd", "ministack", "ip") if name in missing), None)
    rounds = {"awsvpc": [], "host": []}
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Bayplan(place))
        theirs = None
        if not reason:
            try:
                theirs = stack.enter_context(peers.ministack(place, stack.enter_context(peers.docker(place))))
            except Exception as error:  # the peer's trouble is not ours
                reason = str(error)
        for network in given.rounds * ["awsvpc", "host"]:
            subnet = ["--subnet", ours.subnet] if network == "awsvpc" else []
            common = ["--network", network, "--image", bayplan.IMAGE, "--folder", place.folder]
            this = {"around": machine.surroundings(place.folder)}
            this["ours"] = machine.bench("start", *common, *subnet, "--runs", runs, endpoint=ours.endpoint)
            if theirs:
                subnet = ["--subnet", "subnet-1"] if network == "awsvpc" else []
                try:
                    this["peer"] = machine.bench("start", *common, *subnet, "--runs", peer_runs, endpoint=theirs)
                except RuntimeError as error:
                    theirs, reason = None, str(error)
            rounds[network].append(this)
            say(network, this["ours"]["first_instruction"], this.get("peer", {}).get("first_instruction"), this)
    for network, goal in (("awsvpc", 50), ("host", 30)):
        of = lambda who, what, at: median([r[who][what][at] for r in rounds[network] if who in r])
        report.add(
            f"RunTask to first instruction, {network}, p50", "ms", of("ours", "first_instruction", "p50_ms"), goal,
            peer=of("peer", "first_instruction", "p50_ms"), peer_name="MiniStack, dockerd", why_no_peer=reason,
            rounds=rounds[network],
            note=f"p99 {of('ours', 'first_instruction', 'p99_ms'):.1f} ms; call answered after "
                 f"{of('ours', 'answered', 'p50_ms'):.1f} ms; {runs} runs a round, the peer {peer_runs}.",
        )


def throughput(place, report, given, missing):
    """Each round has a Bayplan of its own. The tasks use the host's network; an awsvpc round stands beside, ungated."""
    tasks, in_flight = (200 if given.quick else 1000), 4
    rounds = []
    for _ in range(given.rounds):
        with Bayplan(place, capacity="cpu=65536,memory=65536") as ours:
            this = {"around": machine.surroundings(place.folder)}
            argv = ["--image", bayplan.IMAGE, "--tasks", tasks, "--in-flight", in_flight]
            before = cpu_seconds(ours)
            this["ours"] = machine.bench("throughput", *argv, endpoint=ours.endpoint)
            this["cpu_s"] = {name: used - before[name] for name, used in cpu_seconds(ours).items()}
            this["private_kib_after"] = sum(map(bayplan.private_kib, ours.processes().values()))
            awsvpc = ["--network", "awsvpc", "--subnet", ours.subnet]
            this["awsvpc"] = attempt(lambda: machine.bench("throughput", *argv, *awsvpc, endpoint=ours.endpoint))
        rounds.append(this)
        print(f"   {this['ours']}  cpu {this['cpu_s']}  awsvpc {this['awsvpc']}", flush=True)
    vpc = median([r["awsvpc"]["tasks_per_s"] for r in rounds if "tasks_per_s" in r["awsvpc"]])
    failed = sum(r["ours"]["failed"] for r in rounds)
    report.add(
        f"RunTask count=10, {tasks} tasks to STOPPED", "tasks/s", median([r["ours"]["tasks_per_s"] for r in rounds]), 100,
        lower_is_better=False, rounds=rounds,
        note=f"host network, {in_flight} calls in flight; awsvpc: {f'{vpc:.0f} tasks/s' if vpc else 'not measured'}; "
             f"{failed} tasks did not exit with 0.",
    )


def up(place, report, given, missing):
    """`up --detach` with a new data folder, and again with the one it made."""
    times = {"new": [], "again": []}
    around = []
    for _ in range(max(10, 2 * given.rounds)):
        around.append({"around": machine.surroundings(place.folder)})
        ours = Bayplan(place, with_image=False)
        try:
            for which in ("new", "again"):
                began = time.monotonic()
                ours.up()
                times[which].append(time.monotonic() - began)
                ours.command("down")
        finally:
            ours.command("down", "--purge")
    report.add(
        "`up --detach` to ready", "s", median(times["new"]), 0.5, rounds=around,
        note=f"{len(times['new'])} times, longest {max(times['new']):.2f} s; with existing data {median(times['again']):.2f} s.",
    )
    report.rows[-1]["times"] = times


def idle(place, report, given, missing):
    """A minute of rest, then windows of a minute each, one after the other."""
    rest, window = (5, 5) if given.quick else (60, 60)
    rounds = []
    with Bayplan(place) as ours:
        time.sleep(rest)
        for _ in range(given.rounds):
            around = machine.surroundings(place.folder)
            before = cpu_seconds(ours)
            time.sleep(window)
            cpu = {name: 100 * (used - before[name]) / window for name, used in cpu_seconds(ours).items()}
            memory = {name: bayplan.private_kib(pid) / 1024 for name, pid in ours.processes().items()}
            rounds.append({"around": around, "cpu_percent": cpu, "private_mib": memory})
            print(f"   cpu % of a core {rounded(cpu)}; private MiB {rounded(memory)}", flush=True)
    sum_of = lambda what: median([sum(r[what].values()) for r in rounds])
    report.add("idle: private memory", "MiB", sum_of("private_mib"), 40, rounds=rounds, note=str(rounded(memory)))
    report.add("idle: CPU, % of a core", "%", sum_of("cpu_percent"), 0.3, rounds=rounds, note=str(rounded(cpu)))


def writes(place, report, given, missing):
    seconds = 2 if given.quick else 5
    reason = missing.get("etcd") or missing.get("etcdctl")
    rounds = []
    for n in range(given.rounds):
        this = {"around": machine.surroundings(place.folder)}
        servers = [("ours", peers.put_server)] + ([] if reason else [("peer", peers.etcd)])
        for who, server in servers if n % 2 == 0 else reversed(servers):
            with server(place) as address:
                this[who] = machine.bench("put", "--address", address, "--seconds", seconds)
        rounds.append(this)
        say("puts/s", *(this[who]["puts_per_s"] if who in this else None for who in ("ours", "peer")), this)
    of = lambda who, at: median([at(r[who]) for r in rounds if who in r])
    rate, p99 = (lambda r: r["puts_per_s"]), (lambda r: r["times"]["p99_ms"])
    report.add(
        "durable writes, 256 connections, 340 B", "puts/s", of("ours", rate), 2, peer=of("peer", rate),
        peer_name="etcd (Debian)", why_no_peer=reason, ratio_is_goal=True, lower_is_better=False, rounds=rounds,
        note=f"p99 {of('ours', p99):.1f} ms" + (f", etcd {of('peer', p99):.1f} ms" if not reason else "")
             + f". In process: {in_process(place, seconds)}",
    )


def in_process(place, seconds):
    """The engine without gRPC, by the store's own example."""
    argv = ["cargo", "run", "--release", "--quiet", "-p", "store", "--example", "put_rate", "--", place.folder, 256, seconds]
    done = subprocess.run([str(a) for a in argv], cwd=machine.ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if "clients" in line]
    return lines[0] if lines else f"not measured: {done.stderr.strip()[-200:]}"


def describe(place, report, given, missing):
    tasks, seconds = 1000, (2 if given.quick else 4)
    reason = missing.get("moto")
    rounds = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Bayplan(place, capacity="cpu=65536,memory=65536"))
        machine.bench("throughput", "--image", bayplan.IMAGE, "--tasks", tasks, endpoint=ours.endpoint)
        theirs = None
        if not reason:
            theirs = stack.enter_context(peers.moto(place))
            machine.bench("tasks", "--tasks", tasks, endpoint=theirs)
        for n in range(given.rounds):
            this = {"around": machine.surroundings(place.folder)}
            servers = [("ours", ours.endpoint, "STOPPED")] + ([("peer", theirs, "RUNNING")] if theirs else [])
            for who, endpoint, status in servers if n % 2 == 0 else reversed(servers):
                ask = lambda each: machine.bench(
                    "describe", "--seconds", seconds, "--tasks", each, "--status", status, endpoint=endpoint)
                this[who] = ask(1)
                this[f"{who}_10"] = ask(10)
            rounds.append(this)
            say("requests/s", *(this[who]["requests_per_s"] if who in this else None for who in ("ours", "peer")), this)
    of = lambda who: median([r[who]["requests_per_s"] for r in rounds if who in r])
    p99 = median([r["ours"]["times"]["p99_ms"] for r in rounds])
    ten = f"{of('ours_10'):.0f}/s" + (f" beside {of('peer_10'):.1f}/s" if of("peer_10") else "")
    report.add(
        "DescribeTasks, signed, over 1,000 tasks", "requests/s", of("ours"), 50, peer=of("peer"), peer_name="moto",
        why_no_peer=reason, ratio_is_goal=True, lower_is_better=False, rounds=rounds,
        note=f"one task a request, 8 connections, p99 {p99:.1f} ms; ten tasks a request: {ten}.",
    )


def cpu_seconds(ours):
    return {name: bayplan.cpu_ticks(pid) / 100 for name, pid in ours.processes().items()}


def attempt(measure):
    try:
        return measure()
    except RuntimeError as error:
        return {"not_measured": str(error)}


def rounded(values):
    return {name: round(value, 2) for name, value in values.items()}


def say(what, ours, peer, this):
    print(f"   {what}: ours {ours}; peer {peer}; {this['around']}", flush=True)


ALL = {"start": start, "throughput": throughput, "up": up, "idle": idle, "writes": writes, "describe": describe}
