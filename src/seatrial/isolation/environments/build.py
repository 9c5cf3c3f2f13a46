"""The environment of a version, built by uv from what the version itself carries, and kept for the next time.

The worker needs a few packages too, so they are asked for in the same resolution: what the version pins stays pinned.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from seatrial.errors import EnvironmentUnavailable
from seatrial.isolation.environments import uv
from seatrial.isolation.environments.carried import LOCK, PROJECT, Carried, beyond, carried

FORMAT = 1  # of a kept environment; another number makes each anew
WORKER_NEEDS = ("numpy>=1.24", "pandas>=2.0", "pyarrow>=12")
OLDEST_PYTHON = (3, 10)
SECONDS = 1800.0
RECORD = "environment.json"
_UNFINISHED = "unfinished-"  # starts the name of a folder in which a build is under way, or was when it was killed
_UNFINISHED_SECONDS = 24 * 3600.0  # after which such a folder is deleted
_ITS_OWN = (PROJECT, "uv.toml")  # of a version: uv would take settings from them


@dataclass(frozen=True)
class ModelEnvironment:
    """An environment that is complete.

    Attributes:
        python: its interpreter.
        digest: of what it was built from, the release of Python and the platform: SHA-256, 64 hex digits.
        source: the file of the version that decided, such as ``requirements.txt``.
        folders: what must be visible to a process that runs in it: its own folder, and that of its base interpreter.
    """

    python: Path
    digest: str
    source: str
    folders: tuple[Path, ...]


def model_environment(
    model: Path, *, cache: Path, seconds: float = SECONDS, report: Callable[[str], None] = lambda _: None
) -> ModelEnvironment:
    """Return the environment of a version; build it where it is not kept yet.

    What is installed is settled when it is built: where the version leaves releases open, later ones are not looked for
    until the folder is deleted. Only wheels are installed, so none of the version's code runs here.

    Args:
        model: the directory of the version's model.
        cache: where environments are kept, one folder each; made where missing.
        seconds: after which a build is given up.
        report: called with a sentence before a build begins, since it can take minutes.

    Raises:
        EnvironmentUnavailable: it cannot be built; says why, and what to do.
    """
    found = carried(model)
    if tuple(map(int, found.python.split("."))) < OLDEST_PYTHON:
        raise EnvironmentUnavailable(
            f"The version was made with Python {found.python}; its stages can be run on Python "
            f"{'.'.join(map(str, OLDEST_PYTHON))} or later. Log it again with a later release."
        )
    parts = (FORMAT, found.digest, found.python, WORKER_NEEDS, sysconfig.get_platform())
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    home = cache.resolve() / digest[:32]
    if not _complete(home):
        report(f"Building the environment of the version from its {found.source}, with Python {found.python}.")
        try:
            _build(model.resolve(), found, home, time.monotonic() + seconds)
        except EnvironmentUnavailable as error:
            raise EnvironmentUnavailable(
                f"The version's environment (Python {found.python}) cannot be built from its {found.source}. {error}"
            ) from error
        except OSError as error:
            raise EnvironmentUnavailable(f"The version's environment cannot be built in {cache}: {error}.") from error
    with contextlib.suppress(OSError):
        os.utime(home)  # what was not used for longest is deleted first
    python = home / "bin" / "python"
    return ModelEnvironment(python, digest, found.source, (home, python.resolve().parent.parent))


def _complete(home: Path) -> bool:
    """Whether a build was finished there, and the interpreter it stands on is still installed."""
    return (home / RECORD).is_file() and (home / "bin" / "python").exists()


def _build(model: Path, found: Carried, home: Path, until: float) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    _delete_unfinished(home.parent)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=home.parent))
    try:
        built = folder / "built"
        base = _install(model, found, folder, built, until)
        _compile(base, built, home, until)
        record = {"source": found.source, "python": found.python, "packages": _packages(built)}
        (built / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if home.exists() and not _complete(home):
            home.rename(folder / "replaced")
        try:
            built.rename(home)
        except OSError:
            if not _complete(home):  # else another build of the same was faster
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(model: Path, found: Carried, folder: Path, built: Path, until: float) -> Path:
    """Install, and return the interpreter that the environment stands on; a package could replace the one in it."""
    environ = uv.environment(os.environ)
    work = folder / "work"  # paths in requirements are relative to the version; its settings of uv's do not hold
    work.mkdir()
    for entry in model.iterdir():
        if entry.name not in _ITS_OWN:
            (work / entry.name).symlink_to(entry)
    here = found.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    base = sys.executable if here else found.python
    uv.call(
        ["venv", "--no-project", "--relocatable", "--python", base, str(built)],
        folder=work, environ=environ, until=until,
    )  # fmt: skip
    python = built / "bin" / "python"
    installed = python.resolve()
    locked = _exported(model, folder, environ, until) if found.locked else []
    lists = {
        "version": beyond(found.requirements, locked) if locked else list(found.requirements),
        "locked": locked,
        "worker": list(WORKER_NEEDS),
        "excluded": ["seatrial"],  # the worker brings its own
    }
    files = {name: work / f"seatrial-{name}.txt" for name in lists}
    for name, lines in lists.items():
        files[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    strategy = ["--index-strategy", "unsafe-best-match"] if found.indexes else []
    uv.call(
        [
            "pip", "install", "--python", str(python), "--no-build", "--link-mode", "copy",
            *(part for name in ("version", "locked", "worker") if lists[name] for part in ("-r", str(files[name]))),
            "--excludes", str(files["excluded"]), *strategy,
            *(part for index in found.indexes for part in ("--index", index)),
        ],
        folder=work, environ=environ, until=until,
    )  # fmt: skip
    return installed


def _exported(model: Path, folder: Path, environ: dict[str, str], until: float) -> list[str]:
    """Return what a lock installs by default, with its hashes, but for the project's own packages."""
    project = folder / "project"
    project.mkdir()
    for name in (PROJECT, LOCK):
        shutil.copyfile(model / name, project / name)
    options = ("--no-cache", "--frozen", "--no-dev", "--no-emit-workspace", "--no-emit-local", "--no-header")
    exported = uv.call(
        ["export", *options, "--no-annotate", "--format", "requirements.txt"],
        folder=project, environ=environ, until=until,
    )  # fmt: skip
    return exported.splitlines()


def _compile(python: Path, built: Path, home: Path, until: float) -> None:
    """Compile the packages once, as who runs them may be unable to write there. Compiling runs none of their code.

    Nor does the interpreter that does it, as it is not the environment's own, which would run the .pth files there.
    """
    places = ["-s", str(built), "-p", str(home), str(_site(built))]
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):  # it is slower without, and not wrong
        subprocess.run(  # noqa: S603
            [str(python), "-I", "-S", "-m", "compileall", "-q", "-j", "0", *places],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=max(0.1, until - time.monotonic()),
            check=False,
        )  # fmt: skip


def _site(built: Path) -> Path:
    return next(iter(sorted((built / "lib").glob("python*/site-packages"))))


def _packages(built: Path) -> list[str]:
    return sorted({f"{d.name}=={d.version}" for d in distributions(path=[str(_site(built))])})


def _delete_unfinished(cache: Path) -> None:
    for folder in cache.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _UNFINISHED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
