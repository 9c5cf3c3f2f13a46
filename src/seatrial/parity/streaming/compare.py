"""Compare two tables that need not fit in memory: what is counted is exact, what is explained comes from a sample."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from seatrial.errors import UsageError
from seatrial.parity.agreement.choose import Allowed
from seatrial.parity.streaming.comparison import Comparison, State
from seatrial.parity.streaming.hashing import ways
from seatrial.parity.streaming.partitions import Partitions, Split, count_of
from seatrial.parity.streaming.parts import KeysPartError, ascends, in_step
from seatrial.parity.streaming.runner import InProcess, Runner
from seatrial.parity.streaming.settled import Streamed
from seatrial.parity.streaming.tables import PART_BYTES, Dataset

_ALL = 2**62  # bytes


def compare_datasets(
    expected: Dataset,
    actual: Dataset,
    *,
    key: str | Sequence[str],
    columns: Sequence[str] | None = None,
    tolerances: Mapping[str, Allowed] | None = None,
    floors: Mapping[str, float] | None = None,
    worst: int = 5,
    distributions: bool = True,
    folder: Path | None = None,
    runner: Runner | None = None,
    part_bytes: int = PART_BYTES,
) -> Streamed:
    """Compare two tables row by row by ``key``, as :func:`seatrial.parity.compare.compare` does, in bounded memory.

    Both are read once where their rows are in one ascending order of the key. Else they are split by the hash of their
    keys into files that fit in memory, and read again. Counts, maxima and the rows named are those of all rows; scale,
    causes, pictures and distributions come from a sample of 20,000 rows and from 1,000 differing rows of each column.

    Args:
        expected: what training saw.
        actual: what is under trial.
        key: the column that names a row, or the columns that do together.
        columns: those that are compared; all by default.
        tolerances: what columns allow, by name or pattern.
        floors: recorded noise, added to a column's absolute tolerance, in the column's unit.
        worst: how many keys to name for a column, the largest difference first.
        distributions: also compare the distributions of the columns that differ.
        folder: where rows are kept while they are paired; by default a temporary one. All that the runner works on
            must reach it, and the files of both tables.
        runner: what works on parts of the tables; what is found does not depend on it. By default they are compared
            here, one after the other.
        part_bytes: about how many bytes of one table make a part.

    Raises:
        PipelineError: a table without a key column.
        PolicyError: a tolerance or floor that fits no column.
        UsageError: the rows are not in one order and the disk has no room to pair them; or a file changed meanwhile.
        TargetError: the runner has nothing left to work on.
    """
    with tempfile.TemporaryDirectory(prefix="seatrial-pairs-", dir=folder) as place:
        comparison = Comparison.of(
            expected, actual.schema, key=key, columns=columns, tolerances=tolerances, floors=floors, worst=worst,
            folder=Path(place),
        )  # fmt: skip
        at_once = part_bytes if runner else _ALL  # one process reads on, and holds no more of the tables for that
        runner = runner or InProcess()
        state = _in_step(comparison, actual, runner, at_once)
        state = state or _by_hash(comparison, actual, runner, part_bytes, Path(place))
        for side, found in ((expected, state.rows.expected), (actual, state.rows.actual)):
            if found != side.rows:
                raise UsageError(
                    f"{side.files[0]} had {side.rows:,} rows, with the files beside it, and {found:,} were read: it "
                    "changed meanwhile. Compare again."
                )
        return state.settled(distributions=distributions)


@dataclass(frozen=True)
class _Stretch:
    """Some rows that are in step in both tables: what was found, and their first and last key."""

    state: State
    keys: pa.Array


@dataclass(frozen=True)
class _InStep:
    """Compares some rows of two tables as long as they are in step."""

    comparison: Comparison
    actual: Dataset

    def __call__(self, within: range) -> _Stretch | None:
        todo, keys = self.comparison, list[pa.Array]()
        state = todo.empty()
        try:
            for part in in_step(todo.expected, self.actual, todo.names, todo.key[0], within):
                state.add(part)
                named = part.expected.column(todo.key[0])
                keys = [*keys[:1], named[:1], named[-1:]]
        except KeysPartError:
            return None
        return _Stretch(state.trimmed(), pa.concat_arrays([keys[0], keys[-1]]))


@dataclass(frozen=True)
class _Partition:
    """Compares one partition of two tables."""

    comparison: Comparison
    partitions: Partitions

    def __call__(self, number: int) -> State:
        state = self.comparison.empty()
        state.add(self.partitions.part(number))
        return state.trimmed()


def _in_step(comparison: Comparison, actual: Dataset, runner: Runner, part_bytes: int) -> State | None:
    """Compare two tables whose keys are the same in one ascending order; None where they are not."""
    expected, key = comparison.expected, comparison.key
    if expected.rows != actual.rows or len(key) != 1:
        return None
    for e, a in zip(expected.batches(key), actual.batches(key), strict=False):  # before others begin with the rest
        rows = min(e.num_rows, a.num_rows)
        if not e[:rows].equals(a[:rows]) or not ascends(e.column(0)):
            return None
        break
    whole, last = comparison.empty(), None
    parts = expected.ranges(comparison.names[0], part_bytes)
    for _, found in zip(parts, runner.map(_InStep(comparison, actual), parts), strict=True):
        if found is None or (last is not None and not ascends(pa.concat_arrays([last, found.keys[:1]]))):
            return None
        whole, last = whole.merge(found.state), found.keys[-1:]
    return whole


def _by_hash(comparison: Comparison, actual: Dataset, runner: Runner, part_bytes: int, folder: Path) -> State:
    """Compare two tables by partitions: every row of one key is in one of them, in the order of its table."""
    sides = comparison.expected, actual
    count, how = count_of(sides, comparison.schemas, folder, part_bytes), ways(comparison.schemas, comparison.key)
    places = folder / "expected", folder / "actual"
    splits = [
        Split(side, names, comparison.key, how, count, place)
        for side, names, place in zip(sides, comparison.names, places, strict=True)
    ]
    files = []
    for split in splits:
        split.folder.mkdir()
        ranges = split.side.ranges(split.names, part_bytes)
        files.append(tuple(file for _, file in zip(ranges, runner.map(split, ranges), strict=True)))
    partitions = Partitions((files[0], files[1]), (splits[0].schema, splits[1].schema), count)
    whole = comparison.empty()
    numbers = range(count)
    for _, state in zip(numbers, runner.map(_Partition(comparison, partitions), numbers), strict=True):
        whole = whole.merge(state)
    return whole
