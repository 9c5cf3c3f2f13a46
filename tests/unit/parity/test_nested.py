"""Numbers inside cells: bounds at every depth, the scale of the defaults, and where in a cell the difference is."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings

from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.result import ColumnParity


def held(side: Any) -> pd.Series:
    """Return cells as a column that holds each as it is."""
    if not isinstance(side, list):
        return side
    cells = np.empty(len(side), dtype=object)
    for n, cell in enumerate(side):
        cells[n] = cell
    return pd.Series(cells)


def only(expected: Any, actual: Any, **how: Any) -> ColumnParity:
    """Compare one column, given as cells or as a series."""
    frames = [pd.DataFrame({"id": range(len(side)), "x": held(side)}) for side in (expected, actual)]
    (column,) = compare(*frames, key="id", distributions=False, **how).columns
    return column


def allowing(**bounds: Any) -> dict[str, Any]:
    return {"tolerances": {"x": Tolerance(**bounds)}}


# --- any leaf of any cell ---------------------------------------------------------------------------------

NUMBERS = st.floats(1, 100) | st.floats(-100, -1)  # of one scale, so that rtol is what holds
NAMES = st.sampled_from(["a", "b", "score", "x y"])
CELLS = st.recursive(
    NUMBERS | st.integers(-9, 9) | st.text(max_size=3) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TYPED = pa.list_(
    pa.struct([("score", pa.float64()), ("box", pa.list_(pa.float32())), ("tags", pa.map_(pa.string(), pa.float64()))])
)
TYPED_CELLS = st.lists(
    st.fixed_dictionaries(
        {
            "score": st.none() | NUMBERS,
            "box": st.lists(st.floats(10, 20, width=32) | st.none(), max_size=3),
            "tags": st.dictionaries(NAMES, NUMBERS, max_size=2).map(lambda found: list(found.items())),
        }
    ),
    max_size=3,
)


def floats_in(cell: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every float in a cell."""
    if isinstance(cell, float):
        return [path]
    inside = cell.items() if isinstance(cell, dict) else enumerate(cell) if isinstance(cell, (list, tuple)) else ()
    return [found for step, part in inside for found in floats_in(part, (*path, step))]


def moved(cell: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Return a copy of a cell whose value at a path is ``by`` of what it was."""
    if not path:
        return by(cell)
    changed = list(cell) if isinstance(cell, tuple) else copy.copy(cell)
    changed[path[0]] = moved(changed[path[0]], path[1:], by)
    return tuple(changed) if isinstance(cell, tuple) else changed


@settings(max_examples=40, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=4), st.data())
def test_any_number_in_any_cell_is_held_to_its_bounds(cells: list[Any], data: st.DataObject) -> None:
    """Moved beyond them it is found, with its row and its place; moved within them it is not."""
    places = [(n, path) for n, cell in enumerate(cells) for path in floats_in(cell)]
    assume(any(path for _, path in places))
    row, path = data.draw(st.sampled_from([place for place in places if place[1]]))
    bounds = data.draw(st.sampled_from([{}, {"rtol": 1e-3}, {"atol": 0.5, "rtol": 0.0}, {"rtol": 1e-6, "atol": 1e-6}]))
    value = cells[row]
    for step in path:
        value = value[step]
    limit = bounds.get("atol", 0.0) + bounds.get("rtol", 1e-9) * abs(value)
    sign = data.draw(st.sampled_from([1, -1]))
    for share, found in ((0.5, 0), (2.0, 1)):
        other = list(cells)
        other[row] = moved(other[row], path, lambda x, by=sign * share * limit: x + by)
        column = only([*cells, None], [*other, None], **allowing(**bounds))
        assert (column.mismatches, column.null_flips) == (found, 0), column
        assert column.worst_keys == ((str(row),) if found else ())
        assert not found or column.worst_path.startswith("x")
        assert column.max_abs_diff == pytest.approx(share * limit, rel=1e-3, abs=1e-15 * abs(value))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | TYPED_CELLS, min_size=1, max_size=4), st.data())
def test_any_number_in_arrow_cells_is_held_to_the_bounds_of_its_type(cells: list[Any], data: st.DataObject) -> None:
    """On Arrow's child arrays as in Python: float64 to 1e-9, float32 to 1.3e-6."""
    places = [(n, path) for n, cell in enumerate(cells) for path in floats_in(cell)]
    assume(places)
    row, path = data.draw(st.sampled_from(places))
    single = "box" in path
    rtol = data.draw(st.sampled_from([None, 1e-3]))
    close, far = (1e-6, 5e-4) if single else (5e-10, 2e-9)
    if rtol is not None:
        close, far = 5e-4, 2e-3

    def column_of(values: list[Any]) -> pd.Series:
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, TYPED)))

    for share, found in ((close, 0), (far, 1)):
        other = list(cells)
        other[row] = moved(other[row], path, lambda x, share=share: x * (1 + share))
        column = only(column_of(cells), column_of(other), **allowing(rtol=rtol))
        assert (column.mismatches, column.null_flips) == (found, 0), column
        if found:
            assert column.worst_keys == (str(row),)
            inside = {"score": ".score", "box": ".box[", "tags": ".tags["}[path[1]]
            assert column.worst_path.startswith(f"x[{path[0]}]{inside}")


