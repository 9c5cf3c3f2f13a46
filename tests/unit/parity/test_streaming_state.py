"""States of parts of a comparison: merged in whatever groups, and wherever they were made, they are that of all."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.parity.agreement.text import Text
from seatrial.parity.columns import of_arrow
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.parity.streaming import Comparison, Part, State, compare_datasets, dataset
from seatrial.parity.streaming.hashing import hashes, ways
from seatrial.parity.streaming.runner import InProcess
from seatrial.parity.tolerance import Tolerance

TOLERANCES = {"f": Tolerance(share=0.4), "t": Text("casefold")}
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("f", pa.float64()),
        ("n", pa.int64()),
        ("t", pa.string()),
        ("c", pa.dictionary(pa.int32(), pa.string())),
        ("l", pa.list_(pa.float64())),
        ("s", pa.struct([("x", pa.float64()), ("y", pa.string())])),
        ("at", pa.timestamp("us")),
    ]
)
NUMBERS, WORDS = (None, 0.0, 1.0, 1.5, 1e300, float("inf"), 1.0 + 1e-12), (None, "a", "A", "b")


def rows(rng: np.random.Generator, keys: Sequence[int | None]) -> list[Any]:
    """Rows of these keys, with few values of each kind, so that many are the same."""

    def one_of(cells: Sequence[Any]) -> Any:
        return cells[rng.integers(len(cells))]

    return [
        (
            key, one_of(NUMBERS), one_of((None, 0, 1, 2)), one_of(WORDS), one_of(WORDS),
            one_of((None, [], [1.0], [one_of(NUMBERS), one_of(NUMBERS)])),
            one_of((None, {"x": one_of(NUMBERS), "y": one_of(WORDS)})),
            one_of((None, pd.Timestamp(2024, 1, 1), pd.Timestamp(2024, 1, 1, int(rng.integers(24))))),
        )
        for key in keys
    ]  # fmt: skip


def table(cells: Sequence[Any]) -> pa.Table:
    return pa.table([[c[n] for c in cells] for n in range(len(SCHEMA))], schema=SCHEMA)


def parts_of(expected: pa.Table, actual: pa.Table, owners: Sequence[int]) -> Iterator[Part]:
    """The rows of both, those of one key in one part."""
    at = [
        np.array([owners[(key or 0) % len(owners)] for key in side["id"].to_pylist()], int)
        for side in (expected, actual)
    ]
    for owner in sorted(set(owners)):
        e, a = (np.flatnonzero(side == owner) for side in at)
        took = [side.take(pa.array(own)).combine_chunks() for side, own in ((expected, e), (actual, a))]
        yield Part(*(t.to_batches()[0] if t.num_rows else pa.RecordBatch.from_pylist([], SCHEMA) for t in took), e, a)


def merged(states: list[State], pick: Callable[[int], int], *, sent: bool) -> State:
    """Merge neighbours, the next pair as ``pick`` chooses, until one is left."""
    while len(states) > 1:
        at = pick(len(states) - 1)
        pair = [pickle.loads(pickle.dumps(state.trimmed())) if sent else state for state in states[at : at + 2]]
        states[at : at + 2] = [pair[0].merge(pair[1])]
    return states[0]


def without_ties(parity: Parity) -> dict[str, Any]:
    """What was found, without which of several cells is named first where they hold others that differ as much."""
    found = dataclasses.asdict(parity)
    for column in found["columns"]:
        if column["column"] in ("l", "s"):
            del column["worst_keys"], column["worst_path"]
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), size=st.integers(0, 60), count=st.integers(1, 7), data=st.data())
@example(seed=1, size=60, count=7, data=None)
def test_however_parts_are_made_and_merged(
    seed: int, size: int, count: int, data: st.DataObject | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In one after the other, in any tree, through other processes: always what the comparison in memory finds."""
    folder, rng = tmp_path_factory.mktemp("any"), np.random.default_rng(seed)
    keys: list[int | None] = rng.permutation(size).tolist()
    again = [*keys[3:], *keys[: size // 9], None, 99][:: rng.choice([1, -1])] if seed % 3 else keys
    expected = rows(rng, keys if seed % 2 else [None, *keys, *keys[:2]])
    owners = rng.integers(0, count, 12).tolist()
    pick = (lambda most: 0) if data is None else lambda most: data.draw(st.integers(0, most - 1))
    known = {row[0]: row for row in expected}
    changed = [known.get(row[0], row) if rng.random() < 0.7 else row for row in rows(rng, again)]
    was, now = table(expected), table(changed)
    pq.write_table(was, folder / "expected.parquet", row_group_size=5)
    of = Comparison.of(
        dataset(folder / "expected.parquet"), SCHEMA, key="id", tolerances=TOLERANCES, floors={"f": 0.1}, folder=folder
    )
    parts = list(parts_of(was, now, owners))
    one = of.empty()
    for part in parts:
        one.add(part)
    states = []
    for part in parts:
        states.append(of.empty())
        states[-1].add(part)
    tree = merged(states, pick, sent=bool(seed % 2))
    frames = [side.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True) for side in (was, now)]
    want = compare(*frames, key="id", tolerances=TOLERANCES, floors={"f": 0.1})
    assert without_ties(one.settled().parity) == without_ties(want)
    assert tree.settled() == one.settled()
    assert {*tree.scales} == {*one.scales}


class Elsewhere:
    """Runs parts as other processes would: sent there and back, in any order, now and then twice."""

    def __init__(self) -> None:
        self.parts = 0

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        done, order = {}, np.random.default_rng(3)
        for at in [*order.permutation(len(parts)), *order.permutation(len(parts))[::3]]:
            done[at] = pickle.dumps(pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(parts[at]))))
        self.parts += len(parts)
        return (pickle.loads(done[at]) for at in range(len(parts)))


