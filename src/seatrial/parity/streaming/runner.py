"""What works on parts: one protocol, and the runners that need nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")
S = TypeVar("S")


class Runner(Protocol):
    """Does the same work on several parts.

    What is found must not depend on the runner: it yields results in the order of the parts, whichever is done first.
    """

    def map(self, work: Callable[[T], S], parts: Sequence[T]) -> Iterator[S]:
        """Yield what ``work`` returns for each part, in the order of the parts.

        Work, parts and results can be pickled. Work gives the same result whenever it is run, so that a part whose
        process is lost is run again. The rest of the parts need not be run once the iterator is closed, which ends the
        work.

        Args:
            work: what is done with a part.
            parts: those that there are.

        Raises:
            Exception: what ``work`` raised, at the place of its part.
            TargetError: no process is left that could do the work.
        """
        ...


class InProcess:
    """Does the work here, one part after the other.

    Example:
        >>> list(InProcess().map(str.upper, ["a", "b"]))
        ['A', 'B']
    """

    def map(self, work: Callable[[T], S], parts: Sequence[T]) -> Iterator[S]:
        """Yield what ``work`` returns for each part."""
        return map(work, parts)


@dataclass(frozen=True)
class Threads:
    """Does the work here on a few parts side by side: for work that another process does most of.

    Attributes:
        at_once: how many parts.

    Example:
        >>> list(Threads(2).map(str.upper, ["a", "b", "c"]))
        ['A', 'B', 'C']
    """

    at_once: int

    def map(self, work: Callable[[T], S], parts: Sequence[T]) -> Iterator[S]:
        """Yield what ``work`` returns for each part."""
        todo, begun, pool = iter(parts), deque[Future[S]](), ThreadPoolExecutor(self.at_once)
        try:
            begun.extend(pool.submit(work, part) for part in islice(todo, self.at_once))
            while begun:
                yield begun.popleft().result()
                begun.extend(pool.submit(work, part) for part in islice(todo, 1))
        finally:  # what still runs ends with whoever does most of it
            pool.shutdown(wait=False, cancel_futures=True)
