"""The checks, found by name: each is an entry point of the group ``seatrial.checks``, ours and those of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from seatrial import plugins
from seatrial.errors import UsageError, unknown

if TYPE_CHECKING:  # slow to import, and their names alone are known without it
    from seatrial.checks.base import Check


def names() -> tuple[str, ...]:
    """Return the names of all installed checks, the built-in ones first; nothing is imported."""
    return plugins.names("checks")


def named(chosen: Iterable[str] | None = None, *, skip: Iterable[str] = ()) -> Sequence[Check]:
    """Import and return the chosen checks in that order; by default all of them, those that cost least first.

    Raises:
        UsageError: no check has that name; or what a package registered under it is no check of that name.

    Example:
        >>> [check.name for check in named(["golden", "quality"], skip=["quality"])]
        ['golden']
    """
    skipped = set(skip)
    wanted = list(chosen) if chosen is not None else list(names())
    known([*wanted, *skipped])
    checks = [_load(name) for name in wanted if name not in skipped]
    return checks if chosen is not None else sorted(checks, key=lambda check: check.order)


def known(chosen: Iterable[str]) -> None:
    """Raise UsageError for a name that no check has, with the nearest one."""
    installed = names()
    for name in chosen:
        if name not in installed:
            raise UsageError(unknown("Check", name, installed))


def _load(name: str) -> Check:
    from seatrial.checks.base import Check

    check = plugins.load("checks", name)
    if not isinstance(check, Check) or check.name != name:
        raise plugins.misfit("checks", name, f"a seatrial.Check named '{name}'", check)
    return check
