"""The command line that scripts rely on: exit codes, JSON keys, and what each command says."""

import json
import os
import re
import signal
import subprocess
import tarfile
import time

import pytest

import images
from ecs import FOREVER, shell
from instance import BINARY, ROOT, Instance


def test_a_second_up_says_that_bayplan_runs_already(bayplan):
    done = bayplan.command("up", "--detach")
    assert "already running" in done.stdout and bayplan.settings["AWS_ENDPOINT_URL"] in done.stdout


def test_up_is_ready_when_it_returns(another):
    aws = another()
    assert aws.ecs.describe_clusters()["clusters"][0]["registeredContainerInstancesCount"] == 1


def test_up_takes_half_a_second_at_most(tmp_path):
    instance = Instance(tmp_path / "quick")
    began = time.monotonic()
    instance.up()
    took = time.monotonic() - began
    instance.down()
    assert took < 2, "0.5 s on an idle machine; four times that is allowed here, where others may run"


def test_env_for_a_shell_can_be_evaluated(bayplan):
    script = f'eval "$({BINARY} --data-dir {bayplan.data_dir} env)"; echo $AWS_ENDPOINT_URL $AWS_REGION ${{AWS_PROFILE-unset}}'
    done = subprocess.run(["bash", "-c", script], env={**os.environ, "AWS_PROFILE": "mine"}, capture_output=True, text=True)
    assert done.stdout.split() == [bayplan.settings["AWS_ENDPOINT_URL"], "us-east-1", "unset"]


def test_env_as_json_has_everything_that_clients_need(bayplan):
    names = {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION",
             "AWS_DISABLE_HOST_PREFIX_INJECTION", "NO_PROXY", "network", "unset"}
    assert names <= set(bayplan.settings)
    assert bayplan.settings["AWS_DISABLE_HOST_PREFIX_INJECTION"] == "true"


def test_where_no_bayplan_runs_commands_say_so_and_end_with_9(tmp_path):
    nothing = Instance(tmp_path / "nothing")
    done = nothing.command("ps", check=False)
    assert done.returncode == 9 and "bayplan up" in done.stderr


def test_an_unknown_task_ends_with_3(bayplan):
    for command in (["logs", "0123"], ["why", "0123"], ["spot", "interrupt", "0123"], ["exec", "0123", "--", "true"]):
        done = bayplan.command(*command, check=False)
        assert done.returncode == 3 and "0123" in done.stderr, command


@pytest.mark.parametrize("command", ["up", "down", "env", "image import", "image ls", "image rm", "image demo", "ps", "rollout", "simulate", "logs", "exec", "spot interrupt", "why", "doctor"])
def test_every_flag_is_documented(command):
    told = subprocess.run([BINARY, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
    documented = (ROOT / "docs" / "cli.md").read_text()
    flags = set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z-]+)", told)) - {"--help", "--version"}
    assert flags and [flag for flag in flags if f"`{flag}" not in documented and f"[{flag}" not in documented] == []


def test_a_wrong_option_ends_with_2(bayplan):
    assert bayplan.command("ps", "--sideways", check=False).returncode == 2


def test_a_user_who_is_not_root_is_told_what_to_type(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o777)
    os.chmod(folder, 0o777)
    done = subprocess.run(
        [BINARY, "--data-dir", "/tmp/bayplan-of-nobody", "up", "--detach"], user=65534, group=65534, capture_output=True, text=True
    )
    assert done.returncode == 7 and "sudo" in done.stderr and "up" in done.stderr


def test_a_taken_address_is_named(tmp_path, bayplan):
    instance = Instance(tmp_path / "late")
    taken = bayplan.settings["AWS_ENDPOINT_URL"].removeprefix("http://")
    done = instance.command("up", "--detach", "--aws-addr", taken, check=False)
    assert done.returncode != 0 and taken in done.stderr and "--aws-addr" in done.stderr
    assert instance.pid("server") is None
    instance.command("down", "--purge")


def test_a_region_that_differs_from_the_installations_is_refused(another):
    aws = another("--region", "eu-west-3", "--account-id", "123456789012")
    assert aws.sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    aws.instance.down(purge=False)
    done = aws.instance.up("--region", "us-east-2", check=False)
    assert done.returncode != 0 and "eu-west-3" in done.stderr
    aws.instance.up()


