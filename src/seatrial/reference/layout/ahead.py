"""The next partition is read while one is worked on, and the one before is judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def read_ahead(read: Callable[[S], T], parts: Sequence[S]) -> Iterator[T]:
    """Yield what ``read`` returns for each part in turn; of the parts that wait for their turn, one is read.

    Example:
        >>> list(read_ahead(str.upper, ["a", "b"]))
        ['A', 'B']
    """
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(read, part) for part in parts[:1]]
        for at in range(len(parts)):
            found = coming.pop().result()
            coming += [pool.submit(read, part) for part in parts[at + 1 : at + 2]]
            yield found


def behind(judge: Callable[[S], T], parts: Iterable[S]) -> Iterator[T]:
    """Yield what ``judge`` returns for each part in turn; meanwhile the next part is made, in the thread of the caller.

    Example:
        >>> list(behind(str.upper, ["a", "b"]))
        ['A', 'B']
    """
    with ThreadPoolExecutor(1) as pool:
        judged = deque[Future[T]]()
        for part in parts:
            judged.append(pool.submit(judge, part))
            if len(judged) > 1:
                yield judged.popleft().result()
        yield from (each.result() for each in judged)
