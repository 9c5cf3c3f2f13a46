"""The comparison as a whole: keys, columns, tolerances, the parity frame, and that nothing slips through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra import pandas as hpd

from seatrial.errors import PipelineError, PolicyError
from seatrial.parity.agreement.text import Text
from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.result import KeySet

N = 1000
FRAME = pd.DataFrame(
    {
        "id": [f"t-{i:05d}" for i in range(N)],
        "amount": np.random.default_rng(1).lognormal(3, 1, N),
        "count": np.arange(N) % 17,
        "country": [["DE", "FR", None][i % 3] for i in range(N)],
    }
)

KINDS = {
    "float64": (st.floats(width=64), "float64"),
    "float32": (st.integers(0, 2**32 - 1).map(lambda bits: np.uint32(bits).view("float32").item()), "float32"),
    "float16": (st.integers(0, 2**16 - 1).map(lambda bits: np.uint16(bits).view("float16").item()), "float16"),
    "int64": (st.integers(-(2**63), 2**63 - 1), "int64"),
    "uint64": (st.integers(0, 2**64 - 1), "uint64"),
    "int8": (st.integers(-128, 127), "int8"),
    "Int64": (st.none() | st.integers(-(2**63), 2**63 - 1), "Int64"),
    "bool": (st.booleans(), "bool"),
    "boolean": (st.none() | st.booleans(), "boolean"),
    "text": (st.none() | st.text(max_size=5), object),
    "string": (st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), "string"),
    "category": (st.none() | st.sampled_from("abcd"), "category"),
    "instant": (st.none() | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), "datetime64[ns]"),
    "zoned": (st.none() | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), "datetime64[us, UTC]"),
    "decimal": (st.none() | st.decimals(-(10**12), 10**12, places=2), object),
    "list": (st.none() | st.lists(st.integers(-9, 9), max_size=3), object),
    "dict": (st.none() | st.dictionaries(st.sampled_from("ab"), st.floats()), object),
    "mixed": (st.none() | st.integers() | st.text(max_size=3) | st.booleans(), object),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A frame of every kind of column, with nulls, under a shuffled key."""
    rows = draw(st.integers(1, 12))
    data = {
        kind: pd.Series(draw(st.lists(cells, min_size=rows, max_size=rows)), dtype=dtype)
        for kind, (cells, dtype) in KINDS.items()
    }
    keys = draw(st.permutations(range(rows)))
    return pd.DataFrame({"id": keys, **data})


def other(cell: object, kind: str) -> object:
    """Return a cell of the same kind that is not the same value."""
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        fill = {"text": "x", "string": "x", "category": "a", "decimal": Decimal(1), "list": [1], "dict": {}}
        fill |= {"instant": pd.Timestamp(0), "zoned": pd.Timestamp(0, tz="UTC"), "mixed": "x", "boolean": True}
        return fill.get(kind, 1)
    if isinstance(cell, (bool, np.bool_)):
        return not cell
    if isinstance(cell, str):
        return ("b" if cell == "a" else "a") if kind == "category" else cell + "x"
    if isinstance(cell, list):
        return [*cell, 1]
    if isinstance(cell, dict):
        return {**cell, "c": 1}
    if isinstance(cell, pd.Timestamp):
        return cell + pd.Timedelta(1, "us")
    if kind.startswith("float"):
        return 1.0 if abs(cell) > 2 or np.isinf(cell) else float(cell) + 4.0  # type: ignore[arg-type, operator]
    return cell - 1 if cell > 0 else cell + 1  # type: ignore[operator]


@settings(max_examples=25, deadline=None)
@given(frames(), st.randoms(use_true_random=False))
def test_a_frame_equals_itself_in_any_order(frame: pd.DataFrame, random: object) -> None:
    """No frame of any types differs from itself, from its copy, or from itself in other rows and columns."""
    assert compare(frame, frame, key="id").ok
    shuffled = frame.sample(frac=1, random_state=random.randint(0, 9)).loc[:, frame.columns[::-1]]  # type: ignore[attr-defined]
    parity = compare(frame, shuffled.reset_index(drop=True), key="id")
    assert parity.ok, parity
    assert not parity.column_order_ok
    assert not parity.frame.isna().any().any()


