"""What an interpreter imports, as a digest: its release, and all that is installed where it looks for packages."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from seatrial.errors import SeatrialError
from seatrial.isolation.environment import cleaned, search_path
from seatrial.isolation.launch import Folders, Launch
from seatrial.orchestration.results.trees import contents, installed

ASK = "import json, os, sys; print(json.dumps([sys.version, os.path.dirname(os.__file__), sys.path]))"
ASK_SECONDS = 30
PACKAGES = ("site-packages", "dist-packages")  # a folder of one of these names has installed packages alone


class NotAsked(SeatrialError):
    """An interpreter did not say what it imports."""


@dataclass(frozen=True)
class Interpreter:
    """The release of an interpreter, the folder of its standard library, and its search path."""

    release: str
    stdlib: str
    path: tuple[str, ...]


THIS = Interpreter(sys.version, os.path.dirname(os.__file__), tuple(sys.path))
"""The interpreter of this process, as it was when this module was imported: loading files adds folders to the path."""


def of_worker(launch: Launch) -> Interpreter:
    """Return the interpreter that a worker would have: it is asked, kept apart as the worker is.

    Raises:
        NotAsked: it does not answer.
    """
    if launch.own:
        return THIS
    if launch.command:
        raise NotAsked("what is in a container, or behind another command, is not known here")
    with tempfile.TemporaryDirectory(prefix="seatrial-imports-") as root:
        folders = Folders(Path(root)).make()
        variables = cleaned(os.environ, launch.environment or (), home=folders.home, mark="imports")
        variables["PYTHONPATH"] = search_path(folders.site, own=False)
        cwd = str(launch.folder or os.getcwd())
        try:
            done = subprocess.run(  # noqa: S603
                launch.argv([launch.python, "-c", ASK], folders, variables, cwd),
                env=variables, cwd=cwd, capture_output=True, timeout=ASK_SECONDS, check=True,
            )  # fmt: skip
            release, stdlib, path = json.loads(done.stdout.splitlines()[-1])
        except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
            raise NotAsked(f"{launch.python} does not say what it imports") from error
        return Interpreter(release, stdlib, tuple(each for each in path if not each.startswith(root)))


def imported(interpreter: Interpreter, root: Path, *, without: Collection[Path] = ()) -> str:
    """Return the digest of what an interpreter imports, in hex.

    The standard library is that of its release. What is in the project itself is left out: it counts as the project's.

    Args:
        interpreter: whose search path is read.
        root: of the project.
        without: files and folders that are left out.

    Raises:
        TooManyFiles: there is too much of it.
    """
    paths = [Path(os.path.realpath(each)) for each in filter(None, interpreter.path)]
    packages = [path for path in paths if path.name in PACKAGES]
    known = [root, Path(os.path.realpath(interpreter.stdlib)), *packages]
    others = [path for path in paths if not _is_within(path, known) and path.exists()]
    digest, links = installed(packages)
    edited = [path for path in _elsewhere(links) if not _is_within(path, [root, *others])]
    order = [str(path) for path in (*packages, *others)]
    more = [contents(folders, without=without) for folders in (others, edited)]
    return hashlib.sha256(json.dumps([interpreter.release, order, digest, *more]).encode()).hexdigest()


def _elsewhere(links: Sequence[Path]) -> list[Path]:
    """Return the folders that packages are imported from which are not where packages are: linked, or to be edited."""
    found = set[Path]()
    for link in links:
        try:
            if link.is_dir():
                found.add(Path(os.path.realpath(link)))
                continue
            said: Any = json.loads(link.read_bytes())
            if said.get("dir_info", {}).get("editable"):
                found.add(Path(os.path.realpath(unquote(urlsplit(said["url"]).path))))
        except (OSError, ValueError, KeyError, AttributeError):
            continue
    return sorted(found)


def _is_within(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
