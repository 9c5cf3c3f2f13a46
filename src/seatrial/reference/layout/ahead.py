"""The next partition is read while one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
