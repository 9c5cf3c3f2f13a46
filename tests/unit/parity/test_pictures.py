"""Pictures of columns that differ hold no cell, and columns that differ together are told from those that do not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seatrial.parity.compare import compare
from seatrial.parity.pictures.picture import FEW, RARE
from seatrial.parity.result import ColumnParity

N = 400
RNG = np.random.default_rng(11)


def compared(was: dict[str, Any], now: dict[str, Any]) -> dict[str, ColumnParity]:
    keys = {"id": range(N)}
    parity = compare(pd.DataFrame(keys | was), pd.DataFrame(keys | was | now), key="id")
    return {c.column: c for c in parity.columns}


def test_a_picture_of_numbers_has_bins_a_range_of_two_digits_and_medians() -> None:
    """No bin tells of fewer rows than FEW, and no extreme of one row is an end."""
    values = RNG.lognormal(3, 1, N)
    values[0] = 987_654.321
    picture = compared({"x": values}, {"x": values * 1.5})["x"].picture
    assert picture is not None
    assert picture["kind"] == "numbers"
    assert picture["high"] < 1_000
    assert len(f"{picture['high']:g}".strip("0").replace(".", "")) <= 3
    assert "987654" not in json.dumps(picture)
    counts = [count for *_, was, now in picture["bins"] for count in (was, now)]
    assert all(count in (0, RARE) or count >= FEW for count in counts)
    assert picture["bins"][0][0] == 0
    assert picture["bins"][-1][1] == 100
    assert all(now >= was for was, _, now, _ in picture["strips"])


def test_a_picture_of_labels_has_no_names_and_one_of_free_text_does_not_exist() -> None:
    plans = RNG.choice(["gold", "silver", "bronze"], N)
    names = [f"customer {n}" for n in range(N)]
    found = compared({"plan": plans, "name": names}, {"plan": np.where(plans == "gold", "silver", plans),
                                                      "name": [n.upper() for n in names]})  # fmt: skip
    assert found["plan"].picture is not None
    assert "gold" not in json.dumps(found["plan"].picture)
    assert len(found["plan"].picture["bins"]) == 3
    assert found["name"].picture is None


@pytest.mark.parametrize("rows", [3, 9])
def test_there_is_no_picture_of_a_few_rows(rows: int) -> None:
    frame = pd.DataFrame({"id": range(rows), "x": np.arange(rows) + 1.0})
    (column,) = compare(frame, frame.assign(x=frame["x"] * 2), key="id").columns
    assert column.picture is None


def follows(was: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    return {name: c.follows for name, c in compared(was, now).items() if c.differs}


def test_a_column_computed_from_another_one_goes_with_it() -> None:
    """A sum, a ratio, a bucket: where the one differs, so does the other, and by as much as it does."""
    days, fee = RNG.integers(40, 2_000, N).astype(float), RNG.lognormal(3, 1, N)
    months, other = days / 30.44, np.floor(days / 30)
    assert follows({"months": months, "total": months + fee}, {"months": other, "total": other + fee}) == {
        "months": "", "total": "months",
    }  # fmt: skip
    some = np.arange(N) % 3 == 0
    mended = np.where(some, months * 1.7 + RNG.normal(size=N), months)
    buckets = [np.where(m > 20, "old", "new") for m in (months, mended)]
    assert follows({"months": months, "bucket": buckets[0]}, {"months": mended, "bucket": buckets[1]})["bucket"] == (
        "months"
    )


def test_columns_with_changes_of_their_own_do_not_go_together() -> None:
    """Not by the same rows, all of them, nor by factors that are usual, nor though the columns are alike."""
    a = RNG.lognormal(3, 1, N)
    b, c = RNG.lognormal(3, 1, N), a * RNG.uniform(0.8, 1.2, N)
    assert set(follows({"a": a, "b": b}, {"a": a * 1000, "b": b / 1000}).values()) == {""}
    assert set(follows({"a": a, "b": b}, {"a": a + RNG.normal(size=N), "b": b + RNG.normal(size=N)}).values()) == {""}
    assert set(follows({"a": a, "c": c}, {"a": a * 1.3, "c": np.log10(c)}).values()) == {""}
