"""Results of earlier runs: kept under a digest of all that they follow from, and used again while that is the same.

``inputs.py`` says what a result follows from, ``store.py`` keeps results where only the project's key can write them,
``plan.py`` and ``results.py`` say how they are written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """What the command that started a validation says of earlier results.

    Attributes:
        reused: they are used again.
        written: files that the command writes itself, which no result follows from.
    """

    reused: bool
    written: tuple[Path, ...] = ()


ASKED: ContextVar[Asked | None] = ContextVar("seatrial_cache", default=None)
"""What the command of a person says; None where a schedule, a webhook or a server started the validation."""


@contextlib.contextmanager
def asked(reused: bool, written: Sequence[Path] = ()) -> Iterator[None]:
    """Say of the validations in the block whether they use earlier results."""
    token = ASKED.set(Asked(reused, tuple(written)))
    try:
        yield
    finally:
        ASKED.reset(token)
