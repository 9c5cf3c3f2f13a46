"""Container engines: which programs are one, what their clients need, and what it means when a client ends.

The client of an engine is a small program: what serves may run below it, or below a daemon that it asks.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from os.path import basename

ENGINES = ("docker", "podman", "nerdctl", "buildah", "docker-compose", "podman-compose")
VARIABLES = (
    "HOME", "USER", "LOGNAME", "XDG_*", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_*", "COMPOSE_*", "BUILDKIT_*",
    "CONTAINER_*", "CONTAINERS_*", "BUILDAH_*", "PODMAN_*", "NERDCTL_*", "CONTAINERD_*", "STORAGE_*",
    "REGISTRY_AUTH_FILE", "TMPDIR",
)  # fmt: skip
OWN_CODE = 125  # docker, podman and buildah end with it where no container ran
_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_NO_PROGRAM = r"executable file .*not found|no such file or directory|exec format error|permission denied"
_PORT_TAKEN = r"port is already allocated|address already in use|ports are not available"
_UNABLE = (
    (r"cannot connect to the docker daemon|failed to connect to .*(docker|podman)\S*\.sock|cannot connect to podman"
     r"|error during connect", "Start the engine's daemon, or name another one in {hosts}."),
    (r"permission denied while trying to connect", "Give this user the right to use the engine's socket."),
    (r"unable to find image|no such image|image not known|manifest( for \S+ not found)? unknown|pull access denied"
     r"|did not resolve to an alias|repository does not exist|reading manifest|initializing source"
     r"|no such container|container .* is not known|container not known",
     "Build or pull the image first, and compare its name with that in the command."),
    (_PORT_TAKEN,
     "Give the port to publish as {{port}}, which is a free one, and no fixed number."),
    (r"already in use by container|the container name .* is (already )?in use",
     "Give the container a name of its own for each start: --name {{name}}."),
    (r"no configuration file provided|no such service|compose\S*: no such file",
     "Name the compose file with -f, relative to the folder of the pipeline's file, and a service that it has."),
)  # fmt: skip


def is_engine(program: str) -> bool:
    """Whether a program is the client of a container engine, by its name.

    Example:
        >>> is_engine("/usr/bin/podman"), is_engine("uvicorn")
        (True, False)
    """
    return basename(program) in ENGINES


def on_host_network(command: Sequence[str]) -> bool:
    """Whether the command of a container says that its network is that of this machine.

    Example:
        >>> on_host_network(["podman", "run", "--network=host", "shop:2"]), on_host_network(["docker", "run", "shop:2"])
        (True, False)
    """
    words = " ".join(map(str, command))
    return bool(re.search(r"--net(work)?[= ]host(?![\w-])|--isolation[= ]chroot(?![\w-])", words))


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an engine's client needs: where its daemon, its settings and its images are.

    Example:
        >>> variables_of({"DOCKER_HOST": "unix:///run/docker.sock", "EDITOR": "vi"})
        {'DOCKER_HOST': 'unix:///run/docker.sock'}
    """
    return {n: v for n, v in environ.items() if any(fnmatchcase(n, pattern) for pattern in VARIABLES)}


def not_installed(program: str) -> str:
    """Return what to do where an engine is not there, as a sentence that follows another; empty for other programs."""
    if not is_engine(program) or shutil.which(program):
        return ""
    others = [name for name in ENGINES if shutil.which(name)]
    return f" {basename(program)} is not installed here. " + (
        f"Install it, or write the command for {' or '.join(others)}, which {'is' if len(others) == 1 else 'are'}."
        if others
        else "Install it, or skip the checks of the service."
    )


def ended_by_engine(command: Sequence[str], how: str, words: str) -> str:
    """Return what to do where an engine ended without having run a container, or the empty string.

    Args:
        command: of the service.
        how: the client ended, such as ``code 125``.
        words: the end of what it wrote.

    Example:
        >>> ended_by_engine(["podman", "run", "shop:2"], "code 125", "Error: shop:2: image not known")
        'Build or pull the image first, and compare its name with that in the command. By hand: podman run shop:2'
    """
    if not (command and is_engine(command[0])):
        return ""
    composed = any("compose" in word for word in command[:2])  # which hands on whatever code its parts end with
    unstarted = bool(re.search(r"OCI runtime", words)) and not re.search(_NO_PROGRAM, words, re.IGNORECASE)
    if not (how == f"code {OWN_CODE}" or composed or unstarted):
        return ""
    by_hand = f"By hand: {_PASSWORD.sub('://***@', shlex.join(command))}"
    hosts = "CONTAINER_HOST" if basename(command[0]).startswith("podman") else "DOCKER_HOST"
    for pattern, advice in _UNABLE:
        if re.search(pattern, words, re.IGNORECASE):
            return f"{advice.format(hosts=hosts)} {by_hand}"
    if unstarted:
        return f"The engine's runtime cannot start a container on this machine, as it says below. {by_hand}"
    return "" if composed else f"Code {OWN_CODE} is the engine's own: no container ran. {by_hand}"


def lost_its_port(how: str, words: str) -> bool:
    """Whether an engine ended because somebody took the port between our asking for a free one and its binding.

    Example:
        >>> lost_its_port("code 125", "docker: Bind for 127.0.0.1:4000 failed: port is already allocated.")
        True
    """
    return how == f"code {OWN_CODE}" and re.search(_PORT_TAKEN, words, re.IGNORECASE) is not None


def detaches(command: Sequence[str]) -> str:
    """Return the word of an engine's command that may let its client end while the container runs on, or "".

    The same word may be for the program in the container.

    Example:
        >>> detaches(["docker", "run", "-d", "shop:2"]), detaches(["uvicorn", "-d"])
        ('-d', '')
    """
    words = ("-d", "--detach", "-dit", "-itd")
    return next((word for word in command if word in words), "") if command and is_engine(command[0]) else ""


def advice_at_exit(command: Sequence[str], how: str) -> str:
    """Return what to do where a service or its container ended at once, or the empty string.

    Example:
        >>> advice_at_exit(["docker", "run", "-d", "shop:2"], "code 0")
        "Leave out '-d': the command has to run as long as the service does."
    """
    if how == "code 0" and not (command and is_engine(command[0])):
        return "Start it in the foreground: the command has to run as long as the service does."
    if not (command and is_engine(command[0])):
        return ""
    if how == "code 0" and (word := detaches(command)):
        return f"Leave out '{word}': the command has to run as long as the service does."
    if how in ("code 126", "code 127"):
        return "The image has no such command, or cannot run it: look at its CMD and ENTRYPOINT."
    return ""


def advice_unreached(port: int, *, accepts: bool) -> str:
    """Return what to do where nothing answered on the port of a container that runs, as a sentence.

    An engine's forwarder accepts connections before, and whether or not, something listens in the container.
    """
    if accepts:
        return (
            f"Port {port} accepts connections, and nothing behind it answered: in the container the server has to "
            "listen on 0.0.0.0, not on 127.0.0.1, and on the port that is published, such as 8080 in "
            "-p 127.0.0.1:{port}:8080."
        )
    return (
        f"The command runs, and nothing listens on port {port} of this machine: publish the container's port with "
        "-p 127.0.0.1:{port}:8080 in the command, or start it with --network=host and its server on {port}. Where it "
        "still pulls its image, pull that before, or raise ready_seconds of Service."
    )