@settings(max_examples=60, deadline=None)
@given(frames(), st.data())
def test_any_changed_cell_is_found(frame: pd.DataFrame, data: st.DataObject) -> None:
    """One cell changed is found with its column and its key, and nothing else is."""
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    row = data.draw(st.integers(0, len(frame) - 1))
    cells = list(frame[kind])
    cells[row] = other(cells[row], kind)
    dtype = KINDS[kind][1]
    changed = frame.assign(**{kind: pd.Series(cells, dtype=dtype)}).iloc[::-1]
    parity = compare(frame, changed, key="id")
    assert not parity.ok
    for column in parity.columns:
        if column.column == kind:
            assert column.mismatches + column.null_flips == 1
            assert column.worst_keys == (str(frame["id"][row]),)
        else:
            assert column.ok


@settings(max_examples=50, deadline=None)
@given(hpd.data_frames([hpd.column("x", dtype=float), hpd.column("y", dtype=float)], index=hpd.range_indexes(1)))
def test_floats_agree_with_the_formula(frame: pd.DataFrame) -> None:
    """A column is judged as the formula says, cell by cell."""
    e, a = frame["x"].tolist(), frame["y"].tolist()

    def same(x: float, y: float) -> bool:
        if np.isnan(x) or np.isnan(y):
            return bool(np.isnan(x) and np.isnan(y))
        return x == y or (np.isfinite(x) and np.isfinite(y) and abs(y - x) <= 0.5 + 0.25 * abs(x))

    keys = {"id": range(len(frame))}
    parity = compare(
        pd.DataFrame({**keys, "v": e}),
        pd.DataFrame({**keys, "v": a}),
        key="id",
        tolerances={"v": Tolerance(rtol=0.25, atol=0.5)},
    )
    with np.errstate(all="ignore"):
        wrong = sum(not same(x, y) for x, y in zip(e, a, strict=True))
    assert parity.columns[0].mismatches + parity.columns[0].null_flips == wrong


@pytest.mark.parametrize("share", [0.001, 1.0], ids=["few cells differ", "most cells differ"])
@pytest.mark.parametrize("layout", ["columns", "interleaved"])
def test_large_frames_are_judged_cell_by_cell(share: float, layout: str) -> None:
    """Counts, maxima and the worst key are those of the whole column, in either memory layout."""
    rng = np.random.default_rng(3)
    rows, width = 50_000, 11
    block = rng.normal(1, 1, (rows, width))
    block[rng.random((rows, width)) < 0.01] = np.nan
    served = np.where(rng.random((rows, width)) < share, block * (1 + rng.choice([1e-12, 1e-3], (rows, width))), block)
    served[12_345, 7], block[12_345, 7] = 99.0, 1.0
    served[40_000, 7], block[40_000, 7] = np.nan, 1.0
    make = (
        (lambda b: pd.DataFrame({f"f{i}": b[:, i].copy() for i in range(width)}))
        if layout == "columns"
        else (lambda b: pd.DataFrame(b, columns=[f"f{i}" for i in range(width)], copy=False))
    )
    e, a = make(block), make(served)
    e["id"] = a["id"] = range(rows)  # in place: a copy would change the layout
    parity = compare(e, a.sample(frac=1, random_state=0), key="id")
    with np.errstate(all="ignore"):
        wrong = np.abs(served - block) > 1e-9 * np.abs(block)
    assert [c.mismatches for c in parity.columns] == wrong.sum(axis=0).tolist()
    assert [c.null_flips for c in parity.columns] == [0] * 7 + [1] + [0] * 3
    assert parity.columns[7].worst_keys[0] == "12345"
    assert parity.columns[7].max_abs_diff == 98.0
    assert parity.columns[7].max_rel_diff == pytest.approx(98.0)


# --- keys ---------------------------------------------------------------------------------------------------

