"""What the end of an engine's client means: whose fault it is, from the words that engines write."""

import pytest

from seatrial.process.engines import advice_at_exit, ended_by_engine

RUN = ["docker", "run", "--name", "seatrial-1", "shop:2"]
UP = ["docker", "compose", "-p", "seatrial-1", "up"]


@pytest.mark.parametrize(
    ("command", "how", "words", "advice"),
    [
        (RUN, "code 125", "Cannot connect to the Docker daemon at unix:///d.sock. Is it running?", "DOCKER_HOST"),
        (["podman", "run"], "code 125", "Cannot connect to Podman. Please verify your connection", "CONTAINER_HOST"),
        (RUN, "code 125", "permission denied while trying to connect to the Docker daemon", "the right to"),
        (RUN, "code 125", "Error response from daemon: pull access denied for shop", "Build or pull the image"),
        (["podman", "run"], "code 125", "Error: localhost/shop:2: image not known", "Build or pull the image first"),
        (["buildah", "run"], "code 125", 'reading build container "c": container not known', "Build or pull the image"),
        (RUN, "code 125", "Bind for 127.0.0.1:80 failed: port is already allocated", "{port}"),
        (RUN, "code 125", 'Conflict. The container name "/shop" is already in use by container "a1"', "--name {name}"),
        (RUN, "code 125", "docker: invalid reference format", "Code 125 is the engine's own"),
        (UP, "code 1", "Error response from daemon: manifest for shop:2 not found: manifest unknown", "Build or pull"),
        (UP, "code 14", "no configuration file provided: not found", "Name the compose file with -f"),
        (UP, "code 1", "open /x/compose.yaml: no such file or directory", "Name the compose file with -f"),
        (
            ["podman", "run"], "code 126",
            "Error: OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2",
            "runtime cannot start a container on this machine",
        ),
    ],
)  # fmt: skip
def test_what_an_engine_could_not_do_is_not_the_versions_fault(command, how, words, advice):
    """With what to type, and the whole command."""
    told = ended_by_engine(command, how, words)
    assert advice in told
    assert "By hand: " in told


@pytest.mark.parametrize(
    ("command", "how", "words"),
    [
        (["uvicorn", "app:app"], "code 125", "image not known"),
        (RUN, "code 1", "OSError: [Errno 98] Address already in use"),
        (RUN, "code 3", "no such image: /data/cat.png"),
        (RUN, "code 137", ""),
        (UP, "code 1", "fraud-1 exited with code 1"),
        (
            RUN, "code 127",
            'OCI runtime create failed: runc create failed: exec: "serve": executable file not found in $PATH',
        ),
    ],
)  # fmt: skip
def test_what_the_container_did_is_the_versions_fault(command, how, words):
    """Also where a server writes words that an engine writes too."""
    assert ended_by_engine(command, how, words) == ""


def test_what_can_be_corrected_is_told():
    """A client that does not wait, and a program that the image does not have; other programs are none of ours."""
    assert "Leave out '--detach'" in advice_at_exit(["podman", "run", "--detach", "shop:2"], "code 0")
    assert "CMD and ENTRYPOINT" in advice_at_exit(RUN, "code 127")
    assert "in the foreground" in advice_at_exit(["uvicorn", "-d"], "code 0")
    assert advice_at_exit(["uvicorn", "-d"], "code 1") == ""


def test_no_password_is_in_the_command_to_try():
    """Addresses of dependencies are part of it."""
    told = ended_by_engine([*RUN, "-e", "STORE=redis://me:hunter2@db/0"], "code 125", "")
    assert "redis://***@db/0" in told
    assert "hunter2" not in told
