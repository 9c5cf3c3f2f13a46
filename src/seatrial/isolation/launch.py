"""How a worker is started: with which interpreter, behind what, within which limits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from seatrial.errors import IsolationError, UsageError, nearest
from seatrial.isolation import bubblewrap, namespaces
from seatrial.project import MEBIBYTE, MODEL_PYTHON, Project

NAMESPACES = Path(namespaces.__file__)
PACKAGE = Path(__file__).parent.parent
IN_CONTAINER = 'cd "$0" 2> /dev/null || cd /; exec env "$@"'  # a folder of the machine may not be there

Isolation = Literal["bubblewrap", "namespaces", "limits", "command", "none"]
"""What keeps a worker apart: a file system and processes of its own; processes of its own; limits of what it takes;
the command it runs behind, such as a container; or nothing."""


@dataclass(frozen=True)
class Folders:
    """The folders of one worker.

    Attributes:
        root: a temporary folder, which holds the others.
    """

    root: Path

    def make(self) -> Folders:
        """Make those in the root, and return them."""
        for folder in (self.frames, self.home, self.models, self.site, self.empty):
            folder.mkdir()
        return self

    @property
    def frames(self) -> Path:
        """Return where frames are exchanged."""
        return self.root / "frames"

    @property
    def home(self) -> Path:
        """Return its home, where it may write."""
        return self.root / "home"

    @property
    def models(self) -> Path:
        """Return where models are, which it may read."""
        return self.root / "models"

    @property
    def empty(self) -> Path:
        """Return a folder without anything, to lie over what must not be seen."""
        return self.root / "empty"

    @property
    def site(self) -> Path:
        """Return the folder from which it imports seatrial, and nothing else."""
        return self.root / "site"


@dataclass(frozen=True)
class Launch:
    """How a worker is started.

    Attributes:
        python: its interpreter.
        command: the command it runs behind, such as a container's; ``{volumes}`` stands for the folders it needs.
        isolation: what keeps it apart.
        own: it has the interpreter that this process has, with all its packages.
        environment: names of variables that the project passes on, besides those of any program; None for all.
        hidden: folders that it must not see, where it has a file system of its own.
        readable: folders that it needs to see.
        limits: ``memory_bytes``, ``processes``, ``file_bytes`` and ``log_bytes``.
        logs: where its log and those of its services go.
        folder: the one it runs in, behind a command; that of this process by default.
        engines: container engines that its services may be started with, outside of the isolation.
        numeric: variables of libraries of numbers that it gets in place of those of the process that starts it.
    """

    python: str = sys.executable
    command: tuple[str, ...] = ()
    isolation: Isolation = "none"
    environment: tuple[str, ...] | None = None
    hidden: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    logs: Path | None = None
    folder: Path | None = None
    engines: tuple[str, ...] = ()
    numeric: Mapping[str, str] | None = None

    @property
    def own(self) -> bool:
        """Return whether it has the interpreter of this process."""
        return self.python == sys.executable and not self.command

    @property
    def stages_models(self) -> bool:
        """Return whether it sees a model only where it is put for it."""
        return self.isolation in ("bubblewrap", "command")

    def argv(self, command: Sequence[str], folders: Folders, variables: Mapping[str, str], folder: str) -> list[str]:
        """Return the command that runs a command where the worker runs.

        Args:
            command: the command.
            folders: of the worker.
            variables: that it gets where it would not inherit those of the process that is started.
            folder: the one it runs in; likewise.
        """
        if self.command:
            assigned = [f"{name}={value}" for name, value in variables.items()]
            return [*self._filled(folders), "sh", "-c", IN_CONTAINER, folder, *assigned, *command]
        if self.isolation == "bubblewrap":
            return [
                *bubblewrap.arguments(
                    readable=[*self.readable, *imported(self.python)],
                    hidden=self.hidden,
                    needed=[*prefixes(self.python), PACKAGE, folders.site, folders.models],
                    writable=[folders.frames, folders.home],
                ),
                *command,
            ]
        if self.isolation == "namespaces":
            return [sys.executable, "-I", "-S", str(NAMESPACES), *_found(command, self.python)]
        return list(command)

    def _filled(self, folders: Folders) -> list[str]:
        words: list[str] = []
        for word in self.command:
            if word != "{volumes}":
                words.append(word)
                continue
            read_only = dict.fromkeys([*self.readable, PACKAGE, folders.site, folders.models])
            for folder in filter(Path.exists, read_only):  # an engine makes what is missing, as root
                words += ["-v", f"{folder}:{folder}:ro"]
            for path in (p for p in self.hidden if p.exists() and any(map(p.is_relative_to, self.readable))):
                words += ["-v", f"{folders.empty if path.is_dir() else '/dev/null'}:{path}:ro"]
            for folder in (folders.frames, folders.home):
                words += ["-v", f"{folder}:{folder}:rw"]
        return words


def launch_of(project: Project, python: str | None = None) -> Launch:
    """Return how the worker of a project is started.

    Args:
        project: the project.
        python: the interpreter; by default the one that the project names, or that of this process.

    Raises:
        IsolationError: the project requires isolation that cannot be had here.
        UsageError: there is no such interpreter.
    """
    limits = project.limits
    command = tuple(project.command)
    chosen = python or (project.python if project.python != MODEL_PYTHON else "")
    if command:
        chosen = chosen or "python3"
    elif chosen:
        chosen = _interpreter(project.root, chosen)
    kind: Isolation = "command" if command else strongest()
    if project.isolation == "required" and kind not in ("bubblewrap", "command"):
        raise IsolationError(
            "The project requires isolation, and bubblewrap cannot be used here. Install it (the package 'bubblewrap' "
            "of most distributions), and let the kernel make user namespaces; or set isolation to "
            "'available' in [tool.seatrial]."
        )
    return Launch(
        python=chosen or sys.executable,
        command=command,
        isolation=kind,
        environment=project.environment,
        hidden=secrets(project),
        readable=(project.root, *(project.root / path for path in project.readable)),
        limits={
            "memory_bytes": limits.memory_mb * MEBIBYTE, "processes": limits.processes,
            "file_bytes": limits.file_mb * MEBIBYTE, "log_bytes": limits.log_mb * MEBIBYTE,
        },
        logs=project.state / "logs",
        folder=project.root,
        engines=project.engines,
    )  # fmt: skip


def secrets(project: Project) -> tuple[Path, ...]:
    """Return the files and folders of the judge on this machine: state, keys, ledger, and a local MLflow's store."""
    key = os.environ.get("SEATRIAL_SIGNING_KEY")
    stores = [os.environ.get(n, "") for n in ("SEATRIAL_LEDGER_URL", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")]
    named = [Path(s.removeprefix("sqlite:///").removeprefix("file://")) for s in stores if _is_local(s)]
    artifacts = [Path(s) for s in (os.environ.get("_MLFLOW_SERVER_ARTIFACT_ROOT", ""),) if s and _is_local(s)]
    beside = [project.root / name for name in ("mlruns", "mlartifacts", "mlflow.db")]
    return (project.state, *([Path(key)] if key else []), *named, *artifacts, *beside)


def _is_local(store: str) -> bool:
    return bool(store) and ("://" not in store or store.startswith(("sqlite:///", "file://")))


def _interpreter(root: Path, python: str) -> str:
    found = str(root / python) if (root / python).is_file() else shutil.which(python)
    if found is None:
        beside = [str(p.relative_to(root)) for p in root.glob("*/bin/python")]
        raise UsageError(
            f"[tool.seatrial] python is '{python}', and there is no such interpreter below {root}."
            f"{nearest(python, beside) or (f' There is {beside[0]}.' if beside else '')}"
        )
    return found


@cache
def strongest() -> Isolation:
    """Return what keeps a worker apart best on this machine."""
    if bubblewrap.works():
        return "bubblewrap"
    tried = subprocess.run([sys.executable, "-I", "-S", str(NAMESPACES)], check=False)  # noqa: S603
    return "namespaces" if tried.returncode == 0 else "limits"


def prefixes(python: str) -> tuple[Path, ...]:
    """Return the folders of an interpreter and of its packages; it is not run for that."""
    if python == sys.executable:
        own = [Path(sys.prefix), Path(sys.base_prefix)]
    else:
        own = [Path(os.path.abspath(python)).parents[1], Path(python).resolve().parents[1]]
    return tuple(dict.fromkeys(own))


def imported(python: str) -> tuple[Path, ...]:
    """Return the further folders from which this process imports, but none that holds what users keep."""
    if python != sys.executable:
        return ()
    emptied = [Path(p) for p in bubblewrap.EMPTIED]
    found = dict.fromkeys(Path(os.path.abspath(p)) for p in sys.path if p and os.path.exists(p))
    return tuple(p for p in found if not any(place.is_relative_to(p) for place in emptied))


def _found(command: Sequence[str], python: str) -> list[str]:
    """Return a command whose program is a path; it is looked up beside the interpreter first."""
    places = [*filter(None, [os.path.dirname(python)]), os.environ.get("PATH", os.defpath)]
    return [shutil.which(command[0], path=os.pathsep.join(places)) or command[0], *command[1:]]
