"""Extensions by name: entry points of the installed packages, seatrial's own among them.

A package adds a check, target, fault, sink, registry, tracker or fixture source in its own ``pyproject.toml``::

    [project.entry-points."seatrial.checks"]
    fairness = "my_package.fairness:check"

It is then listed, selected and reported like the built-in ones, and is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

from seatrial.errors import UsageError, unknown

Group = Literal["checks", "targets", "faults", "sinks", "registries", "trackers", "fixtures"]
KINDS: Mapping[Group, str] = {
    "checks": "Check",
    "targets": "Target",
    "faults": "Fault",
    "sinks": "Sink",
    "registries": "Registry",
    "trackers": "Tracker",
    "fixtures": "Fixture source",
}
OWN = "seatrial"


@dataclass(frozen=True)
class Extension:
    """One installed extension.

    Attributes:
        kind: what it is, such as ``Check``.
        name: as users select it.
        package: the distribution that brings it.
        version: of that distribution.
        location: ``module:object``.
    """

    kind: str
    name: str
    package: str
    version: str
    location: str


@cache
def found(group: Group) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name, the built-in ones first; nothing is imported.

    Raises:
        UsageError: two installed packages give the same name, or seatrial itself is not installed.
    """
    by_name: dict[str, EntryPoint] = {}
    points = sorted(
        entry_points(group=f"{OWN}.{group}"), key=lambda point: (package_of(point) != OWN, point.name, point.value)
    )
    for point in points:
        other = by_name.setdefault(point.name, point)
        if (package_of(other), other.value) != (package_of(point), point.value):
            raise UsageError(
                f"{KINDS[group]} '{point.name}' is defined by two installed packages, {package_of(other)} and "
                f"{package_of(point)}. Uninstall one of them."
            )
    if not any(package_of(point) == OWN for point in points):
        raise UsageError(
            f"seatrial's own {group} are not registered: its installation is incomplete or out of date. "
            "Install it again: pip install --force-reinstall --no-deps seatrial"
        )
    return by_name


def names(group: Group) -> tuple[str, ...]:
    """Return the names in a group, the built-in ones first; nothing is imported.

    Example:
        >>> "rest+http" in names("targets")
        True
    """
    return tuple(found(group))


def load(group: Group, name: str) -> Any:
    """Import and return an extension; what it is depends on the group.

    Raises:
        UsageError: no installed package has it, with the nearest name; or importing it fails, with the package.

    Example:
        >>> load("checks", "golden").name
        'golden'
    """
    points = found(group)
    if name not in points:
        raise UsageError(unknown(KINDS[group], name, points))
    point = points[name]
    try:
        return point.load()
    except Exception as error:
        raise UsageError(
            f"{KINDS[group]} '{name}' of package {package_of(point)} cannot be imported from {point.value}: "
            f"{type(error).__name__}: {error}. Repair or uninstall {package_of(point)}."
        ) from error


def misfit(group: Group, name: str, expected: str, made: object) -> UsageError:
    """Return the error for an extension that is not what its group expects; it names the package.

    Args:
        group: where it is registered.
        name: under which name.
        expected: what it should be, such as ``a seatrial.Check``.
        made: what it is.
    """
    package = package_of(found(group)[name])
    return UsageError(
        f"{KINDS[group]} '{name}' of package {package} is {type(made).__name__} {made!r:.80}; it must be {expected}."
    )


def listed() -> list[Extension]:
    """Return every installed extension, group by group, the built-in ones first; nothing is imported.

    Example:
        >>> [each.package for each in listed() if each.name == "golden"]
        ['seatrial']
    """
    return [
        Extension(KINDS[group], name, package_of(point), point.dist.version if point.dist else "", point.value)
        for group in get_args(Group)
        for name, point in found(group).items()
    ]


def package_of(point: EntryPoint) -> str:
    """Return the name of the package that an entry point belongs to."""
    return point.dist.name if point.dist else "an unknown package"
