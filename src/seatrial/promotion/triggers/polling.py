"""When to look at what, decided from plain values: no clock, no network, no database."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

CHANGED, LISTED = "changed", "listed"  # the ledger's marks
SLACK_SECONDS = 600.0  # by which clocks of registry servers may differ, and a late writer be late
FULL_SECONDS = 3_600.0  # between two listings of everything


class Changed(Protocol):
    """A registered version that knows when it last changed."""

    @property
    def name(self) -> str:
        """The registered model."""

    @property
    def changed(self) -> int:
        """Milliseconds since 1970 by the registry's clock."""


V = TypeVar("V", bound=Changed)


@dataclass(frozen=True)
class Look:
    """How far back to list the registry: to ``since``, milliseconds since 1970; 0 and ``full`` is all of it."""

    since: float
    full: bool


def next_look(marks: Mapping[str, float], now: float, full_seconds: float = FULL_SECONDS) -> Look:
    """Return how far to look now: what changed since the last look, with some slack, or everything when it is time.

    Args:
        marks: of the ledger; none before the first look.
        now: by the ledger's clock, seconds since 1970.
        full_seconds: between two listings of everything.
    """
    if CHANGED not in marks or now - marks.get(LISTED, 0.0) >= full_seconds:
        return Look(0.0, full=True)
    return Look(max(marks[CHANGED] - SLACK_SECONDS * 1000, 1.0), full=False)


def marks_after(look: Look, seen: Iterable[Changed], marks: Mapping[str, float], now: float) -> dict[str, float]:
    """Return the marks once everything that was seen is in the ledger. A mark never goes back."""
    latest = max((float(v.changed) for v in seen), default=0.0)
    after = {CHANGED: max(latest, marks.get(CHANGED, 0.0))}
    return after | {LISTED: now} if look.full else after


def wanted(versions: Iterable[V], models: Iterable[str]) -> list[V]:
    """Return the versions of the models that are this project's, each pattern as in a shell (``payments-*``)."""
    patterns = list(models)
    return [v for v in versions if any(fnmatch.fnmatchcase(v.name, p) for p in patterns)]
