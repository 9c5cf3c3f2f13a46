"""The machine and the environments: releases of libraries, the worker's interpreter, isolation, disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from seatrial.cli.start.doctor.lines import Line, missing, note, ok
from seatrial.errors import SeatrialError
from seatrial.project import MODEL_PYTHON, Project

SHOWN = ("mlflow", "prefect", "great-expectations", "pandas")
WORKER = {"numpy": "1.24", "pandas": "2.0", "pyarrow": "12"}  # the oldest that a worker runs on
OLDEST_PYTHON = (3, 10)
ASK = """
import importlib.metadata as m, json, sys
there = {d.metadata["Name"].lower(): d.version for n in sys.argv[1:] for d in m.distributions(name=n)}
print(json.dumps([sys.version_info[:3], there]))
"""
SECONDS, LEAST_BYTES = 15.0, 1_000_000_000


def versions() -> Iterator[Line]:
    """Examine the packages of seatrial itself: those that are lacking, and releases outside the declared bounds."""
    wrong = []
    for text in metadata.requires("seatrial") or []:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, and {wanted.specifier} is needed")
    told = ", ".join(f"{name} {metadata.version(name)}" for name in ("seatrial", *SHOWN) if _installed(name))
    if wrong:
        yield missing("libraries", "; ".join(wrong), f"{sys.executable} -m pip install --upgrade seatrial")
    else:
        yield ok("libraries", f"{told}, on Python {sys.version.split()[0]}")
    if not _installed("schemathesis"):
        yield note("libraries", "schemathesis is not installed: the contract check sends no generated requests",
                   f"{sys.executable} -m pip install 'seatrial[contracts]'")  # fmt: skip


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def worker(project: Project) -> Iterator[Line]:
    """Examine the environment that runs the pipeline and the model."""
    if project.command:
        program = shutil.which(project.command[0])
        found = f"behind {' '.join(project.command[:3])} …"
        yield (
            ok("worker", found)
            if program
            else missing(
                "worker",
                f"'{project.command[0]}' is not on PATH",
                "Install it, or correct 'command' in [tool.seatrial].",
            )
        )
        return
    if project.python == MODEL_PYTHON:
        there = shutil.which("uv") or _installed("uv")
        yield (
            ok("worker", "an environment of each version's own, built by uv")
            if there
            else missing(
                "worker", 'python = "model" needs uv', f"{sys.executable} -m pip install 'seatrial[environments]'"
            )
        )
        return
    if not project.python:
        yield ok("worker", f"seatrial's own interpreter, {sys.executable}")
        return
    yield _asked(project)


def _asked(project: Project) -> Line:
    python = project.root / project.python
    advice = f"Create the environment ({sys.executable} -m venv …), or correct 'python' in [tool.seatrial]."
    if not python.is_file():
        return missing("worker", f"there is no interpreter {project.python}", advice)
    try:
        done = subprocess.run(  # noqa: S603  the project's own interpreter
            [str(python), "-I", "-c", ASK, *WORKER], capture_output=True, text=True, timeout=SECONDS, check=True
        )
        release, found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return note("worker", f"{project.python} did not answer within {SECONDS:.0f} s", "Run seatrial doctor again.")
    except (OSError, subprocess.SubprocessError, ValueError):
        return missing("worker", f"{project.python} is no interpreter that runs", advice)
    lacking = [
        f"{name} >= {least}"
        for name, least in WORKER.items()
        if name not in found or Version(found[name]) < Version(least)
    ]
    if tuple(release) < OLDEST_PYTHON:
        return missing(
            "worker", f"{project.python} is Python {'.'.join(map(str, release))}; 3.10 is the oldest", advice
        )
    if lacking:
        packages = " ".join(f"'{each.replace(' ', '')}'" for each in lacking)
        advice = f"{project.python} -m pip install {packages}"
        return missing("worker", f"{project.python} lacks {', '.join(lacking)}", advice)
    told = ", ".join(f"{name} {version}" for name, version in found.items())
    return ok("worker", f"{project.python}: Python {'.'.join(map(str, release))}, {told}")


def isolation(project: Project) -> Iterator[Line]:
    """Examine what keeps a model apart on this machine."""
    from seatrial.isolation.launch import launch_of

    try:
        kind = launch_of(project).isolation
    except SeatrialError as error:
        advice = 'Install the package bubblewrap, or set isolation = "available" in [tool.seatrial].'
        yield missing("isolation", str(error).partition(". Install")[0], advice)
        return
    if kind in ("bubblewrap", "command"):
        yield ok("isolation", kind)
    else:
        yield note("isolation", f"{kind}: a model can read the files of this user", "Install the package bubblewrap.")


def disk(project: Project) -> Iterator[Line]:
    """Examine the space for models, references and reports."""
    place = next(path for path in (project.state, *project.state.parents) if path.exists())
    free = shutil.disk_usage(place).free
    told = f"{free / 1e9:.1f} GB free at {place}"
    if free < LEAST_BYTES:
        yield note("disk", told, "Models, references and reports of every version are kept there: free some space.")
    else:
        yield ok("disk", told)