@settings(max_examples=15, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=4), st.data())
def test_null_nan_and_nothing_are_told_apart(cells: list[Any], data: st.DataObject) -> None:
    """A number that became null or NaN, null that became NaN, and a name that is gone all differ."""
    places = [(n, path) for n, cell in enumerate(cells) for path in floats_in(cell) if path]
    assume(places)
    row, path = data.draw(st.sampled_from(places))
    versions = [cells[row], *(moved(cells[row], path, lambda _, nothing=x: nothing) for x in (None, float("nan")))]
    parent = cells[row]
    for step in path[:-1]:
        parent = parent[step]
    if isinstance(parent, dict):
        versions.append(moved(cells[row], path[:-1], lambda found: {k: v for k, v in found.items() if k != path[-1]}))
    for n, x in enumerate(versions):
        for m, y in enumerate(versions):
            e, a = [*cells[:row], x, *cells[row + 1 :]], [*cells[:row], y, *cells[row + 1 :]]
            numbers = any(floats_in(cell) for cell in e)  # without one, no tolerance can apply
            column = only(e, a, **(allowing(rtol=0.5) if numbers else {}))
            assert column.mismatches == (n != m) or not column.dtype_ok, (x, y, column)
            assert column.ok == (n == m)


CELLS_WITH_BOUNDS = {
    "list of dicts": ([[{"item": "a", "score": 0.1}]], [[{"item": "a", "score": 0.10005}]], "x[0].score"),
    "dict": ([{"score": 0.1}], [{"score": 0.10005}], "x.score"),
    "dict of lists": ([{"a b": [0.1, 0.1]}], [{"a b": [0.1, 0.10005]}], "x['a b'][1]"),
    "2-D array": ([np.full((2, 3), 0.1)], [np.where(np.arange(6).reshape(2, 3) == 4, 0.10005, 0.1)], "x[1][1]"),
    "array of float16": ([np.array([0.1], "f2")], [np.array([0.1001], "f2")], "x[0]"),
    "array of complex": ([np.array([0.1 + 0j])], [np.array([0.10005 + 0j])], "x[0]"),
    "Decimal": ([Decimal("0.1")], [Decimal("0.10005")], ""),
    "list of Decimals": ([[Decimal("0.1")]], [[Decimal("0.10005")]], "x[0]"),
    "dict of Decimals": ([{"a": Decimal("0.1")}], [{"a": Decimal("0.10005")}], "x.a"),
    "complex": ([0.1 + 0j], [0.10005 + 0j], ""),
    "mixed": (["a", 0.1], ["a", 0.10005], ""),
    "set": ([{0.1, 7.0}], [{0.10005, 7.0}], ""),
    "tuple": ([("a", 0.1)], [("a", 0.10005)], "x[1]"),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS_WITH_BOUNDS)
def test_a_stated_tolerance_holds_in_every_kind_of_cell(case: str) -> None:
    """Without it the cell differs; with too small a one too."""
    expected, actual, path = CELLS_WITH_BOUNDS[case]
    assert only(expected, actual, **allowing(rtol=1e-3)).ok
    assert only(expected, actual, **allowing(rtol=0.0, atol=1e-3)).ok
    for how in (allowing(rtol=1e-5, atol=0.0), allowing(rtol=0.0, atol=0.0)):
        found = only(expected, actual, **how)
        assert found.mismatches == 1
        assert found.worst_path == path


def test_recorded_noise_holds_inside_cells() -> None:
    """A floor is added at every depth."""
    assert only([{"a": [1.0]}], [{"a": [1.01]}], floors={"x": 0.011}).ok
    assert only([[1.0]], [[1.01]], floors={"x": 0.011}).ok
    assert not only([[1.0]], [[1.01]], floors={"x": 0.009}).ok