KEYS = {
    "integers": np.arange(N) * 3,
    "beyond 2^53": np.arange(N) + 2**60,
    "strings": [f"t-{i}" for i in range(N)],
    "Arrow strings": pd.array([f"t-{i}" for i in range(N)], dtype="string[pyarrow]"),
    "instants": pd.date_range("2024", periods=N, freq="h"),
    "zoned instants": pd.date_range("2024", periods=N, freq="h", tz="Europe/Berlin"),
    "nullable": pd.array(range(N), dtype="Int64"),
    "categories": pd.Categorical([f"t-{i}" for i in range(N)]),
    "mixed": [i if i % 2 else f"t-{i}" for i in range(N)],
    "unsigned": np.arange(N, dtype="u8") + 2**63,
}


@pytest.mark.parametrize("kind", KEYS)
def test_rows_are_aligned_by_any_key(kind: str) -> None:
    """Shuffled rows, missing and extra keys are seen whatever the key holds."""
    e = FRAME.assign(id=KEYS[kind])
    shuffled = e.sample(frac=1, random_state=4)
    parity = compare(e, shuffled, key="id")
    assert parity.ok
    assert not parity.row_order_ok
    assert compare(e, e, key="id").row_order_ok
    parity = compare(e.iloc[2:], shuffled[shuffled["count"] != 5], key="id")
    gone = int((e["count"] == 5).sum())
    assert parity.missing_keys.count == gone
    assert parity.extra_keys == KeySet(2, tuple(str(x) for x in shuffled["id"] if x in list(e["id"][:2])))
    assert parity.rows_compared == N - 2 - gone
    assert not parity.ok
    assert all(column.ok for column in parity.columns)


@pytest.mark.parametrize("kind", KEYS)
def test_repeated_keys_are_a_problem(kind: str) -> None:
    """A join that fans out is found though each row by itself is right."""
    e = FRAME.assign(id=KEYS[kind])
    fanned = pd.concat([e, e.iloc[[7, 7, 8]]], ignore_index=True)
    for parity in (compare(e, fanned, key="id"), compare(fanned, e, key="id")):
        assert parity.duplicate_keys.count == 3
        assert parity.duplicate_keys.sample == (str(e["id"][7]), str(e["id"][8]))
        assert parity.rows_compared == N
        assert not parity.ok
    assert compare(fanned, fanned, key="id").duplicate_keys.count == 6


@pytest.mark.parametrize(
    ("keys", "hole"),
    [
        (pd.array([0, 1, 2], dtype="Int64"), pd.NA),
        (np.array([0.0, 1.0, 2.0]), np.nan),
        (np.array(["a", "b", "c"], dtype=object), None),
        (pd.date_range("2024", periods=3), pd.NaT),
    ],
    ids=["Int64", "float", "string", "instant"],
)
def test_null_keys_are_a_problem(keys: object, hole: object) -> None:
    """A null names no row, not even that of another null, and hides no key."""
    e = pd.DataFrame({"id": keys, "x": [1, 2, 3]}).iloc[::-1]
    a = e.copy()
    a.loc[2, "id"] = hole
    parity = compare(e, a, key="id")
    assert (parity.null_keys.count, parity.missing_keys.count, parity.duplicate_keys.count) == (1, 1, 0)
    assert parity.rows_compared == 2
    assert not parity.ok
    assert compare(a, a, key="id").null_keys.count == 2
    assert not compare(a, a, key="id").ok


def test_integer_keys_through_float_are_lost_keys() -> None:
    """9007199254740993 that became ...992 is another key, and float64 another type of key."""
    e = pd.DataFrame({"id": [2**53 + 1, 5], "x": [1.0, 2.0]})
    parity = compare(e, e.astype({"id": "float64"}), key="id")
    assert not parity.key_dtype_ok
    assert parity.missing_keys.sample == (str(2**53 + 1),)
    assert parity.rows_compared == 1


def test_the_same_keys_of_another_type_are_a_problem() -> None:
    """Small integers as floats still meet, and are still told."""
    e = pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]})
    parity = compare(e, e.astype({"id": "float64"}), key="id")
    assert (parity.rows_compared, parity.key_dtype_ok, parity.ok) == (2, False, False)
    assert compare(e, e.astype({"id": str}), key="id").rows_compared == 0


