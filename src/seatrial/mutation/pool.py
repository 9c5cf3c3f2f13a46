"""Evaluate several mutants at a time, each on a replayer of its own, so that what one breaks affects no other.

Stages run in processes, one a mutant, each with a limit of time. What is compared is compared here, in threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from seatrial.errors import SeatrialError
from seatrial.mutation.forks import ForkedReplayer
from seatrial.pipeline import Replayer

T = TypeVar("T")
Report = Callable[[str], None]
Opener = Callable[[float], AbstractContextManager[Replayer]]
"""Returns a replayer without a mutant, whose stages may run for so many seconds."""

REASON_CHARACTERS = 500


class Status(StrEnum):
    """How an evaluation ended."""

    RETURNED = "returned"
    RAISED = "raised"  # an error of the mutation test itself, for an error of a stage is a result
    DIED = "died"  # the process of the stages
    TIMED_OUT = "timed out"
    LOST = "lost"  # the process that all of them are forked from ended meanwhile


@dataclass(frozen=True)
class Evaluation:
    """How an evaluation ended: with ``value``, or for a ``reason``; ``progress`` is the last that it reported."""

    value: Any = None
    status: Status = Status.RETURNED
    reason: str = ""
    progress: str = ""
    seconds: float = 0.0


def run_each(
    opener: Opener,
    work: Callable[[Replayer, T, Report], Any],
    tasks: Sequence[T],
    *,
    seconds: float,
    jobs: int = 0,
) -> Iterator[tuple[int, Evaluation]]:
    """Call ``work(replayer, task, report)`` for each task and yield each result, with the task's number, as it comes.

    Args:
        opener: returns a replayer.
        work: is called in a thread; ``report`` takes what is being done.
        tasks: one replayer each.
        seconds: that the stages of one task may take.
        jobs: tasks at once; as many as there are processors by default.
    """
    pool = ThreadPoolExecutor(jobs or processors(), thread_name_prefix="seatrial mutant")
    try:
        running = {pool.submit(_evaluated, opener, work, task, seconds): n for n, task in enumerate(tasks)}
        for ended in as_completed(running):
            yield running[ended], ended.result()
    finally:  # whoever stops here ends the processes too, and with them the threads
        pool.shutdown(wait=False, cancel_futures=True)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _evaluated(opener: Opener, work: Callable[[Replayer, T, Report], Any], task: T, seconds: float) -> Evaluation:
    begin, progress = time.monotonic(), [""]
    value, status, reason = None, Status.LOST, ""
    try:
        with opener(seconds) as replayer:
            try:
                value = work(replayer, task, progress.append)
                status = Status.RETURNED
            except Exception as error:  # noqa: BLE001  whatever it is, the others go on
                status, reason = Status.RAISED, f"{type(error).__name__}: {error}"
            if isinstance(replayer, ForkedReplayer) and replayer.broken is not None:
                value, status, reason = None, Status(replayer.ended), replayer.broken
    except SeatrialError as error:
        reason = str(error)
    if status is Status.TIMED_OUT:
        reason = f"it did not end within {seconds:g} s"
    return Evaluation(value, status, reason[:REASON_CHARACTERS], progress[-1], time.monotonic() - begin)
