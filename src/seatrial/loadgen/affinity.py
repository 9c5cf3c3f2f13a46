"""Cores of their own for the generator and for what it asks: a request that waits behind the service is sent late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seatrial.errors import UsageError


@dataclass(frozen=True)
class Cores:
    """The cores of each; None stands for all there are."""

    generator: frozenset[int] | None = None
    service: frozenset[int] | None = None


EVERYWHERE = Cores()


def apart(workers: int) -> Cores:
    """Return a core for each of the generator's processes, and the rest for the service.

    Raises:
        UsageError: there are not enough for both, or this platform does not say.
    """
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(there) <= workers:
        found = f"there are {len(there)}" if there else "this platform does not say which there are"
        raise UsageError(f"reserve_cores takes {workers} for the generator and one or more for the service; {found}.")
    return Cores(frozenset(there[-workers:]), frozenset(there[:-workers]))


@contextmanager
def on(cores: frozenset[int] | None) -> Iterator[None]:
    """Run this thread, and the processes it starts, on these cores."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
