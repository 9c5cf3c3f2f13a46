"""Separate cores for the generator and the service: a request that waits for a core behind the service is sent late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seatrial.errors import UsageError


@dataclass(frozen=True)
class Cores:
    """The cores on which generator and service run, by the numbers of the operating system; None is every core."""

    generator: frozenset[int] | None = None
    service: frozenset[int] | None = None


UNRESTRICTED = Cores()


def reserve_cores(workers: int) -> Cores:
    """Return one core for each process of the generator, and the remaining ones for the service.

    Raises:
        UsageError: no core is left for the service, or this platform does not list its cores.

    Example:
        On a machine of four cores:

        >>> reserve_cores(1)
        Cores(generator=frozenset({3}), service=frozenset({0, 1, 2}))
    """
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(available) <= workers:
        found = f"there are {len(available)}" if available else "this platform does not list its cores"
        raise UsageError(
            f"reserve_cores takes {workers} for the generator and at least one for the service; {found}. "
            "Remove reserve_cores from [load], or set fewer workers."
        )
    return Cores(frozenset(available[-workers:]), frozenset(available[:-workers]))


@contextmanager
def pinned_to(cores: frozenset[int] | None) -> Iterator[None]:
    """Restrict this thread, and the processes it starts, to these cores until the block ends.

    Example:
        >>> with pinned_to(frozenset({0, 1})):
        ...     service = subprocess.Popen(command)
    """
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