def test_the_worst_place_is_named_first() -> None:
    """The largest difference of all rows: its key first, and its place."""
    e, a = ([{"result": {"boxes": [{"score": 0.1}, {"score": 0.2}, {"score": 0.3}]}} for _ in range(3)] for _ in "ea")
    a[0]["result"]["boxes"][0]["score"] = 0.2
    a[2]["result"]["boxes"][2]["score"] = 0.9
    found = only(e, a)
    assert (found.worst_keys, found.worst_path) == (("2", "0"), "x.result.boxes[2].score")


# --- the scale of the defaults ----------------------------------------------------------------------------


def small(factor: float, dtype: str) -> pd.Series:
    return pd.Series(np.linspace(1e-7, 1e-6, 40) * factor).astype(dtype)


@pytest.mark.parametrize("factor", [10.0, 1.01, 1.0001])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_numbers_are_not_swallowed(dtype: str, factor: float) -> None:
    """A click rate ten times too high fails, and one too high by a hundredth of a percent too."""
    assert only(small(1, dtype), small(factor, dtype)).mismatches == 40
    vectors = [[cell.tolist() for cell in np.split(small(k, dtype).to_numpy(), 8)] for k in (1, factor)]
    assert only(*vectors).mismatches == 8


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_small_numbers_beside_large_ones_are_not_swallowed(size: float) -> None:
    """A quarter of a column at a thousandth of the rest is still told apart, in lists and by name too."""
    values = np.where(np.arange(40) % 3, 1.0, 1e-3) * size
    other = np.where(np.arange(40) % 3, values, values * 1.001)
    assert only(pd.Series(values, dtype="float32"), pd.Series(other, dtype="float32")).mismatches == 14
    named = [[{"large": 1e9 * size, "small": v} for v in column] for column in (values, other)]
    assert only(*named).mismatches == 14


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_sums_in_another_order_pass(dtype: str, size: float) -> None:
    """However near to zero they end: their terms round at the column's scale."""
    rng = np.random.default_rng(2)
    terms = (rng.normal(size=(2_000, 256)) * size).astype(dtype)
    one = np.add.accumulate(terms, axis=1)[:, -1]
    two = np.add.accumulate(terms[:, rng.permutation(256)], axis=1)[:, -1]
    assert np.abs(one).min() < 1e-3 * np.abs(one).max()
    assert (one != two).any()
    assert only(pd.Series(one), pd.Series(two)).ok
    assert only(list(one.reshape(-1, 8)), list(two.reshape(-1, 8))).ok
    assert only([{"v": v} for v in one.tolist()], [{"v": v} for v in two.tolist()]).ok or dtype == "float32"


def test_vectors_in_a_batch_and_alone_are_the_same() -> None:
    """An embedding that BLAS added in another order."""
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(60, 256)), rng.normal(size=(256, 16))
    for dtype in ("float32", "float64"):
        batch = np.tanh(x.astype(dtype) @ w.astype(dtype))
        alone = [np.tanh(row @ w.astype(dtype)) for row in x.astype(dtype)]
        assert only(list(batch), alone).ok
        assert only([row.tolist() for row in batch.astype(float)], [row * 1.001 for row in alone]).mismatches == 60


def test_half_precision_is_held_to_its_own_steps() -> None:
    """One representable number, or one at the column's scale near zero; three percent is neither."""
    values = np.linspace(0.5, 2, 50).astype("float16")
    assert only(pd.Series(values), pd.Series(np.nextafter(values, np.float16(9)))).ok
    assert only(pd.Series(values), pd.Series((values * np.float16(1.03)).astype("float16"))).mismatches == 50
    near = np.append(values, np.float16([1e-4]))
    assert only(pd.Series(near), pd.Series(np.append(values, np.float16([2e-4])))).ok


def test_the_scale_is_that_of_the_whole_reference() -> None:
    """Of a few rows of it, the near-zero ones are judged as among all."""
    whole = pd.DataFrame({"id": range(100), "x": np.append(np.ones(99), 1e-9).astype("float32")})
    part, other = whole.iloc[99:], whole.iloc[99:].assign(x=np.float32(2e-9))
    assert compare(whole, whole.assign(x=np.append(whole["x"][:99], np.float32(2e-9))), key="id").columns[0].ok
    assert not compare(part, other, key="id").columns[0].ok
    assert compare(part, other, key="id", scale_of=whole).columns[0].ok
