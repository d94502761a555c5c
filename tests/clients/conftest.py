"""One Bayplan for the whole run, with images on it; further ones for the tests that need one to themselves."""

import os
import socket

import pytest
from botocore.exceptions import ClientError

import images
from ecs import Aws
from instance import BINARY, Instance
from services import Services


def pytest_sessionstart():
    if os.geteuid() != 0:
        pytest.exit("these tests run real containers and need root", returncode=3)
    if not os.path.exists(BINARY):
        pytest.exit(f"{BINARY} is missing: make build", returncode=3)


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """The image archive of the run."""
    path = tmp_path_factory.mktemp("images") / "busybox.tar"
    return images.busybox(path)


def start(data_dir, archive, *args):
    """A Bayplan with the images that the tests run."""
    instance = Instance(data_dir)
    instance.up(*args)
    for name in ["busybox:1", "busybox:latest"]:
        instance.command("image", "import", archive, "--name", name)
    return instance


def end(instance):
    """Purges an instance, of which nothing may be left on the host."""
    instance.down()
    assert instance.leftovers() == []
    assert not instance.data_dir.exists()


@pytest.fixture(scope="session")
def bayplan(tmp_path_factory, archives):
    instance = start(tmp_path_factory.mktemp("bayplan") / "data", archives)
    instance.command("image", "demo")
    yield instance
    end(instance)


@pytest.fixture(scope="session")
def clients(bayplan):
    return Aws(bayplan)


@pytest.fixture
def aws(clients):
    """The clients of the run's Bayplan; what a test has started is told to stop after it."""
    yield clients
    clients.stop_all()


@pytest.fixture(scope="session")
def quick(tmp_path_factory, archives):
    """The clients of a Bayplan whose tasks count as healthy after one second."""
    instance = start(tmp_path_factory.mktemp("services") / "data", archives, "--healthy-after", "1")
    yield Services(instance)
    end(instance)


@pytest.fixture
def services(quick):
    """Those clients; the services that a test has made are deleted after it."""
    yield quick
    quick.delete_all()


@pytest.fixture
def another(tmp_path, archives):
    """Starts further Bayplans, which the test may kill; each is purged after it."""
    started = []

    def begin(*args):
        started.append(start(tmp_path / f"data{len(started)}", archives, *args))
        return Aws(started[-1])

    yield begin
    for instance in started:
        if instance.data_dir.exists():
            end(instance)


@pytest.fixture
def refused():
    """`with refused("InvalidParameterException", "words"):` the call in it must be refused so."""

    class Refused:
        def __init__(self, code, *words):
            self.code, self.words = code, words

        def __enter__(self):
            return self

        def __exit__(self, kind, error, _):
            assert isinstance(error, ClientError), f"{self.code} was expected, not {error!r}"
            said = error.response["Error"]
            assert said["Code"] == self.code, said
            for word in self.words:
                assert word.lower() in said["Message"].lower(), said
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403, 404, 501), error.response
            return True

    return Refused


@pytest.fixture
def free_port():
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]
