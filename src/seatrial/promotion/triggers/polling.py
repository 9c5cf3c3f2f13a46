"""Plan a scan of the registry from plain values: no clock, no network, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from seatrial.errors import UsageError, nearest
from seatrial.project import matches

CHANGED, LISTED, START = "changed", "listed", "start"  # the ledger's watermarks
SLACK_SECONDS = 600.0  # for clocks of registry servers that differ, and for late writers
FULL_SECONDS = 3_600.0  # between two listings of everything


class Named(Protocol):
    """A registered version, as far as its name."""

    @property
    def name(self) -> str:
        """The registered model."""

    @property
    def created(self) -> int:
        """When it was registered, milliseconds since 1970 by the registry's clock."""


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


def start_from(since: str, now: float) -> dict[str, float]:
    """Return the watermarks with which versions registered at ``since`` or later are validated, and all are listed.

    Args:
        since: a date or a time as ISO 8601 writes it, in UTC where it names no zone; ``all``; or ``now``.
        now: seconds since 1970.

    Raises:
        UsageError: none of these.

    Example:
        >>> start_from("2026-01-31", 0.0)
        {'start': 1769817600000.0, 'listed': 0.0}
    """
    if since == "now":
        at = now - SLACK_SECONDS  # the registry's clock may be behind
    elif since == "all":
        at = 0.0
    else:
        try:
            moment = datetime.fromisoformat(since)
        except ValueError as error:
            raise UsageError(
                f"--since '{since}' is no date. Write a date such as 2026-01-31, a time such as 2026-01-31T08:00, or "
                f"'all'.{nearest(since, ('all', 'now'))}"
            ) from error
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return {START: at * 1000, LISTED: 0.0}


def started(versions: Iterable[V], watermarks: Mapping[str, float]) -> list[V]:
    """Return the versions that were registered since the project's start; see :func:`start_from`."""
    return [v for v in versions if v.created >= watermarks.get(START, 0.0)]


def matching_models(versions: Iterable[V], models: Iterable[str]) -> list[V]:
    """Return the versions of this project's models; patterns are those of a shell (``payments-*``)."""
    patterns = list(models)
    return [v for v in versions if matches(v.name, patterns)]