# --- columns and frames ---------------------------------------------------------------------------------------


def test_nothing_compared_is_never_ok() -> None:
    """No rows, no shared rows, or no column beside the key."""
    assert not compare(FRAME[:0], FRAME[:0], key="id").ok
    assert not compare(FRAME[:5], FRAME[5:9], key="id").ok
    assert not compare(FRAME[["id"]], FRAME[["id"]], key="id").ok
    assert not any(column.ok for column in compare(FRAME[:0], FRAME[:0], key="id").columns)


def test_columns_are_told_apart_by_case() -> None:
    """AMOUNT is not amount."""
    parity = compare(FRAME, FRAME.rename(columns={"amount": "AMOUNT"}), key="id")
    assert (parity.missing_columns, parity.extra_columns, parity.ok) == (("amount",), ("AMOUNT",), False)


def test_order_of_columns_and_rows_is_told_and_allowed() -> None:
    """A stage that selects by name and key does not mind."""
    parity = compare(FRAME, FRAME[::-1][["country", "id", "amount", "count"]], key="id")
    assert (parity.ok, parity.column_order_ok, parity.row_order_ok) == (True, False, False)


def test_an_extra_column_does_not_disturb_the_order() -> None:
    """Order is judged on the shared columns."""
    assert compare(FRAME, FRAME.assign(new=1)[["new", *FRAME.columns]], key="id").column_order_ok


def test_frames_that_cannot_be_compared_are_refused() -> None:
    """The message names what is there and what is near."""
    with pytest.raises(PipelineError, match=r"actual frame has no key column 'id'.*Columns: id_, .*mean 'id_'"):
        compare(FRAME, FRAME.rename(columns={"id": "id_"}), key="id")
    with pytest.raises(PipelineError, match="reset_index"):
        compare(FRAME.set_index("id"), FRAME, key="id")
    twice = pd.concat([FRAME, FRAME[["amount"]]], axis=1)
    with pytest.raises(PipelineError, match="more than one column named 'amount'"):
        compare(twice, twice, key="id")
    with pytest.raises(PolicyError, match=r"tolerance for 'amuont'.*mean 'amount'"):
        compare(FRAME, FRAME, key="id", tolerances={"amuont": Tolerance()})
    with pytest.raises(PolicyError, match="floor for 'other'"):
        compare(FRAME, FRAME, key="id", floors={"other": 1.0})
    with pytest.raises(PolicyError, match="Keys are compared exactly"):
        compare(FRAME, FRAME, key="id", tolerances={"id": Tolerance()})


