"""Tasks of several containers: what `logs` shows of them, what the task's own limits do, how they find each other."""

import json

from ecs import FOREVER, address, container, exit_code, shell
from instance import eventually


def test_lines_say_which_container_wrote_them(aws, bayplan):
    one, two = (shell(f"echo from {name}; {FOREVER}", name=name) for name in ["one", "two"])
    task = aws.run(aws.define(one, two))
    eventually(lambda: bayplan.logs(task).count("from") == 2, 10, "two lines")
    lines = bayplan.logs(task).splitlines()
    assert any("one" in line.split("from")[0] and line.endswith("from one") for line in lines)
    assert any("two" in line.split("from")[0] and line.endswith("from two") for line in lines)
    assert bayplan.logs(task, "-c", "two") == "from two\n"


def test_lines_as_json_have_a_time_a_container_and_a_text(aws, bayplan):
    task = aws.finished("echo out; echo err >&2")["taskArn"]
    lines = [json.loads(line) for line in bayplan.logs(task, "--output", "json").splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert "main" in line.values() and {"out", "err"} & set(map(str, line.values())), line


def test_following_a_task_that_has_just_been_asked_for_shows_it_from_its_first_line(aws, bayplan):
    task = aws.go("sleep 0.3; for i in 1 2 3; do echo $i; sleep 0.1; done; exit 4")
    assert bayplan.logs(task, "-f") == "1\n2\n3\n"
    assert exit_code(aws.stopped(task)) == 4


def test_following_a_task_that_cannot_start_ends(aws, bayplan):
    task = aws.go("true", image="nobody/has:this")
    bayplan.command("logs", task, "-f", check=False, timeout=10)
    assert aws.stopped(task)["stopCode"] == "TaskFailedToStart"


def test_the_tasks_cpu_is_a_ceiling_for_all_its_containers(aws, bayplan):
    task = aws.go(FOREVER, task={"cpu": "512", "memory": "128"})
    aws.running(task)
    short = task.rsplit("/", 1)[1]
    folders = bayplan.cgroup(short)
    quotas = [int((f / "cpu.cfs_quota_us").read_text()) for f in folders if (f / "cpu.cfs_quota_us").exists()]
    periods = [int((f / "cpu.cfs_period_us").read_text()) for f in folders if (f / "cpu.cfs_period_us").exists()]
    both = [tuple(map(int, (f / "cpu.max").read_text().split())) for f in folders if (f / "cpu.max").exists() and "max " not in (f / "cpu.max").read_text()]
    found = [(q, p) for q, p in zip(quotas, periods) if q > 0] + both
    assert any(quota * 2 == period for quota, period in found), found


def test_a_tasks_memory_is_the_ceiling_of_its_parent_group(aws, bayplan):
    task = aws.go(FOREVER, task={"cpu": "256", "memory": "128"}, memory=100)
    aws.running(task)
    folders = bayplan.cgroup(task.rsplit("/", 1)[1])
    limits = {int((f / n).read_text()) for f in folders for n in ["memory.limit_in_bytes", "memory.max"] if (f / n).exists() and (f / n).read_text().strip() != "max"}
    assert {128 << 20, 100 << 20} <= limits


def test_tasks_of_two_subnets_reach_each_other(aws):
    serve = shell("mkdir /www; echo hello over there > /www/index.html; httpd -p 80 -h /www; " + FOREVER)
    definition = aws.define(serve, networkMode="awsvpc")
    first, third = aws.instance.subnets[0], aws.instance.subnets[2]
    server = aws.running(aws.run(definition, networkConfiguration=aws.network(first)))
    for subnet in [first, third]:
        script = f"i=0; until wget -qO- http://{address(server)}/; do i=$((i+1)); [ $i -lt 50 ] || exit 1; sleep 0.05; done"
        asked = aws.run(aws.define(shell(script), networkMode="awsvpc"), networkConfiguration=aws.network(subnet))
        assert exit_code(aws.stopped(asked)) == 0
        assert aws.instance.logs(asked) == "hello over there\n"


def test_ten_containers_start_and_stop_in_one_task(aws):
    chain = [shell(FOREVER, name="c0")]
    chain += [shell(FOREVER, name=f"c{n}", dependsOn=[{"containerName": f"c{n - 1}", "condition": "START"}]) for n in range(1, 10)]
    task = aws.run(aws.define(*[{**c, "memory": 16} for c in chain]))
    aws.running(task)
    stopped = aws.stop(task)
    assert [exit_code(stopped, f"c{n}") for n in range(10)] == [0] * 10
    assert all(container(stopped, f"c{n}")["lastStatus"] == "STOPPED" for n in range(10))
