"""What the checkpoint costs beside the comparison, and what stock expectations on the real frame would cost.

    python tests/bench/bench_expectations.py

Targets: the part spent in Great Expectations does not grow with the rows; a whole checkpointed stage costs at most
3 times a numpy loop that compares every block of every column; and it is at least 50 times faster than one stock
expectation a column on the frame itself, once each column has a null.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.gx import runner
from seatrial.checks.gx.judge import disagreement, judge_parity, judge_schema
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity

BLOCK = 16_384
REPEATS = 5


def frame_of(rows: int, columns: int, *, nulls: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    values = {f"c{i}": rng.normal(size=rows) for i in range(columns)}
    if nulls:
        for n, column in enumerate(values.values()):
            column[n] = np.nan
    return pd.DataFrame({"id": np.arange(rows), **values})


def best(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the shortest of several runs, in seconds: the others waited for something."""
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return min(spent)


def evaluated(expected: pd.DataFrame, actual: pd.DataFrame, parity: Parity) -> None:
    columns = list(expected.columns)
    schema, ran = judge_schema("stage", columns, actual), judge_parity("stage", columns, parity)
    assert not disagreement(schema, ran, parity)


def numpy_loop(expected: pd.DataFrame, actual: pd.DataFrame) -> int:
    """The yardstick: every block of every column, ``abs(a - b) <= rtol * abs(b)``, and nothing else."""
    wrong = 0
    for name in expected.columns:
        b, a = expected[name].to_numpy(), actual[name].to_numpy()
        for at in range(0, len(a), BLOCK):
            x, y = a[at : at + BLOCK], b[at : at + BLOCK]
            wrong += int(np.count_nonzero(~(np.abs(x - y) <= 1e-9 * np.abs(y)) & ~(np.isnan(x) & np.isnan(y))))
    return wrong


def flat() -> None:
    print("Great Expectations' part at 3 columns (target: flat)")
    base = 0.0
    for rows in (10_000, 1_000_000, 10_000_000):
        expected = frame_of(rows, 3)
        actual = expected.copy()
        parity = compare(expected, actual, key="id")
        seconds = best(lambda e=expected, a=actual, p=parity: evaluated(e, a, p))
        base = base or seconds
        print(f"  {rows:>10,} rows: {seconds * 1000:6.0f} ms   {seconds / base:.2f} × that of 10,000 rows")


def whole_stage(columns: int = 100, rows: int = 1_000_000) -> float:
    expected = frame_of(rows, columns, nulls=True)
    print(f"A whole stage of {columns} columns × {rows:,} rows, a null in each column (target: ≤ 3 ×)")
    stage = 0.0
    for name, actual in (("clean", expected.copy()), ("0.1 % changed", _changed(expected))):
        floor = best(lambda a=actual: numpy_loop(expected, a))
        only = best(lambda a=actual: compare(expected, a, key="id"))
        stage = best(lambda a=actual: evaluated(expected, a, compare(expected, a, key="id")))
        print(
            f"  {name:<14} numpy loop {floor:.3f} s, compare {only:.3f} s, whole stage {stage:.3f} s: "
            f"{stage / floor:.2f} × the loop"
        )
    return stage


def _changed(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    moved = frame.copy()
    for name in frame.columns[1:]:
        values = frame[name].to_numpy().copy()
        values[rng.integers(0, len(frame), len(frame) // 1000)] += 1
        moved[name] = values
    return moved


def stock(stage_seconds: float, columns: int = 100, rows: int = 1_000_000) -> None:
    import great_expectations.expectations as gxe

    frame = frame_of(rows, columns, nulls=True)
    expectations = [
        gxe.ExpectColumnValuesToBeBetween(column=c, min_value=-99, max_value=99) for c in frame.columns if c != "id"
    ]
    begin = time.perf_counter()
    ran = runner.run_suite("stock", expectations, frame)
    seconds = time.perf_counter() - begin
    assert len(ran.answers) == columns
    print(f"One stock expectation a column on the same frame (target: ≥ 50 ×)\n  {seconds:.1f} s: ", end="")
    print(f"{seconds / stage_seconds:.0f} × the whole stage (0.1 % changed)")


if __name__ == "__main__":
    begin = time.perf_counter()
    runner.warm_up()
    print(f"Import and context, once a process: {time.perf_counter() - begin:.1f} s")
    flat()
    stock(whole_stage())