def test_the_parity_frame_has_one_full_row_a_feature() -> None:
    """It can be judged by expectations: named columns, plain types, nothing null."""
    changed = FRAME.assign(amount=FRAME["amount"] * 1000, country="DE")
    parity = compare(FRAME, changed, key="id")
    frame = parity.frame
    assert list(frame["feature"]) == ["amount", "count", "country"]
    statistics = ["rows", "mismatches", "allowed", "null_flips", "max_abs_diff", "max_rel_diff", "worst_key"]
    distribution = ["psi", "psi_critical", "p_value", "drifted"]
    assert list(frame.columns) == ["feature", "dtype_ok", *statistics, *distribution]
    assert not frame.isna().any().any()
    assert list(frame["mismatches"]) == [N, 0, N // 3]
    assert frame["max_rel_diff"][0] == pytest.approx(999)
    assert frame["worst_key"][0] == FRAME["id"][FRAME["amount"].idxmax()]
    assert compare(FRAME[["id"]], FRAME[["id"]], key="id").frame.dtypes.to_dict() == frame.dtypes.to_dict()


# --- tolerances -----------------------------------------------------------------------------------------------


def evaluated(expected: list[object], actual: list[object], **settings: object) -> bool:
    frames = [pd.DataFrame({"id": range(len(side)), "x": side}) for side in (expected, actual)]
    return compare(*frames, key="id", **settings).ok  # type: ignore[arg-type]


def test_ulp_counts_representable_numbers() -> None:
    """Distances are counted through zero, and ulp alone switches the default off."""
    up = float(np.nextafter(1.0, 2))
    two = float(np.nextafter(up, 2))
    assert evaluated([1.0], [two], tolerances={"x": Tolerance(ulp=2)})
    assert not evaluated([1.0], [two], tolerances={"x": Tolerance(ulp=1)})
    assert evaluated([5e-324], [-5e-324], tolerances={"x": Tolerance(ulp=2)})
    assert not evaluated([1.7976931348623157e308], [float("inf")], tolerances={"x": Tolerance(ulp=1)})
    assert not evaluated([1.0], [None], tolerances={"x": Tolerance(ulp=10**18)})


def test_integers_and_instants_take_an_absolute_tolerance() -> None:
    """Integers in their unit, instants in seconds."""
    assert evaluated([2**60], [2**60 + 1], tolerances={"x": Tolerance(atol=1)})
    assert not evaluated([2**60], [2**60 + 2], tolerances={"x": Tolerance(atol=1)})
    now = pd.Timestamp("2024-01-01")
    late = now + pd.Timedelta("2s")
    assert evaluated([now], [late], tolerances={"x": Tolerance(atol=2)})
    assert not evaluated([now], [late], tolerances={"x": Tolerance(atol=1.9)})


def test_text_is_normalised_where_that_is_allowed() -> None:
    """Each form forgives its own difference and no other."""
    for form, x, y in (
        ("casefold", "ß", "SS"),
        ("strip", "a", " a\n"),
        ("NFC", "é", "e\u0301"),
        ("spaces", "a b", " a\tb"),
    ):
        for wrap in (lambda text: text, lambda text: [text], lambda text: {"t": [text, 1.0]}):
            assert evaluated([wrap(x)], [wrap(y)], tolerances={"x": Text(form)})
            assert not evaluated([wrap(x)], [wrap(y)])
            assert not evaluated([wrap(x)], [wrap("other")], tolerances={"x": Text(form)})


def test_lists_are_sets_where_that_is_allowed() -> None:
    """Order and repetition are forgiven, items are not."""
    allowed = {"tolerances": {"x": Tolerance(as_set=True)}}
    assert evaluated([[1, 2]], [[2, 1, 1]], **allowed)
    assert not evaluated([[1, 2]], [[2, 3]], **allowed)
    assert evaluated([["a", "b"]], [["b", "a"]], **allowed)


def test_a_share_of_the_rows_may_differ() -> None:
    """The share is of the rows compared, and mismatches are still counted."""
    few = [0.0] * 9 + [1.0]
    assert evaluated([0.0] * 10, few, tolerances={"x": Tolerance(share=0.1)})
    assert not evaluated([0.0] * 10, few, tolerances={"x": Tolerance(share=0.09)})


def test_recorded_noise_widens_the_tolerance() -> None:
    """A floor is added to the absolute tolerance of its column."""
    assert evaluated([1.0], [1.01], floors={"x": 0.011})
    assert not evaluated([1.0], [1.01], floors={"x": 0.009})


@pytest.mark.parametrize(
    "settings",
    [
        {"rtol": -1},
        {"atol": float("nan")},
        {"atol": "1"},
        {"ulp": 1.5},
        {"share": 1.1},
        {"as_set": 1},
    ],
)
def test_impossible_tolerances_are_refused(settings: dict[str, object]) -> None:
    """The message says what is allowed."""
    with pytest.raises(PolicyError, match=r"Allowed|Known"):
        Tolerance(**settings)  # type: ignore[arg-type]


def test_direction_says_where_the_values_went() -> None:
    """Higher, lower, mixed, or nothing."""
    e = FRAME[["id", "amount"]]
    wave = np.where(np.arange(N) % 2, 1, -1)
    for step, said in ((1, "higher"), (-1, "lower"), (wave, "mixed"), (0, "")):
        assert compare(e, e.assign(amount=e["amount"] + step), key="id").columns[0].direction == said