@pytest.mark.parametrize("option", [["--account-id", "12"], ["--capacity", "cpu=lots"], ["--aws-addr", "nowhere"]], ids=str)
def test_an_option_that_makes_no_sense_is_refused_at_once(tmp_path, option):
    done = Instance(tmp_path / "x").command("up", "--detach", *option, check=False)
    assert done.returncode == 2 and not (tmp_path / "x").exists()


class TestPs:
    def test_it_lists_what_runs(self, aws, bayplan):
        task = aws.go(FOREVER)
        aws.running(task)
        (row,) = [row for row in bayplan.json("ps") if row["id"] == task.rsplit("/", 1)[1]]
        assert {"id", "cluster", "taskDefinition", "status", "health", "address", "ports", "createdAtMs", "stoppedReason"} <= set(row)
        assert (row["status"], row["cluster"]) == ("RUNNING", "default")
        assert task.rsplit("/", 1)[1][:12] in bayplan.command("ps").stdout

    def test_stopped_tasks_only_with_all(self, aws, bayplan):
        task = aws.finished("exit 0")["taskArn"].rsplit("/", 1)[1]
        assert task not in [row["id"] for row in bayplan.json("ps")]
        assert task in [row["id"] for row in bayplan.json("ps", "--all")]


class TestExec:
    def test_output_and_exit_code_come_back(self, aws, bayplan):
        task = aws.go(FOREVER)
        aws.running(task)
        done = bayplan.exec(task, "sh", "-c", "echo out; echo err >&2; exit 5", check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 5)

    def test_input_goes_in(self, aws, bayplan):
        task = aws.go(FOREVER)
        aws.running(task)
        assert bayplan.exec(task, "cat", input="through the hatch\n").stdout == "through the hatch\n"

    def test_a_user_and_a_folder(self, aws, bayplan):
        task = aws.go(FOREVER)
        aws.running(task)
        done = bayplan.command("exec", "--user", "app", "--workdir", "/data", task, "--", "sh", "-c", "id -un; pwd")
        assert done.stdout.split() == ["app", "/data"]

    def test_a_container_has_to_be_named_where_there_are_several(self, aws, bayplan):
        task = aws.run(aws.define(shell(FOREVER, name="a"), shell(FOREVER, name="b")))
        aws.running(task)
        assert bayplan.exec(task, "true", check=False).returncode != 0
        assert bayplan.command("exec", "--container", "b", task, "--", "true").returncode == 0

    def test_a_program_that_is_missing_is_named(self, aws, bayplan):
        task = aws.go(FOREVER)
        aws.running(task)
        done = bayplan.exec(task, "/no/such", check=False)
        assert done.returncode not in (0, None) and "/no/such" in done.stderr + done.stdout


class TestWhy:
    def why(self, aws, task):
        said = aws.instance.json("why", task)
        assert {"task", "taskDefinition", "cluster", "what", "evidence", "lastLogLines", "next"} <= set(said)
        return said

    def test_a_failed_program(self, aws):
        said = self.why(aws, aws.finished("echo the reason is here; exit 3")["taskArn"])
        assert said["evidence"][0]["exitCode"] == 3 and "exit code 3" in said["next"]
        assert said["lastLogLines"] == ["the reason is here"]

    def test_a_program_that_ran_out_of_memory(self, aws):
        task = aws.finished("exec dd if=/dev/zero of=/dev/null bs=200M count=1", memory=32)["taskArn"]
        said = self.why(aws, task)
        assert said["evidence"][0]["outOfMemory"] and "memory" in said["next"]

    def test_an_image_that_is_missing(self, aws):
        said = self.why(aws, aws.finished("true", image="not/here:1")["taskArn"])
        assert "not/here:1" in said["what"] and "import" in said["next"]

    def test_a_task_that_runs(self, aws):
        task = aws.go(FOREVER)
        aws.running(task)
        assert self.why(aws, task)["what"] == "It runs."
        assert "It runs." in aws.instance.command("why", task).stdout


