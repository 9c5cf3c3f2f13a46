"""What the process that loads a model may take before it is ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seatrial.errors import ProjectError, unknown

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """The ``[tool.seatrial.isolation]`` of a project. Memory and processes are counted over all that was
    started, which needs Linux.

    Attributes:
        load_seconds: for reading the pipeline and the policy, and again for loading the models.
        question_seconds: for one question, such as a whole load test.
        memory_mb: resident memory in MiB; pages that two processes share count twice.
        processes: how many at a time, the services on trial and what they start included.
        file_mb: the largest file that may be written, in MiB.
        log_mb: how much of what is printed is kept, in MiB.
    """

    load_seconds: float = 300
    question_seconds: float = 1800
    memory_mb: int = 8192
    processes: int = 128
    file_mb: int = 4096
    log_mb: int = 16

    @classmethod
    def read(cls, settings: Any, where: str) -> Limits:
        """Return the limits a project sets; ProjectError names a setting that is misspelt or no positive number."""
        if not isinstance(settings, Mapping):
            raise ProjectError(f"{where}: 'isolation' is {type(settings).__name__}; it is a table of limits.")
        known = [f.name for f in fields(cls)]
        for name, value in settings.items():
            if name not in known:
                raise ProjectError(f"{where}: {unknown('Limit', name, known)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ProjectError(f"{where}: '{name}' is {value!r}; it is a number above 0.")
            if not name.endswith("_seconds") and value != int(value):
                raise ProjectError(f"{where}: '{name}' is {value!r}; it is a whole number.")
        return cls(**{n: v if n.endswith("_seconds") else int(v) for n, v in settings.items()})
