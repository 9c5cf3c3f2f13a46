"""Extensions by name: entry points of the installed packages, seatrial's own among them.

A package adds a check, target, fault, sink, registry or source of fixtures by naming it in its own ``pyproject.toml``::

    [project.entry-points."seatrial.checks"]
    fairness = "my_package.fairness:check"

It is then listed, selected and reported like the built-in ones, and is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from seatrial.errors import UsageError, unknown

Group = Literal["checks", "targets", "faults", "sinks", "registries", "fixtures"]
KINDS: Mapping[Group, str] = {
    "checks": "Check",
    "targets": "Target",
    "faults": "Fault",
    "sinks": "Sink",
    "registries": "Registry",
    "fixtures": "Fixture source",
}
OWN = "seatrial"


@cache
def found(group: Group) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name, the built-in ones first; nothing is imported.

    Raises:
        UsageError: two installed packages give the same name, or seatrial itself is not installed.
    """
    there: dict[str, EntryPoint] = {}
    points = sorted(entry_points(group=f"{OWN}.{group}"), key=lambda point: (origin(point) != OWN, point.name))
    for point in points:
        if (other := there.setdefault(point.name, point)) is not point and other.value != point.value:
            raise UsageError(
                f"{KINDS[group]} '{point.name}' is defined by two installed packages, {origin(other)} and "
                f"{origin(point)}. Uninstall one of them."
            )
    if not any(origin(point) == OWN for point in points):
        raise UsageError(
            f"seatrial's own {group} are not registered: its installation is incomplete or out of date. "
            "Install it again: pip install --force-reinstall --no-deps seatrial"
        )
    return there


def names(group: Group) -> tuple[str, ...]:
    """Return the names in a group, the built-in ones first.

    Example:
        >>> "rest+http" in names("targets")
        True
    """
    return tuple(found(group))


def load(group: Group, name: str) -> Any:
    """Import and return an extension; what it is depends on the group.

    Raises:
        UsageError: no installed package has it, with the nearest name; or importing it fails, with the package.
    """
    there = found(group)
    if name not in there:
        raise UsageError(unknown(KINDS[group], name, there))
    point = there[name]
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{KINDS[group]} '{name}' of package {origin(point)} cannot be imported from {point.value}: {error}."
        ) from error


def origin(point: EntryPoint) -> str:
    """Return the name of the package that an entry point belongs to."""
    return point.dist.name if point.dist else "an unknown package"
