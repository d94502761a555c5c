"""Volumes of every kind that this node can do, and what of them stays."""

import uuid

import pytest

import images
from ecs import FOREVER, container, exit_code, shell


def mount(volume, path, **settings):
    return [{"sourceVolume": volume, "containerPath": path, **settings}]


def test_a_task_volume_is_shared_by_its_containers_and_gone_after(aws):
    writer = shell("echo hello > /out/x", name="writer", essential=False, mountPoints=mount("v", "/out"))
    reader = shell("cat /in/x", name="reader", mountPoints=mount("v", "/in"),
                   dependsOn=[{"containerName": "writer", "condition": "SUCCESS"}])
    definition = aws.define(writer, reader, volumes=[{"name": "v", "host": {}}])
    for _ in range(2):
        task = aws.stopped(aws.run(definition))
        assert exit_code(task, "reader") == 0
    empty = aws.output("ls /out", mountPoints=mount("v", "/out"), task={"volumes": [{"name": "v", "host": {}}]})
    assert empty == ""


def test_a_host_folder_is_bound(aws, tmp_path):
    (tmp_path / "told").write_text("by the host\n")
    volumes = {"volumes": [{"name": "v", "host": {"sourcePath": str(tmp_path)}}]}
    text = aws.output("cat /v/told; echo back > /v/answer", mountPoints=mount("v", "/v"), task=volumes)
    assert text == "by the host\n" and (tmp_path / "answer").read_text() == "back\n"


def test_a_read_only_mount_is_read_only(aws, tmp_path):
    volumes = {"volumes": [{"name": "v", "host": {"sourcePath": str(tmp_path)}}]}
    points = mount("v", "/v", readOnly=True)
    assert exit_code(aws.finished("touch /v/x", mountPoints=points, task=volumes)) != 0
    assert list(tmp_path.iterdir()) == []


def test_a_mount_on_the_host_does_not_appear_inside_later(aws, tmp_path):
    volumes = {"volumes": [{"name": "v", "host": {"sourcePath": str(tmp_path)}}]}
    text = aws.output("grep ' /v ' /proc/self/mountinfo", mountPoints=mount("v", "/v"), task=volumes)
    assert "shared:" not in text and "master:" not in text


def named(name, **settings):
    return {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, **settings}}]} | (
        {} if name is None else {"volumes": [{"name": name, "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, **settings}}]}
    )


def test_a_shared_named_volume_outlives_its_task(aws):
    name = "kept-" + uuid.uuid4().hex[:8]
    aws.output("echo still here > /v/x", mountPoints=mount(name, "/v"), task=named(name))
    assert aws.output("cat /v/x", mountPoints=mount(name, "/v"), task=named(name)) == "still here\n"


def test_a_new_named_volume_begins_with_what_the_image_has_there(aws):
    name = "seeded-" + uuid.uuid4().hex[:8]
    assert aws.output("cat /data/from-image", mountPoints=mount(name, "/data"), task=named(name)) == "from the image\n"


def test_volumes_from_another_container(aws):
    first = shell(FOREVER, name="first", essential=False, mountPoints=mount("v", "/shared"))
    second = shell("echo x > /shared/y && grep -c ' /shared ' /proc/self/mountinfo", name="second",
                   volumesFrom=[{"sourceContainer": "first"}])
    task = aws.stopped(aws.run(aws.define(first, second, volumes=[{"name": "v", "host": {}}])))
    assert exit_code(task, "second") == 0


def test_volumes_from_may_be_read_only(aws):
    first = shell(FOREVER, name="first", essential=False, mountPoints=mount("v", "/shared"))
    second = shell("touch /shared/y", name="second", volumesFrom=[{"sourceContainer": "first", "readOnly": True}])
    task = aws.stopped(aws.run(aws.define(first, second, volumes=[{"name": "v", "host": {}}])))
    assert exit_code(task, "second") != 0


def test_a_tmpfs_has_its_size_and_options(aws):
    parameters = {"tmpfs": [{"containerPath": "/scratch", "size": 8, "mountOptions": ["noexec", "mode=700"]}]}
    text = aws.output("grep ' /scratch ' /proc/self/mountinfo; stat -c %a /scratch; df -m /scratch | tail -1", linuxParameters=parameters)
    assert "noexec" in text and "700" in text.split() and "8" in text.split()


def test_an_image_volume_is_writable_though_the_root_is_not(aws, bayplan, tmp_path):
    path = tmp_path / "v.tar"
    images.busybox(path, Volumes={"/data": {}})
    bayplan.command("image", "import", path, "--name", "with-volume:1")
    script = "cat /data/from-image && touch /data/x && ! touch /etc/x"
    assert "from the image" in aws.output(script, image="with-volume:1", readonlyRootFilesystem=True)


def test_a_mount_of_a_volume_that_is_not_there_is_refused(aws, refused):
    with refused("ClientException", "nothing"):
        aws.define(shell("true", mountPoints=mount("nothing", "/v")))


@pytest.mark.parametrize("driver", ["local"])
def test_a_task_scoped_docker_volume_goes_with_its_task(aws, driver):
    volumes = {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task", "driver": driver}}]}
    text = aws.output("ls /v; touch /v/x", mountPoints=mount("v", "/v"), task=volumes)
    assert text == ""
    assert aws.output("ls /v", mountPoints=mount("v", "/v"), task=volumes) == ""
