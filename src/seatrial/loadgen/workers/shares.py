"""A worker's share of a schedule: all that it needs to send it, as one value that can be sent to it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import TargetError
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Schedule


@dataclass(frozen=True, eq=False, repr=False)
class Share:
    """What one worker sends. It holds the secrets of the requests, so that its text shows nothing of it.

    It is no value that Prefect looks into for results of other tasks, and none that a library writes into a log.

    Attributes:
        url: of the service.
        schedule: when each of its own requests is due.
        options: the other arguments of :func:`seatrial.loadgen.client.offer`, but the moment of the start.
    """

    url: str
    schedule: Schedule
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Share({len(self.schedule):,} requests)"


def divided(
    workers: int,
    url: str,
    schedule: Schedule,
    payloads: Sequence[Any],
    *,
    order: Sequence[int] | None = None,
    connections: int = 256,
    keep: Collection[int] = (),
    expect: Sequence[bytes] = (),
    **options: Any,
) -> tuple[list[Share], list[NDArray[np.int64]]]:
    """Divide a schedule by its seed, so that every share is itself a Poisson process.

    Each share holds the payloads that it sends, and no others. The arguments are those of ``offer_by``.

    Returns:
        The shares, and for each the index in the whole schedule of each of its requests, shape (requests of it,). A
        worker whose share is empty has none.
    """
    turns = np.resize(np.arange(len(payloads)) if order is None else np.asarray(order), len(schedule))
    owners, kept = schedule.owners(workers), set(keep)
    places = [at for n in range(workers) if len(at := np.flatnonzero(owners == n))]
    shares = []
    for at in places:
        used, own = np.unique(turns[at], return_inverse=True)
        mine = {
            "payloads": [payloads[n] for n in used.tolist()],
            "expect": [expect[n] for n in used.tolist()] if expect else (),
            "order": own,
            "keep": [n for n, index in enumerate(at.tolist()) if index in kept],
            "connections": math.ceil(connections / workers),
        }
        shares.append(Share(url, Schedule(schedule.at[at], schedule.seconds), options | mine))
    return shares, places


def offer_share(share: Share, start_at: float) -> LoadRun:
    """Send a share, whose schedule starts at a moment of this machine's ``time.monotonic()``.

    Raises:
        UsageError: as :func:`seatrial.loadgen.client.offer`.
        TargetError: so does it, or the moment is over: the share would begin after the others.
    """
    if (late := monotonic() - start_at) > 0:
        raise TargetError(
            f"A worker of the load generator was told to start {late:.2f} s after the others had started, so that "
            "nothing was measured. Run it again while the workers and the network to them are less busy."
        )
    return offer(share.url, share.schedule, start_at=start_at, **share.options)
