"""Speed of the parity kernel against yardsticks measured in the same run.

    python tests/bench/bench_parity.py [--rows 1000000] [--columns 100] [--repeat 5] [--gx] [--check]

Every figure is the best of the repeats, both sides taken in turn. ``--check`` ends with 1 when a target is
missed. ``--gx`` adds Great Expectations with one stock expectation a column, which takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.compare import compare

BLOCK = 16_384


@dataclass(frozen=True)
class Row:
    """One line of the table: our seconds, the yardstick's, and the ratio that is allowed."""

    what: str
    ours: float
    yardstick: float
    against: str
    limit: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.yardstick

    @property
    def missed(self) -> bool:
        if self.limit is None:
            return False
        return self.yardstick / self.ours < self.limit if self.at_least else self.ratio > self.limit


def best(repeat: int, *works: Callable[[], object]) -> list[float]:
    """Return the best seconds of each, measured in turn so that a busy machine is busy for all."""
    seconds = [[] for _ in works]
    for _ in range(repeat):
        for work, taken in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in seconds]


def numpy_loop(expected: pd.DataFrame, actual: pd.DataFrame, names: list[str], nan_equal: bool) -> int:
    """The yardstick: abs(a - b) <= atol + rtol * abs(b) in blocks, on the same memory."""
    unequal = 0
    for name in names:
        b, a = expected[name].to_numpy(), actual[name].to_numpy()
        for start in range(0, len(a), BLOCK):
            x, y = a[start : start + BLOCK], b[start : start + BLOCK]
            good = np.abs(x - y) <= 0.0 + 1e-9 * np.abs(y)
            if nan_equal:
                good |= np.isnan(x) & np.isnan(y)
            unequal += len(x) - int(np.count_nonzero(good))
    return unequal


