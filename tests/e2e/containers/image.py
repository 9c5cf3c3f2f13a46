"""Container images of an old environment and of a predictor in it, made on this machine, and commands that run there.

``python tests/e2e/containers/image.py`` makes them, so that no test waits for it. No image registry is needed: the base
is Debian's own packages. They are made once for a user, in a cache folder. That takes root, the network, and the
packages ``buildah``, ``debootstrap`` and ``crun`` of Debian.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONTEXT = ("Dockerfile", "requirements.txt")
PREDICTOR = ("Dockerfile", "predictor.py")
SUITE = "bookworm"  # whose Python is 3.11
PACKAGES = "python3,python3-venv,ca-certificates,git"
TOOLS = ("buildah", "debootstrap", "crun")
BASE = f"localhost/seatrial-test-base:{SUITE}-2"
OF_HOST = ("/etc/pip.conf", "/etc/ssl/certs")  # where pip finds its index and whom it trusts, while the image is built
SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=10000:10000"]
netns = "host"
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
"""  # where this runs, raising limits and making control groups may not be allowed
NO_NETWORK = re.compile(
    r"could not resolve|couldn't download|failed getting release|temporary failure|unreachable"
    r"|connection (refused|timed)|NewConnectionError|No matching distribution found|Unable to connect",
    re.IGNORECASE,
)


class ContainersUnavailable(Exception):
    """Containers cannot be built or run on this machine; the message is the reason."""


@dataclass(frozen=True)
class Container:
    """A container that commands can be run in, several at a time.

    Attributes:
        engine: the start of every command of the engine.
        name: of the container.
    """

    engine: tuple[str, ...]
    name: str

    @property
    def command(self) -> list[str]:
        """The setting ``[tool.seatrial] command``, in which ``{volumes}`` stands for what ``volumes`` returns."""
        return [*self.engine, "run", "--isolation", "chroot", "{volumes}", self.name, "--"]

    def prefix(self, volumes: Sequence[str] = ()) -> list[str]:
        """Return what a command starts with that is run there, with the folders of the host it sees."""
        return [part for item in self.command for part in (volumes if item == "{volumes}" else [item])]


def volumes(read_only: Sequence[Path] = (), writable: Sequence[Path] = ()) -> list[str]:
    """Return the options that make folders of the host visible at the same paths: podman's, buildah's and docker's."""
    modes = [*((path, "ro") for path in read_only), *((path, "rw") for path in writable)]
    return [part for path, mode in modes for part in ("-v", f"{path}:{path}:{mode}")]


@contextlib.contextmanager
def container(*, predictor: bool = False) -> Iterator[Container]:
    """Make a container of an image, which is built first where it is missing; remove the container in the end.

    Args:
        predictor: the image of the predictor, in place of that of the environment.

    Raises:
        ContainersUnavailable: not on this machine.
        subprocess.CalledProcessError: the image cannot be built, for another reason than the network or rights.
    """
    engine, image = built(predictor=predictor)
    name = f"seatrial-{uuid.uuid4().hex[:12]}"
    _run(*engine, "from", "--pull-never", "--name", name, image)
    try:
        yield Container(engine, name)
    finally:
        _run(*engine, "rm", name)


def built(*, predictor: bool = False) -> tuple[tuple[str, ...], str]:
    """Return the start of the engine's commands, and the name of the image, which is built where it is missing.

    Args:
        predictor: the image of the predictor, which is that of the environment and one file more.
    """
    if os.geteuid():
        raise ContainersUnavailable("a base image is made by root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise ContainersUnavailable(f"not installed: {', '.join(missing)}")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seatrial-tests" / "containers"
    cache = Path(os.environ.get("SEATRIAL_TEST_CONTAINERS") or default)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "containers.conf").write_text(SETTINGS)
    image = _named("seatrial-test", HERE, CONTEXT)
    over = _named("seatrial-predictor", HERE / "predictor", PREDICTOR, image)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = _engine(cache)
        if not _there(engine, image):
            if not _there(engine, BASE):
                _make_base(engine, cache)
            _build(engine, image, HERE, BASE)
        if predictor and not _there(engine, over):
            _build(engine, over, HERE / "predictor", image)
    return engine, over if predictor else image


def _named(name: str, folder: Path, files: Sequence[str], base: str = "") -> str:
    content = base.encode() + b"".join((folder / file).read_bytes() for file in files)
    return f"localhost/{name}:{hashlib.sha256(content).hexdigest()[:16]}"


def _engine(cache: Path) -> tuple[str, ...]:
    """Return the engine with the storage that works here: layers on top of each other, else a copy for each."""
    for driver in ("overlay", "vfs"):
        store = cache / driver
        engine = (
            "/usr/bin/env", f"CONTAINERS_CONF={cache / 'containers.conf'}", "buildah", "--root", str(store / "root"),
            "--runroot", str(store / "run"), "--storage-driver", driver,
        )  # fmt: skip
        with contextlib.suppress(subprocess.CalledProcessError):
            _run(*engine, "images")
            return engine
    raise ContainersUnavailable("buildah can keep no images here")


def _there(engine: Sequence[str], image: str) -> bool:
    return (
        subprocess.run([*engine, "inspect", "--type", "image", image], capture_output=True, check=False).returncode == 0
    )


def _make_base(engine: Sequence[str], cache: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        root, tar = Path(folder) / "root", Path(folder) / "root.tar"
        _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root))
        shutil.rmtree(root / "var" / "cache" / "apt")
        _run("tar", "-C", str(root), "-cf", str(tar), ".")
        name = _run(*engine, "from", "scratch").strip()
        _run(*engine, "add", "--quiet", name, str(tar), "/")
        _run(*engine, "commit", "--quiet", "--rm", name, BASE)


def _build(engine: Sequence[str], image: str, folder: Path, base: str) -> None:
    shared = [part for path in OF_HOST if Path(path).exists() for part in ("-v", f"{path}:{path}:ro")]
    _run(
        *engine, "build", "--isolation", "chroot", "--network", "host", "--pull-never", *shared,
        "--build-arg", f"BASE={base}", "-t", image, "-f", str(folder / "Dockerfile"), str(folder),
    )  # fmt: skip


def _run(*command: str) -> str:
    """Run a command and return what it printed; where it failed for want of network or rights, say so."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stdout + done.stderr).strip()
        if NO_NETWORK.search(words):
            raise ContainersUnavailable(f"packages cannot be downloaded: {words.splitlines()[-1][:200]}")
        error = subprocess.CalledProcessError(done.returncode, command)
        error.add_note(words[-2000:])
        raise error
    return done.stdout


if __name__ == "__main__":
    began = time.monotonic()
    try:
        print(built()[1], built(predictor=True)[1], f"{time.monotonic() - began:.0f} s")  # noqa: T201
    except ContainersUnavailable as reason:
        print(f"No container image: {reason}", file=sys.stderr)  # noqa: T201
