"""The workers of a Dask cluster that send shares: which, on what machine, and how far their clocks are from ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

from seatrial.errors import TargetError, UsageError
from seatrial.formatting import plural
from seatrial.pipeline.address import is_loopback
from seatrial.process.dask.connection import network, require_same_seatrial

ROUND_TRIPS = 8


@dataclass(frozen=True)
class Peer:
    """A worker.

    Attributes:
        address: as the scheduler knows it.
        ahead: by how many seconds its wall clock is ahead of ours.
        unknown: how far off that may be, in seconds: half the shortest round trip to it.
    """

    address: str
    ahead: float
    unknown: float


def chosen(client: Any, scheduler: str, count: int, url: str) -> list[Peer]:
    """Choose so many workers of a cluster, idle ones first, on as many machines as there are.

    Args:
        client: of the cluster.
        scheduler: its address.
        count: how many.
        url: of the service.

    Raises:
        TargetError: there are too few; or seatrial cannot be imported there, or is another version.
        UsageError: the service is at a loopback address, and a worker on another machine.
    """
    tasks = client.processing()
    addresses = spread([*client.nthreads()], {address for address, own in tasks.items() if own})[:count]
    if len(addresses) < count:
        raise TargetError(
            f"The Dask cluster at {scheduler} has {plural(len(addresses), 'worker')}, and the load needs {count}, one "
            f"for each share: shares that are sent one after the other measure another load. Start more, or set "
            f"[load] workers = {max(1, len(addresses))}."
        )
    known = require_same_seatrial(client, scheduler, addresses)
    host = urlsplit(url).hostname or ""
    if is_loopback(host) and (remote := [address for address, there in known.items() if there != network()]):
        raise UsageError(
            f"The service is at {host}, which is another machine for {plural(len(remote), 'Dask worker')} "
            f"({', '.join(remote)}). Validate a service that they reach, by its address: --target, or "
            "Service(url=…). Or remove cluster from [load]."
        )
    return [Peer(address, *clock(client, address)) for address in addresses]


def spread(addresses: Sequence[str], busy: set[str]) -> list[str]:
    """Return addresses so that the first so many are idle before busy, and on as many machines as possible.

    Example:
        >>> spread(["tcp://a:1", "tcp://a:2", "tcp://b:1"], set())
        ['tcp://a:1', 'tcp://b:1', 'tcp://a:2']
    """
    turns, place = Counter[tuple[bool, str]](), {}
    for address in sorted(addresses):
        group = (address in busy, urlsplit(address).hostname or "")
        place[address] = (address in busy, turns[group], address)
        turns[group] += 1
    return sorted(addresses, key=place.__getitem__)


def clock(client: Any, address: str) -> tuple[float, float]:
    """Return by how many seconds a worker's wall clock is ahead of ours, and how far off that may be.

    The worker's answer is taken as of the middle of the shortest of several round trips, so that half of that trip is
    the most that it is wrong by (Cristian, Distributed Computing 3, 1989).
    """
    trips = []
    for _ in range(ROUND_TRIPS):
        begin, ours = monotonic(), time()
        (theirs,) = client.run(time, workers=[address]).values()
        half = (monotonic() - begin) / 2
        trips.append((half, theirs - ours - half))
    half, ahead = min(trips)
    return ahead, half
