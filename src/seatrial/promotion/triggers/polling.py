"""Plan a scan of the registry from plain values: no clock, no network, no database."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

CHANGED, LISTED = "changed", "listed"  # the ledger's watermarks
SLACK_SECONDS = 600.0  # for clocks of registry servers that differ, and for late writers
FULL_SECONDS = 3_600.0  # between two listings of everything


class Named(Protocol):
    """A registered version, as far as its name."""

    @property
    def name(self) -> str:
        """The registered model."""


class ListedVersion(Named, Protocol):
    """A registered version with the time of its last change."""

    @property
    def changed(self) -> int:
        """Milliseconds since 1970 by the registry's clock."""


V = TypeVar("V", bound=Named)


@dataclass(frozen=True)
class ScanPlan:
    """How far back to list the registry: to ``since``, in milliseconds since 1970; all of it with 0 and ``full``."""

    since: float
    full: bool


def plan_scan(watermarks: Mapping[str, float], now: float, full_seconds: float = FULL_SECONDS) -> ScanPlan:
    """Return how far back to list: what changed since the last scan, with some slack, or everything when that is due.

    Args:
        watermarks: of the ledger; empty before the first scan.
        now: by the ledger's clock, seconds since 1970.
        full_seconds: between two listings of everything.
    """
    if CHANGED not in watermarks or now - watermarks.get(LISTED, 0.0) >= full_seconds:
        return ScanPlan(0.0, full=True)
    return ScanPlan(max(watermarks[CHANGED] - SLACK_SECONDS * 1000, 1.0), full=False)


def watermarks_after(
    plan: ScanPlan, listed: Iterable[ListedVersion], watermarks: Mapping[str, float], now: float
) -> dict[str, float]:
    """Return the watermarks once every listed version is in the ledger. A watermark never decreases."""
    latest = max((float(v.changed) for v in listed), default=0.0)
    after = {CHANGED: max(latest, watermarks.get(CHANGED, 0.0))}
    return after | {LISTED: now} if plan.full else after


def matching_models(versions: Iterable[V], models: Iterable[str]) -> list[V]:
    """Return the versions of this project's models; patterns are those of a shell (``payments-*``)."""
    patterns = list(models)
    return [v for v in versions if any(fnmatch.fnmatchcase(v.name, p) for p in patterns)]
