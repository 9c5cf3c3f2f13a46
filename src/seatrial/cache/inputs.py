"""What the result of a case follows from, each part as a digest: where one of them changed, the case runs again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.cache import interpreter
from seatrial.cache.trees import contents
from seatrial.isolation.environment import cleaned
from seatrial.isolation.launch import Launch, secrets
from seatrial.project import MLFLOW_STORE, Project

FORMAT = 1
PROCESSOR = ("model name", "flags", "Features")  # the lines of /proc/cpuinfo that decide what numbers come out


@dataclass(frozen=True)
class Inputs:
    """The parts by name, each with a digest in hex.

    Example:
        >>> before, now = Inputs({"model": "1", "seed": "0"}), Inputs({"model": "2", "seed": "0"})
        >>> before.digest == now.digest, now.changed_from(before)
        (False, ['model'])
    """

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of all parts, in hex."""
        return digest_of(dict(self.parts))

    def changed_from(self, other: Inputs) -> list[str]:
        """Return the names of the parts that differ."""
        return [name for name in {**other.parts, **self.parts} if self.parts.get(name) != other.parts.get(name)]


def digest_of(value: object) -> str:
    """Return the SHA-256 of a value of JSON's types, in hex."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def surroundings(project: Project, launch: Launch, *, without: Sequence[Path] = ()) -> Inputs:
    """Return what results follow from that is not the version's own: the project, both environments, the machine.

    Args:
        project: all its files count, and those that ``readable`` names; of its state none does.
        launch: how the worker is started.
        without: files that the caller writes.

    Raises:
        TooManyFiles: there is too much to read.
        NotAsked: the worker's interpreter does not say what it imports.
    """
    root = Path(os.path.realpath(project.root))
    hidden = [*secrets(project), root / MLFLOW_STORE, *without]
    here, there = interpreter.THIS, interpreter.of_worker(launch)
    judge = interpreter.imported(here, root, without=hidden)
    return Inputs({
        "format": str(FORMAT),
        "project": contents(_folders(project, root), without=hidden),
        "judge": judge,
        "packages": judge if there == here else interpreter.imported(there, root, without=hidden),
        "worker": digest_of(_worker(launch)),
        "machine": digest_of(_machine()),
    })  # fmt: skip


def _folders(project: Project, root: Path) -> list[Path]:
    """Return the folders of the project that hold what a result may follow from, none inside another."""
    named = [project.pipeline_file.parent, project.expectations, *(root / path for path in project.readable)]
    outside = {Path(os.path.realpath(each)) for each in named}
    return [root, *sorted(each for each in outside if not each.is_relative_to(root))]


def _worker(launch: Launch) -> dict[str, object]:
    variables = cleaned(os.environ, launch.environment or (), home=Path("home"), mark="")
    return {
        "python": launch.python, "command": launch.command, "isolation": launch.isolation, "limits": {**launch.limits},
        "variables": variables, "readable": [str(path) for path in launch.readable],
    }  # fmt: skip


def _machine() -> dict[str, object]:
    """Return what may change numbers on this machine; as the environment check sees it."""
    found: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name = line.partition(":")[0].strip()
                if name in PROCESSOR:
                    found.setdefault(name, line)
                elif not line.strip():  # the other processors are like the first
                    break
    except OSError:
        pass
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    system = [platform.system(), platform.machine(), os.cpu_count(), affinity]
    return {"processor": found, "system": system, "zone": [time.tzname, time.timezone]}