class TestDoctor:
    def test_all_is_well_here(self, bayplan):
        findings = bayplan.json("doctor")
        assert all(set(f) == {"check", "ok", "found", "fix"} for f in findings)
        assert [f for f in findings if not f["ok"]] == []

    def test_a_dead_instance_that_has_left_things_is_found(self, another):


        aws = another()
        aws.running(aws.go(FOREVER))
        for role in ("parent", "server", "agent"):
            if pid := aws.instance.pid(role):
                os.kill(pid, signal.SIGKILL)
        done = aws.instance.command("doctor", "--output", "json", check=False)
        (finding,) = [f for f in json.loads(done.stdout) if f["check"] == "instance"]
        assert done.returncode == 1 and not finding["ok"] and "bayplan down" in finding["fix"]


class TestImages:
    LAYERS, CONFIG = [images.busybox_layer()], {"Env": ["PATH=/bin"]}

    @pytest.mark.parametrize("kind", [images.oci, images.docker_archive], ids=["OCI layout", "docker save"])
    def test_an_archive_is_imported_listed_and_removed(self, bayplan, tmp_path, kind):
        path = images.write_tar(tmp_path / "image.tar", kind(self.LAYERS, self.CONFIG))
        (imported,) = bayplan.json("image", "import", path, "--name", "imported:1")
        assert imported["digest"].startswith("sha256:")
        names = [name for image in bayplan.json("image", "ls") for name in image["names"]]
        assert any("imported:1" in name for name in names)
        bayplan.command("image", "rm", "imported:1")
        assert bayplan.command("image", "rm", "imported:1", check=False).returncode == 3

    def test_a_layout_folder_is_imported(self, bayplan, tmp_path):
        path = images.write_tar(tmp_path / "oci.tar", images.oci(self.LAYERS, self.CONFIG))
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path / "layout", filter="data")
        bayplan.command("image", "import", tmp_path / "layout", "--name", "from-folder:1")
        bayplan.command("image", "rm", "from-folder:1")

    def test_a_layer_that_is_not_what_its_digest_says_is_refused(self, bayplan, tmp_path):
        files = images.oci([[images.file("only/here", b"x" * 10_000)]], self.CONFIG)
        largest = max(files, key=lambda member: len(member[1]))
        damaged = [(info, b"\0" * len(data) if info is largest[0] else data) for info, data in files]
        done = bayplan.command("image", "import", images.write_tar(tmp_path / "bad.tar", damaged), "--name", "bad:1", check=False)
        assert done.returncode != 0 and "sha256" in done.stderr
        assert "bad:1" not in bayplan.command("image", "ls").stdout

    def test_one_image_under_its_short_and_its_whole_name(self, aws, bayplan):
        assert aws.finished("exit 0", image="docker.io/library/busybox:1")["containers"][0]["exitCode"] == 0


def test_two_instances_live_side_by_side(aws, another):
    other = another()
    tasks = []
    for here in (aws, other):
        definition = here.define(shell(FOREVER), networkMode="awsvpc")
        tasks.append(here.running(here.run(definition, networkConfiguration=here.network())))
    assert other.ecs.describe_tasks(tasks=[tasks[0]["taskArn"]])["failures"]
    networks = {i.settings["network"]["cidr"] for i in (aws.instance, other.instance)}
    assert len(networks) == 2


def test_down_twice_is_as_good_as_once(another):
    aws = another()
    aws.instance.down(purge=False)
    assert aws.instance.command("down").returncode == 0
    assert aws.instance.leftovers() == []
    aws.instance.up()


def test_each_process_shows_its_role(bayplan):
    for role in ("parent", "server", "agent"):
        assert bayplan.pid(role), role


def test_a_disk_that_is_nearly_full_is_named_before_anything_starts(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", folder], check=True)
    try:
        instance = Instance(folder / "data")
        done = instance.command("up", "--detach", "--aws-addr", "127.0.0.1:0", check=False)
        assert done.returncode == 1 and "MiB free" in done.stderr and "--data-dir" in done.stderr
        assert instance.pid("parent") is None
        assert instance.command("doctor", check=False).returncode == 1
    finally:
        subprocess.run(["umount", folder], check=True)