def large(rows: int = 3_000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": rng.random(rows),
            "y": rng.random(rows).astype("float32"),
            "c": pd.Categorical(rng.choice(list("abc"), rows)),
            "l": [list(each) for each in rng.random((rows, 2))],
        }
    )


def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
    """A few of each kind differ, in several ranges."""
    every = frame["id"] % 211 == 3
    frame["l"] = [[*cell[:1], cell[1] + n] if n % 313 == 5 else cell for n, cell in enumerate(frame["l"])]
    frame["c"] = frame["c"].where(~every, "a").astype("category")
    return frame.assign(x=lambda f: f["x"].mask(every, f["x"] * 1.5), y=lambda f: (f["y"] * 1.00001).astype("float32"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that are smaller than ranges."""
    monkeypatch.setattr("seatrial.parity.streaming.tables.BATCH_ROWS", 150)


def pair(expected: pd.DataFrame, actual: pd.DataFrame, folder: Path, groups: tuple[int, int] = (170, 400)) -> Any:
    for name, frame, group in zip(("expected", "actual"), (expected, actual), groups, strict=True):
        pq.write_table(
            pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet", row_group_size=group
        )
    return tuple(dataset(folder / f"{name}.parquet") for name in ("expected", "actual"))


@pytest.mark.parametrize("shuffled", [False, True])
def test_what_is_found_does_not_depend_on_the_runner(shuffled: bool, tmp_path: Path, monkeypatch: Any) -> None:
    """Row groups that begin elsewhere, categories, floats of both widths: to the last bit."""
    monkeypatch.setattr("seatrial.parity.streaming.comparison.SAMPLE", 400)
    actual = spoilt(large())
    tables = pair(large(), actual.sample(frac=1, random_state=1) if shuffled else actual, tmp_path)
    runner = Elsewhere()
    here = compare_datasets(*tables, key="id", part_bytes=20_000, runner=InProcess())
    assert compare_datasets(*tables, key="id", part_bytes=20_000, runner=runner) == here
    assert runner.parts > 5
    assert [c.column for c in here.parity.columns if not c.ok] == ["x", "y", "c", "l"]
    assert here.parity.row_order_ok is not shuffled
    assert here.sample < 400 < here.parity.rows_compared == 3_000


@pytest.mark.parametrize("key", ["id", ["id", "x"]])
def test_a_result_that_is_missing_is_no_smaller_table(key: Any, tmp_path: Path) -> None:
    """Of a runner that forgets a part, and of a file that loses rows meanwhile: nothing is found."""

    class Forgets(Elsewhere):
        def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
            return super().map(work, parts[:-1])

    tables = pair(large(1_000), large(1_000), tmp_path)
    with pytest.raises(ValueError, match="shorter"):
        compare_datasets(*tables, key=key, part_bytes=20_000, runner=Forgets())
    pair(large(900), large(900), tmp_path, (85, 200))
    with pytest.raises((UsageError, pa.ArrowInvalid, IndexError)):
        compare_datasets(*tables, key=key, part_bytes=20_000)


def test_keys_that_part_where_a_range_begins(tmp_path: Path) -> None:
    """Each range ascends, and the second begins with the last key of the first: two rows of one key."""
    begin = pair(large(1_000), large(1_000), tmp_path)[0].ranges(large(1).columns, 20_000)[1].start
    frame = large(1_000).assign(id=lambda f: np.where(f["id"] == begin, begin - 1, f["id"]))
    found = compare_datasets(*pair(frame, frame, tmp_path), key="id", part_bytes=20_000, runner=Elsewhere())
    assert found.repeated == 1
    assert found.parity.rows_compared == 999


def test_a_range_is_told_by_the_files_alone(tmp_path: Path) -> None:
    one, other = pair(large(1_000), large(1_000), tmp_path)
    ranges = one.ranges(one.schema.names, 20_000)
    assert [*ranges[0], *ranges[1]] == list(range(ranges[1].stop))
    assert sum(map(len, ranges)) == 1_000
    assert {r.start % 170 for r in ranges} == {0}
    for within in (*ranges, range(333, 801), range(0, 1), range(999, 1_000)):
        cells = [cell for batch in other.batches(["id"], within) for cell in batch.column(0).to_pylist()]
        assert cells == list(within)


KEYS: dict[str, tuple[pa.Array, pa.Array]] = {
    "text": (pa.array(["a", "b", None]), pa.array(["a", "b", None], pa.large_string())),
    "categories": (pa.array(["a", "b", "a"]).dictionary_encode(), pa.array(["a", "b", "a"])),
    "whole numbers": (pa.array([1, 2, 3], pa.int8()), pa.array([1, 2, 3], pa.uint64())),
    "floats": (pa.array([1, 0, 3]), pa.array([1.0, -0.0, 3.0])),
    "decimals": (pa.array([1, 2, 3]), pa.array([1, 2, 3], pa.decimal128(9, 2))),
    "times": (pa.array([1, -2, 3], pa.timestamp("s")), pa.array([10**9, -2 * 10**9, 3 * 10**9], pa.timestamp("ns"))),
    "zones": (pa.array([1, 2, 3], pa.timestamp("s", "UTC")), pa.array([1, 2, 3], pa.timestamp("s", "Asia/Tokyo"))),
    "dates": (pa.array([1, 2, 3], pa.date32()), pa.array([d * 86_400_000 for d in (1, 2, 3)], pa.date64())),
    "bytes": (pa.array([b"a", b"b", b"c"]), pa.array([b"a", b"b", b"c"], pa.large_binary())),
}


@pytest.mark.parametrize("kind", KEYS)
def test_equal_keys_have_equal_hashes(kind: str) -> None:
    """Whatever type holds them on either side: else rows that belong together come apart."""
    sides = [pa.table({"id": cells}) for cells in KEYS[kind]]
    how = ways([side.schema for side in sides], ["id"])
    one, other = (hashes([of_arrow(side["id"])], how).tolist() for side in sides)
    assert one == other
    assert len(set(one)) == len(set(KEYS[kind][1].to_pylist()))


def test_a_key_has_the_same_hash_in_every_process() -> None:
    """Python's own hashes of text, bytes and times have another seed in each."""
    cells = [pa.array([b"a"]), pa.array([1], pa.date32()), pa.array([1], pa.time32("s")), pa.array(["a"])]
    found = [int(hashes([of_arrow(keys)], ["own"])[0]) for keys in cells]
    assert found == [1418026878, 638171009, 777475680, 13950350934595563002]
