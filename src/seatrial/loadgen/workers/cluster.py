"""Shares sent by the workers of a Dask cluster, on as many machines as it has.

Each share goes to a worker of its own and waits there until all of them do. Then all start at one moment, which each
worker knows by its own clock: how far that is from ours is measured before and after. Whatever goes wrong on the way
makes no result, never a good or a bad one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, time
from typing import Any, Protocol
from uuid import uuid4

from seatrial.errors import SeatrialError, TargetError
from seatrial.formatting import plural
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.workers.peers import Peer, chosen, clock
from seatrial.loadgen.workers.shares import Share, offer_share
from seatrial.process.dask import connection

SETTING = "[load] cluster in service.toml"
START_SECONDS = 60.0  # for every worker to hold its share
HEAD_START = 1.0  # seconds between telling the start and that moment
MAX_APART_SECONDS = 0.1  # each share is a Poisson process: so small a shift between them is not seen in their sum
_POLL_SECONDS = 0.5


class Sent(Protocol):
    """A share on its way."""

    def done(self) -> bool:
        """Whether it has ended."""
        ...

    def result(self, timeout: float) -> LoadRun:
        """Return its run, or raise what it raised; TimeoutError where it has not ended after so many seconds."""
        ...


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster that is connected.

    Attributes:
        client: a ``distributed.Client``.
        submit: sends a share, and the name of its start, to the worker at an address, and to no other.
    """

    client: Any
    submit: Callable[[str, Share, str], Sent]


Connect = Callable[[str], AbstractContextManager[Cluster]]


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a Dask cluster by the address of its scheduler, until the block ends.

    Raises:
        UsageError: Dask is not installed.
        TargetError: no scheduler answers there.
    """
    with connection.connected(address, SETTING) as client:

        def submit(worker: str, share: Share, start: str) -> Sent:
            sent: Sent = client.submit(
                offer_when_told, share, start, workers=[worker], allow_other_workers=False, retries=0, pure=False
            )
            return sent

        yield Cluster(client, submit)


def offer_on_cluster(
    address: str, shares: Sequence[Share], limit_seconds: float, *, connect: Connect = connected
) -> tuple[list[LoadRun], float]:
    """Send each share from a worker of its own, all from the same moment.

    Args:
        address: of the scheduler.
        shares: of one schedule.
        limit_seconds: for all of them to end, once they have begun.
        connect: how the cluster is reached.

    Returns:
        The runs, in the order of the shares, and by how many seconds their starts may differ.

    Raises:
        UsageError: the service can be reached from this machine alone, and a worker is elsewhere.
        TargetError: there are fewer workers than shares, one ended before it was done, their clocks cannot be compared
            well enough, or what :func:`seatrial.loadgen.workers.shares.offer_share` raises.
    """
    with connect(address) as cluster:
        try:
            return _offered(cluster, address, shares, limit_seconds)
        except SeatrialError:
            raise
        except (Exception, CancelledError) as error:
            what = str(error).strip().partition("\n")[0][:200]
            raise TargetError(f"The Dask cluster at {address} could not send the load: {what or error!r}.") from error


def _offered(
    cluster: Cluster, address: str, shares: Sequence[Share], limit_seconds: float
) -> tuple[list[LoadRun], float]:
    from distributed import Event, Variable

    client, name = cluster.client, f"seatrial-{uuid4()}"
    peers = chosen(client, address, len(shares), shares[0].url)
    ready = {peer.address: Event(f"{name} {peer.address}", client=client) for peer in peers}
    start = Variable(name, client=client)
    try:
        sent = [cluster.submit(peer.address, share, name) for peer, share in zip(peers, shares, strict=True)]
        _wait_until(ready, client, peers, sent)
        moment = time() + HEAD_START
        start.set({peer.address: moment + peer.ahead for peer in peers})
        runs = _results(client, peers, sent, monotonic() + HEAD_START + limit_seconds)
    finally:
        with suppress(OSError, RuntimeError):
            start.delete()
            for each in ready.values():
                each.clear()
    return runs, _apart(client, peers)


def _wait_until(ready: Mapping[str, Any], client: Any, peers: Sequence[Peer], sent: Sequence[Sent]) -> None:
    """Wait until each worker holds its share; raise at once what ended one of them before."""
    until = monotonic() + START_SECONDS
    for address, event in ready.items():
        while not event.wait(_POLL_SECONDS):
            _all_there(client, peers)
            for each in sent:
                if each.done():
                    each.result(_POLL_SECONDS)
            if monotonic() > until:
                raise TargetError(
                    f"The Dask worker at {address} did not begin with the load within {START_SECONDS:.0f} s: other "
                    "work occupies it, or it has no free thread. Set fewer: [load] workers."
                )


def _results(client: Any, peers: Sequence[Peer], sent: Sequence[Sent], until: float) -> list[LoadRun]:
    """Wait for every run; raise as soon as one of them failed, or its worker is gone."""
    while open_ := [each for each in sent if not each.done()]:
        try:
            open_[0].result(_POLL_SECONDS)
        except TimeoutError:
            _all_there(client, peers)
            if monotonic() > until:
                raise TargetError(f"{plural(len(open_), 'Dask worker')} did not end the load in time.") from None
        for each in sent:
            if each.done():
                each.result(_POLL_SECONDS)
    return [each.result(_POLL_SECONDS) for each in sent]


def _all_there(client: Any, peers: Sequence[Peer]) -> None:
    there = client.nthreads()
    if gone := [peer.address for peer in peers if peer.address not in there]:
        raise TargetError(
            f"{plural(len(gone), 'Dask worker')} ended before the load was sent ({', '.join(gone)}), so that nothing "
            "was measured. See the log of the worker."
        )


def _apart(client: Any, peers: Sequence[Peer]) -> float:
    """Return by how much two starts may differ, from what is unknown of each clock and how it moved meanwhile."""
    if len(peers) < 2:
        return 0.0
    bounds = sorted(peer.unknown + abs(clock(client, peer.address)[0] - peer.ahead) for peer in peers)
    apart = bounds[-1] + bounds[-2]
    if apart > MAX_APART_SECONDS:
        raise TargetError(
            f"The Dask workers may have started up to {apart:.2f} s apart, allowed {MAX_APART_SECONDS:g} s: their "
            "clocks moved, or the network to them is slow. Nothing was measured. Synchronise their clocks (NTP)."
        )
    return apart


def offer_when_told(share: Share, start: str) -> LoadRun:
    """Run as a task of a Dask worker: say that the share is here, wait for the moment of the start, and send it.

    Args:
        share: what to send.
        start: the name of the variable that tells each worker its start, and the first part of the names of the events
            that say that they are ready.

    Raises:
        UsageError, TargetError: as :func:`seatrial.loadgen.workers.shares.offer_share`.
    """
    from distributed import Event, Variable, get_client, get_worker

    client, own = get_client(), get_worker().address
    Event(f"{start} {own}", client=client).set()
    moment = float(Variable(start, client=client).get(timeout=START_SECONDS)[own])
    return offer_share(share, monotonic() + moment - time())
