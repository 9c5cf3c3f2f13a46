"""Shares sent by processes of this machine: fresh interpreters, one for each share, of loky's process pool.

Loky's, because a standard pool imports the caller's script again in each process, which would run it again where it
has no ``__name__`` guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from time import monotonic
from typing import Any

from seatrial.errors import TargetError
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.workers.shares import Share, offer_share

START_SECONDS = 120.0  # for every process to hold its share
HEAD_START = 0.3  # seconds between telling the start and that moment
_POLL_SECONDS = 0.2
_told: list[Any] = []  # in a worker: the semaphore that says it is ready, and the queue that tells the start


def offer_in_processes(shares: Sequence[Share], limit_seconds: float) -> list[LoadRun]:
    """Send each share in a process of its own, all from the same moment; the runs are in the order of the shares.

    Args:
        shares: of one schedule.
        limit_seconds: for all of them to end, once they have begun. Then the processes are killed.

    Raises:
        UsageError, TargetError: as :func:`seatrial.loadgen.workers.shares.offer_share`.
        TargetError: a process ended before it was done, or exceeded the limit.
    """
    from loky import ProcessPoolExecutor
    from loky.backend.context import get_context

    context = get_context("loky")
    ready, start = context.Semaphore(0), context.SimpleQueue()
    pool = ProcessPoolExecutor(len(shares), context=context, initializer=_hold, initargs=(ready, start))
    try:
        runs = [pool.submit(_offer_when_told, share) for share in shares]
        _wait_until(ready, runs)
        moment = monotonic() + HEAD_START
        for _ in shares:
            start.put(moment)
        until = moment + limit_seconds
        return [run.result(max(0.0, until - monotonic())) for run in runs]
    except BrokenProcessPool as error:
        raise TargetError(
            "A process of the load generator ended before it was done: it was killed, or memory ran out. "
            "Set fewer: [load] workers."
        ) from error
    except (TimeoutError, FutureTimeoutError) as error:
        raise TargetError(
            f"A process of the load generator was not done {limit_seconds:.0f} s after it began."
        ) from error
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _wait_until(ready: Any, runs: Sequence[Future[LoadRun]]) -> None:
    """Wait until each process holds its share; raise at once what ended one of them before."""
    until = monotonic() + START_SECONDS
    for _ in runs:
        while not ready.acquire(timeout=_POLL_SECONDS):
            for run in runs:
                if run.done():
                    run.result()
            if monotonic() > until:
                raise TargetError(
                    f"The processes of the load generator were not ready within {START_SECONDS:.0f} s. "
                    "Set fewer: [load] workers."
                )


def _hold(*told: Any) -> None:
    _told[:] = told


def _offer_when_told(share: Share) -> LoadRun:
    ready, start = _told
    ready.release()
    return offer_share(share, start.get())
