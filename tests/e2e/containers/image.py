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
    with of_image(*built(predictor=predictor)) as made:
        yield made


@contextlib.contextmanager
def of_image(engine: tuple[str, ...], image: str) -> Iterator[Container]:
    """Make a container of an image that is there; remove the container in the end."""
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
    kept = cache()
    image = _named("seatrial-test", HERE, CONTEXT)
    over = _named("seatrial-predictor", HERE / "predictor", PREDICTOR, image)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = engine(kept)
        if not there(found, image):
            build(found, image, HERE, base(found, kept))
        if predictor and not there(found, over):
            build(found, over, HERE / "predictor", image)
    return found, over if predictor else image


def cache() -> Path:
    """Return the folder that images are kept in; ContainersUnavailable where none can be made."""
    if os.geteuid():
        raise ContainersUnavailable("a base image is made by root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise ContainersUnavailable(f"not installed: {', '.join(missing)}")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seatrial-tests" / "containers"
    found = Path(os.environ.get("SEATRIAL_TEST_CONTAINERS") or default)
    found.mkdir(parents=True, exist_ok=True)
    (found / "containers.conf").write_text(SETTINGS)
    return found


def base(engine: Sequence[str], cache: Path) -> str:
    """Return the name of the base image, which is made where it is missing."""
    if not there(engine, BASE):
        _make_base(engine, cache)
    return BASE


def _named(name: str, folder: Path, files: Sequence[str], base: str = "") -> str:
    content = base.encode() + b"".join((folder / file).read_bytes() for file in files)
    return f"localhost/{name}:{hashlib.sha256(content).hexdigest()[:16]}"


def engine(cache: Path) -> tuple[str, ...]:
    """Return the engine with the storage that works here: layers on top of each other, else a copy for each."""
    for driver in ("overlay", "vfs"):
        store = cache / driver
        found = (
            "/usr/bin/env", f"CONTAINERS_CONF={cache / 'containers.conf'}", "buildah", "--root", str(store / "root"),
            "--runroot", str(store / "run"), "--storage-driver", driver,
        )  # fmt: skip
        with contextlib.suppress(subprocess.CalledProcessError):
            _run(*found, "images")
            return found
    raise ContainersUnavailable("buildah can keep no images here")


def there(engine: Sequence[str], image: str) -> bool:
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


def build(
    engine: Sequence[str], image: str, folder: Path, base: str, file: Path | None = None, **arguments: str
) -> None:
    """Build an image of a folder.

    Args:
        engine: the start of the engine's commands.
        image: its name.
        folder: what is copied from.
        base: the image below it.
        file: the Dockerfile; by default the folder's.
        arguments: of the build, beside ``BASE``.
    """
    given = [part for name, value in {"BASE": base, **arguments}.items() for part in ("--build-arg", f"{name}={value}")]
    shared = [part for path in OF_HOST if Path(path).exists() for part in ("-v", f"{path}:{path}:ro")]
    _run(
        *engine, "build", "--isolation", "chroot", "--network", "host", "--pull-never", *shared,
        *given, "-t", image, "-f", str(file or folder / "Dockerfile"), str(folder),
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
