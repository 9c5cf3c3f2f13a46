"""Speed of comparing vectors in cells against numpy's own loop over the same memory.

    python tests/bench/bench_cells.py [--rows 1000000] [--width 128] [--repeat 3] [--check]

Ours: ``compare(expected, actual, key="id")`` on two frames of an ``id`` and one column of vectors, Arrow lists of
float32: keys aligned, types compared, every number held to the default tolerance, largest differences taken.
numpy's: ``abs(a - b) <= atol + rtol * abs(b)`` and a count, in blocks of 16,384 numbers, on the flat array that the
same column holds. Two cases: equal vectors made anew, and vectors of which each number differs in its last bits.
``--check`` ends with 1 when ours takes more than 3 × numpy's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from seatrial.parity.compare import compare

BLOCK = 16_384
LIMIT = 3.0


def frame(numbers: np.ndarray, width: int) -> pd.DataFrame:
    """Return vectors as a column of Arrow lists over the given memory."""
    lists = pa.LargeListArray.from_arrays(np.arange(0, len(numbers) + 1, width, dtype="i8"), pa.array(numbers))
    return pd.DataFrame({"id": np.arange(len(lists)), "vector": pd.arrays.ArrowExtensionArray(lists)})


def numpy_loop(b: np.ndarray, a: np.ndarray) -> int:
    """The yardstick."""
    unequal = 0
    for start in range(0, len(a), BLOCK):
        x, y = a[start : start + BLOCK], b[start : start + BLOCK]
        unequal += len(x) - int(np.count_nonzero(np.abs(x - y) <= 0.0 + 1.3e-6 * np.abs(y)))
    return unequal


def best(repeat: int, *works: Callable[[], object]) -> list[float]:
    """Return the best seconds of each, measured in turn so that a busy machine is busy for all."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeat):
        for work, taken in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in seconds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="end with 1 when the target is missed")
    args = parser.parse_args()
    numbers = np.random.default_rng(7).random(args.rows * args.width, dtype="f4")
    cases = {"equal": numbers.copy(), "each differs in its last bits": np.nextafter(numbers, np.float32(9))}
    expected, missed = frame(numbers, args.width), False
    print(f"{args.rows:,} rows × {args.width} float32", flush=True)
    for case, other in cases.items():
        actual = frame(other, args.width)
        assert compare(expected, actual, key="id").ok
        ours, theirs = best(
            args.repeat,
            lambda actual=actual: compare(expected, actual, key="id"),
            lambda other=other: numpy_loop(numbers, other),
        )
        missed |= ours > LIMIT * theirs
        said = "MISSED" if ours > LIMIT * theirs else "ok"
        print(
            f"{case:32} {ours:8.3f} s, numpy {theirs:8.3f} s: {ours / theirs:6.2f} × (≤ {LIMIT:g} ×) {said}", flush=True
        )
    return int(args.check and missed)


if __name__ == "__main__":
    sys.exit(main())
