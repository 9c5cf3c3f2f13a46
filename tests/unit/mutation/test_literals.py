"""What the reached code compares with becomes rows at, just below and just above."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from seatrial import Pipeline, capture
from seatrial.mutation.candidates import candidates_of
from seatrial.mutation.literals import COMBINED_ROWS, MOST_ROWS, Literal, boundary_rows, literals_of
from seatrial.worker.reachability import Definition

CODE = {
    "frame['amount'] > 1000": {(1000, "amount")},
    "1000 < frame.loc[:, 'amount'].abs()": {(1000, "")},
    "frame['amount'].abs() >= -2.5": {(-2.5, "amount")},
    "frame['tier'] == 'PREMIUM'": {("PREMIUM", "tier")},
    "frame['tier'].isin(['A', 'B'])": {("A", "tier"), ("B", "tier")},
    "frame['amount'].between(1, LIMIT)": {(1, "amount"), (40, "amount")},
    "frame['amount'] > LIMIT": {(40, "amount")},
    "frame['amount'] > HIGH": {(90, "amount")},
    "frame['tier'].map(RATES)": {("x", "tier"), ("y", "tier")},
    "frame['tier'].map({'q': 1})": {("q", "tier"), ("q", "")},
    "frame.query('amount > 7 and tier == \"Z\"')": {(7, ""), ("Z", "")},
    "frame.query('amount > 7')": {(7, "amount")},
    "frame['tier'].str.len() > 12": {(12, "tier")},
    "frame['flag'] == True": set(),
    "[1000, 'unused']": set(),
}


@pytest.mark.parametrize("code", CODE)
def test_what_code_compares_with_is_found(code, tmp_path):
    """Numbers and texts, with the column that stands beside them; what is compared with nothing is none."""
    file = tmp_path / "p.py"
    file.write_text(
        f"LIMIT = 40; LOW, HIGH = 5, 90\nRATES = {{'x': 1.5, 'y': 2}}\ndef use(frame):\n    return {code}\n"
    )
    found = literals_of([Definition(file, "use", 3, 4, ("a",)), Definition(file, "LIMIT", 1, 2, ("a",))])
    table = {("x", ""), ("y", "")}  # the keys of a table of this file are tried on every column of text
    assert {(v.value, v.column) for v in found} - table == CODE[code] - table
    assert all(v.place.startswith("p.py:") for v in found)


FIELDS = pa.table({
    "amount": pa.array([1.5, 2.5], pa.float64()), "single": pa.array([1.5, 2.5], pa.float32()), "count": [1, 2],
    "small": pa.array([1, 2], pa.int8()), "tier": ["a", "b"], "price": pa.array([1, 2], pa.decimal128(9, 2)),
    "at": pa.array([0, 1], pa.timestamp("us")), "flag": [True, False],
})  # fmt: skip


def tried(value, column=""):
    rows, origins = boundary_rows(FIELDS, [Literal(value, column, "p.py:1")], frozenset(), 0)
    assert len(rows) == len(origins)
    assert rows.schema == FIELDS.schema
    frame = rows.to_pandas()
    return {c: set(frame[c]) - set(FIELDS.to_pandas()[c]) for c in FIELDS.column_names}


def test_a_number_is_tried_in_the_type_of_its_column():
    """At it, at the next numbers that the type has, and one below and above; where the type has it at all."""
    found = tried(1000, "amount")
    assert {1000.0, 999.0, 1001.0} < found["amount"]
    assert any(1000 < v < 1000.001 for v in found["amount"])
    assert any(999.999 < v < 1000 for v in found["amount"])
    assert not found["count"]
    everywhere = tried(1000)
    assert everywhere["count"] == {999, 1000, 1001}
    assert any(1000 < v < 1000.1 for v in everywhere["single"])
    assert (everywhere["small"], everywhere["tier"], everywhere["flag"]) == (set(), set(), set())
    assert {str(v) for v in everywhere["price"]} == {"999.00", "1000.00", "1001.00"}
    assert tried(0.5, "count")["count"] == {0}


def test_a_text_is_tried_with_its_neighbours():
    """Other cases, one letter less and more; a date where the column holds dates."""
    assert {"PREMIUM", "premium", "PREMIU", "PREMIUM_"} <= tried("PREMIUM", "tier")["tier"]
    assert {len(v) for v in tried(12, "tier")["tier"]} == {11, 12, 13}
    assert pd.Timestamp("2025-03-01") in tried("2025-03-01 00:00:00")["at"]


def test_rows_are_bounded_and_keep_what_is_fixed():
    """However many literals there are; the keys of dependencies have recorded answers alone."""
    many = [Literal(n, "", "p.py:1") for n in range(5_000)]
    rows, _ = boundary_rows(FIELDS, many, frozenset({"count"}), 0)
    assert len(rows) <= MOST_ROWS + COMBINED_ROWS
    assert set(rows["count"].to_pylist()) == {1, 2}
    assert boundary_rows(FIELDS, [], frozenset(), 0)[1] == []


def test_branches_within_branches_are_tried():
    """One row has the values of several literals at once."""
    both = [Literal(1000, "amount", "p.py:1"), Literal("PREMIUM", "tier", "p.py:2")]
    frame = boundary_rows(FIELDS, both, frozenset(), 0)[0].to_pandas()
    assert ((frame["amount"] == 1000) & (frame["tier"] == "PREMIUM")).any()


def test_a_boundary_that_no_recorded_row_reaches_is_among_the_candidates():
    """Without the literal, no row has the amount; with it some have, and say where it comes from."""
    path = Pipeline("shop", key="id", a=lambda f: f, b=lambda f: f.assign(big=f["amount"] > 1000))
    reference = capture(path, pd.DataFrame({"id": range(40), "amount": [n + 0.25 for n in range(40)]}))
    before, _ = candidates_of(path, reference, 200, 0)
    after, origins = candidates_of(path, reference, 200, 0, [Literal(1000, "amount", Path("p.py").name + ":3")])
    assert not before["amount"].between(999, 1001).any()
    at = after.index[after["amount"] == 1000.0]
    assert len(at)
    assert all(origins[n] == "amount at 1000 of p.py:3" for n in at)
