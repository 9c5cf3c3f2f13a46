"""The pages on which a registry shows a version and the run of its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from seatrial.registry.lookup import named, of
from seatrial.registry.protocol import Version
from seatrial.sinks.links import Link


@runtime_checkable
class HasPages(Protocol):
    """A registry that shows versions and runs on pages of its own."""

    def pages(self, version: Version, run_id: str) -> Sequence[Link]:
        """Return the pages of a version, and of the run of its verdict where it has one."""
        ...


@runtime_checkable
class HasPagesOfMany(Protocol):
    """A registry that tells the pages of many versions in a few requests."""

    def pages_of_many(self, versions: Sequence[tuple[Version, str]]) -> Sequence[Sequence[Link]]:
        """Return the pages of each version, and of the run that is named with it; none that nothing serves."""
        ...


def pages_of_many(scheme: str, versions: Sequence[tuple[Version, str]]) -> Sequence[Sequence[Link]]:
    """Return the pages of each version and of its run; none where their registry cannot tell many at once.

    Args:
        scheme: of the registry.
        versions: each with the run that holds its verdict; empty where none is logged yet.

    Raises:
        UsageError: no such registry is installed.
        RegistryError: the registry does not answer.
    """
    registry = named(scheme)
    return registry.pages_of_many(versions) if isinstance(registry, HasPagesOfMany) else [()] * len(versions)


def pages(version: Version, run_id: str) -> tuple[Link, ...]:
    """Return the pages of a version and of a run; none where its registry has no pages.

    Args:
        version: the version.
        run_id: of the run that holds its verdict; empty where none is logged yet.

    Raises:
        RegistryError: the registry does not answer.
    """
    registry = of(version.uri)
    return tuple(registry.pages(version, run_id)) if isinstance(registry, HasPages) else ()
