"""The checks, one file each. A file here that defines ``check`` is found by its name; nothing else is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import iter_modules

from seatrial.errors import UsageError, unknown
from seatrial.trial import Check

ORDER = ("expectations", "golden", "invariants", "quality")  # told first what is cheapest to understand


def names() -> tuple[str, ...]:
    """Return the names of all checks, in the order they are asked."""
    found = sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_"))
    return tuple(sorted(found, key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n)))


def named(chosen: Iterable[str] | None = None, *, skip: Iterable[str] = ()) -> Sequence[Check]:
    """Import and return the chosen checks, all by default; UsageError names a check that is not there."""
    skipped = set(skip)
    wanted = list(chosen) if chosen is not None else list(names())
    known([*wanted, *skipped])
    return [import_module(f"{__name__}.{name}").check for name in wanted if name not in skipped]


def known(chosen: Iterable[str]) -> None:
    """Raise UsageError for a name that no check has, with the nearest one."""
    there = names()
    for name in chosen:
        if name not in there:
            raise UsageError(unknown("Check", name, there))