def floats(rows: int, columns: int, *, dirty: bool, layout: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two frames, equal, or with 1 % nulls in both and 0.1 % of the values changed in the second."""
    rng = np.random.default_rng(7)
    if layout == "columns":
        e = {f"f{i}": rng.random(rows) for i in range(columns)}
    else:
        block = rng.random((rows, columns))
        e = {f"f{i}": block[:, i] for i in range(columns)}
    if dirty:
        for values in e.values():
            values[rng.integers(0, rows, rows // 100)] = np.nan
    if layout == "columns":
        a = {name: values.copy() for name, values in e.items()}
    else:
        other = block.copy()
        a = {f"f{i}": other[:, i] for i in range(columns)}
    if dirty:
        for values in a.values():
            values[rng.integers(0, rows, rows // 1000)] *= 1.5
    keys = np.arange(rows) * 7 + 3
    if layout == "columns":
        return tuple(pd.DataFrame({"id": keys, **side}, copy=False) for side in (e, a))
    frames = tuple(pd.DataFrame(b, columns=list(e), copy=False) for b in (block, other))
    for frame in frames:
        frame["id"] = keys
    return frames


def peak_bytes(work: Callable[[], object]) -> int:
    """Return how many bytes numpy and Python allocated at once while working."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def bench_floats(rows: int, columns: int, repeat: int) -> list[Row]:
    table = []
    for layout in ("columns", "block"):
        for dirty, limit in ((False, 1.3), (True, 2.0)):
            e, a = floats(rows, columns, dirty=dirty, layout=layout)
            names = [name for name in e.columns if name != "id"]
            assert compare(e, a, key="id").ok is not dirty
            ours, theirs = best(
                repeat,
                lambda e=e, a=a: compare(e, a, key="id"),
                lambda e=e, a=a, names=names, dirty=dirty: numpy_loop(e, a, names, dirty),
            )
            said = "1 % nulls, 0.1 % changed" if dirty else "clean"
            table.append(Row(f"float64, {layout}, {said}", ours, theirs, "numpy in blocks", limit))
    return table


def bench_shuffled(rows: int, columns: int, repeat: int) -> list[Row]:
    e, _ = floats(rows, columns, dirty=False, layout="columns")
    order = np.random.default_rng(3).permutation(rows)
    back = np.argsort(order)
    a = e.iloc[order].reset_index(drop=True)
    assert compare(e, a, key="id").ok
    ours, theirs = best(repeat, lambda: compare(e, a, key="id"), lambda: a.take(back))
    return [Row("float64, shuffled keys", ours, theirs, "the bare take", 1.5)]


def bench_memory(rows: int, columns: int) -> list[Row]:
    table = []
    for layout in ("columns", "block"):
        e, a = floats(rows, columns, dirty=True, layout=layout)
        shuffled = a.sample(frac=1, random_state=1)
        held = int(e.memory_usage().sum() + a.memory_usage().sum())
        for said, other in (("aligned", a), ("shuffled", shuffled)):
            grown = peak_bytes(lambda e=e, other=other: compare(e, other, key="id"))
            what = f"peak GB, {layout}, {said}"
            table.append(Row(what, (held + grown) / 1e9, held / 1e9, "the two frames", 1.1))
    return table


def bench_arrow(rows: int, columns: int, repeat: int) -> list[Row]:
    rng = np.random.default_rng(5)
    count = max(1, columns // 10)
    words = np.array([f"merchant-{i:04d}" for i in range(5000)])
    texts = {f"s{i}": pd.array(words[rng.integers(0, 5000, rows)], dtype="string[pyarrow]") for i in range(count)}
    whole = {f"i{i}": rng.integers(0, 10**12, rows) for i in range(count)}
    labels = {f"c{i}": pd.Categorical.from_codes(rng.integers(0, 5000, rows), words) for i in range(count)}
    table = []
    for what, data in (("Arrow strings", texts), ("integers", whole), ("categoricals", labels)):
        e, a = (
            pd.DataFrame({"id": np.arange(rows), **data}),
            pd.DataFrame({"id": np.arange(rows), **data}).copy(deep=True),
        )
        pairs = [(_arrow(e[name]), _arrow(a[name])) for name in data]
        assert compare(e, a, key="id").ok
        ours, theirs = best(
            repeat,
            lambda e=e, a=a: compare(e, a, key="id"),
            lambda pairs=pairs: [pc.all(pc.equal(x, y)) for x, y in pairs],
        )
        table.append(Row(f"{what}, {count} columns", ours, theirs, "pyarrow.compute.equal", 2.0))
    return table


def _arrow(series: pd.Series) -> pa.Array:
    array = pa.array(series)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def bench_others(rows: int, columns: int) -> list[Row]:
    import datacompy

    e, a = floats(rows, columns, dirty=False, layout="columns")
    dirty_e, dirty_a = floats(rows, columns, dirty=True, layout="columns")
    ours, pandas_seconds = best(
        3, lambda: compare(e, a, key="id"), lambda: pd.testing.assert_frame_equal(e, a, rtol=1e-9, atol=0)
    )
    dirty, datacompy_seconds = best(
        1,
        lambda: compare(dirty_e, dirty_a, key="id"),
        lambda: datacompy.PandasCompare(dirty_e, dirty_a, join_columns="id", rel_tol=1e-9).matches(),
    )
    return [
        Row("clean", ours, pandas_seconds, "pandas assert_frame_equal"),
        Row("1 % nulls, 0.1 % changed", dirty, datacompy_seconds, "datacompy"),
    ]


def bench_gx(rows: int, columns: int) -> list[Row]:
    """One stock pair expectation a column on the merged frame, as the manuals have it."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    e, a = floats(rows, columns, dirty=True, layout="columns")
    merged = e.merge(a, on="id", suffixes=("", "_served"))
    names = [name for name in e.columns if name != "id"]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    suite = gx.ExpectationSuite(
        name="s",
        expectations=[
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A=name, column_B=f"{name}_served", ignore_row_if="both_values_are_missing"
            )
            for name in names
        ],
    )
    batch.get_batch(batch_parameters={"dataframe": merged}).validate(suite, result_format="BOOLEAN_ONLY")
    ours, theirs = best(
        1,
        lambda: compare(e, a, key="id"),
        lambda: batch.get_batch(batch_parameters={"dataframe": merged}).validate(suite, result_format="BOOLEAN_ONLY"),
    )
    return [Row("1 % nulls, 0.1 % changed", ours, theirs, "one expectation a column", 50, at_least=True)]


def show(row: Row) -> None:
    goal = "" if row.limit is None else f"≥ {row.limit:g} ×" if row.at_least else f"≤ {row.limit:g}"
    verdict = "MISSED" if row.missed else "ok" if row.limit is not None else ""
    ratio = 1 / row.ratio if row.at_least else row.ratio
    said = f"{ratio:8.3f}  {goal:8} {verdict:7}"
    print(f"{row.what:44} {row.ours:9.4f} {row.yardstick:9.4f} {said} against {row.against}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--gx", action="store_true", help="also Great Expectations, one expectation a column")
    parser.add_argument("--check", action="store_true", help="end with 1 when a target is missed")
    parser.add_argument("--only", nargs="*", default=(), help="floats shuffled arrow memory others gx")
    args = parser.parse_args()
    size = (args.rows, args.columns)
    parts = {
        "floats": lambda: bench_floats(*size, args.repeat),
        "shuffled": lambda: bench_shuffled(*size, args.repeat),
        "arrow": lambda: bench_arrow(*size, args.repeat),
        "memory": lambda: bench_memory(*size),
        "others": lambda: bench_others(*size),
        "gx": lambda: bench_gx(*size),
    }
    print(f"{args.rows:,} rows × {args.columns} columns".replace(",", " "), flush=True)
    table: list[Row] = []
    for name, part in parts.items():
        if name in args.only or (not args.only and (name != "gx" or args.gx)):
            for row in part():
                show(row)
                table.append(row)
    return int(args.check and any(row.missed for row in table))


if __name__ == "__main__":
    sys.exit(main())
