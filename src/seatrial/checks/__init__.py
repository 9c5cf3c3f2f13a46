"""The checks: each is a package or module here with a ``check`` in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module

from seatrial.checks.base import Check
from seatrial.errors import UsageError, unknown

CHECKS = {  # told first what is cheapest to understand
    "expectations": "seatrial.checks.expectations.check",
    "golden": "seatrial.checks.golden.check",
    "invariants": "seatrial.checks.invariants.check",
    "quality": "seatrial.checks.quality.check",
    "contract": "seatrial.checks.contract.check",
    "environment": "seatrial.checks.environment",
    "load": "seatrial.checks.load.check",
    "resilience": "seatrial.checks.resilience.check",
}


def names() -> tuple[str, ...]:
    """Return the names of all checks, in the order they are asked."""
    return tuple(CHECKS)


def named(chosen: Iterable[str] | None = None, *, skip: Iterable[str] = ()) -> Sequence[Check]:
    """Import and return the chosen checks, all by default; UsageError names a check that is not there."""
    skipped = set(skip)
    wanted = list(chosen) if chosen is not None else list(names())
    known([*wanted, *skipped])
    return [import_module(CHECKS[name]).check for name in wanted if name not in skipped]


def known(chosen: Iterable[str]) -> None:
    """Raise UsageError for a name that no check has, with the nearest one."""
    there = names()
    for name in chosen:
        if name not in there:
            raise UsageError(unknown("Check", name, there))
