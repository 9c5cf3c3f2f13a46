"""What was told wrongly once, and causes that need more than one column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seatrial.parity.compare import compare
from seatrial.parity.result import ColumnParity

N = 400
RNG = np.random.default_rng(3)
IDS = pd.Series(RNG.integers(2**53, 2**60, N) | 1)


def compared(expected: object, actual: object) -> ColumnParity:
    e, a = (pd.DataFrame({"id": range(len(expected)), "x": side}) for side in (expected, actual))  # type: ignore[arg-type]
    (only,) = compare(e, a, key="id").columns
    return only


def cause(expected: object, actual: object) -> str:
    found = compared(expected, actual).cause
    return found.name if found else ""


@pytest.mark.parametrize("factor", [0.5, 1000.0])
def test_small_probabilities_are_not_called_rounded(factor: float) -> None:
    """Everything under 1e-3 was told to be rounded to -3 decimals."""
    small = RNG.uniform(1e-6, 1e-4, N)
    assert cause(small, small * factor) == "unit-factor"
    assert cause(small, RNG.permutation(small) ** 2 * 0.7) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "says"),
    [
        (IDS, IDS.astype("f8"), "digits lost"),
        (IDS, IDS.astype("f8").astype("i8"), "lost digits"),
        (IDS.astype(str), IDS.astype("f8"), "digits lost"),
        ([f"{i:05d}" for i in range(N)], range(N), "without their leading zeros"),
        (pd.Series(range(N)).astype(str), range(N), "reading the same"),
        (["0.10", "1.50"] * (N // 2), [0.1, 1.5] * (N // 2), "reading the same"),
    ],
    ids=["ids", "ids and back", "ids as text", "codes", "numbers", "decimals"],
)
def test_what_a_coercion_loses_is_said(expected: object, actual: object, says: str) -> None:
    """Only a round trip without loss reads the same."""
    found = compared(expected, actual).cause
    assert found is not None
    assert found.name == "dtype-coercion"
    assert says in found.detail
    assert says == "reading the same" or "reading the same" not in found.detail


def test_the_same_text_number_beyond_a_float_is_another_number() -> None:
    """Two long ids that are one float are not one number in another form."""
    assert cause([str(i) for i in IDS], [str(i + 1) for i in IDS]) != "number-format"


def test_a_permuted_code_and_a_clip_are_no_shifted_rows() -> None:
    """Order is told on every row of the column, not on the differing ones."""
    codes = np.arange(N) % 4
    assert cause(codes, np.array([1, 2, 3, 0])[codes]) == "relabelling"
    ramp = np.arange(N) % 100
    assert cause(ramp, np.minimum(ramp, 97)) == "clipped"
    assert cause(ramp, np.where(ramp == 5, 4, np.where(ramp == 6, 5, ramp))) == ""


def test_one_minus_p_is_a_complement_and_no_scaling() -> None:
    """The most common mix-up of a classifier's two columns has its own name."""
    chances = RNG.uniform(0, 1, N)
    assert cause(chances, 1 - chances) == "complement"
    assert cause(chances.astype("f4"), 1 - chances.astype("f4")) == "complement"


def test_a_few_rows_that_fit_by_chance_are_no_cause() -> None:
    """What holds in a part of the rows needs more of them than what holds in all."""
    flags = RNG.integers(0, 2, N).astype("f8")
    assert cause(flags, np.where(np.arange(N) % 7, flags, 1 - flags)) == ""


def test_the_null_input_of_the_rows_that_differ_is_named() -> None:
    """Another imputation shows in the rows in which the input is null, and nowhere else."""
    raw = pd.DataFrame({"id": range(N), "age": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(40, 9, N)), "b": 1.0})
    group = RNG.normal(40, 1, N)
    expected = pd.DataFrame({"id": range(N), "age": raw["age"].fillna(pd.Series(group))})
    actual = expected.assign(age=raw["age"].fillna(pd.Series(RNG.normal(40, 1, N)))).sample(frac=1, random_state=0)
    found = compare(expected, actual, key="id", given=lambda: raw.sample(frac=1, random_state=1)).columns[0].cause
    assert found is not None
    assert (found.name, "'age' of the stage's input is null" in found.detail) == ("imputation", True)
    constant = compare(expected, expected.assign(age=raw["age"].fillna(0.0)), key="id", given=lambda: raw)
    assert constant.columns[0].cause is not None
    assert constant.columns[0].cause.name == "default-fill"
    assert "'age' of the stage's input" in constant.columns[0].cause.detail


def test_rows_that_differ_beside_a_null_input_are_not_blamed_on_it() -> None:
    """A change in other rows too, or in few of the nulls, has another cause; and the input is read only when needed."""
    raw = pd.DataFrame({"id": range(N), "age": np.where(np.arange(N) % 5 == 0, np.nan, 1.0)})
    expected = pd.DataFrame({"id": range(N), "x": RNG.normal(size=N)})
    noise = RNG.normal(size=N)
    for rows in (np.arange(N) % 3 == 0, np.arange(N) % 25 == 0):
        moved = expected.assign(x=np.where(rows, noise, expected["x"]))
        assert compare(expected, moved, key="id", given=lambda: raw).columns[0].cause is None

    def never() -> pd.DataFrame:
        raise AssertionError

    assert compare(expected, expected, key="id", given=never).ok
    repeated = pd.concat([raw, raw])
    moved = expected.assign(x=noise)
    assert compare(expected, moved, key="id", given=lambda: repeated).columns[0].cause is None


def test_equal_values_under_another_name_are_a_renamed_column() -> None:
    """A missing and a new column with the same values in every row are one column; constants and near ones are not."""
    frame = pd.DataFrame({"id": range(N), "score": RNG.normal(size=N), "flag": 1, "other": RNG.normal(size=N)})
    shuffled = frame.rename(columns={"score": "fraudScore", "flag": "isFlag"}).sample(frac=1, random_state=2)
    assert dict(compare(frame, shuffled, key="id").renamed) == {"score": "fraudScore"}
    near = frame.rename(columns={"score": "fraudScore"})
    near.loc[7, "fraudScore"] += 1
    assert not compare(frame, near, key="id").renamed


@pytest.mark.parametrize(
    ("expected", "actual", "factor"),
    [([5.0, 1, 1], [5000.0, 1, 1], 1000.0), ([4.0, 1, 1], [2.0, 1, 1], 0.5), ([0.0, 5, 9], [5.0, 5, 9], None),
     ([1e-9, 5, 9], [5.0, 6, 10], None), (["a"] * 3, ["b"] * 3, None)],
)  # fmt: skip
def test_the_factor_is_actual_by_expected_and_none_against_zero(
    expected: object, actual: object, factor: float | None
) -> None:
    """A thousand times is a factor of 1,000 and not of 999; against nothing there is no factor."""
    assert compared(expected, actual).factor == (factor if factor is None else pytest.approx(factor))


def test_where_thousands_of_columns_differ_only_causes_met_before_are_sought() -> None:
    """The work is bounded: what many columns have in common is still told, and the first ones are told fully."""
    values = RNG.normal(size=(40, 260))
    names = [f"c{n}" for n in range(260)]
    expected = pd.DataFrame(values, columns=names).assign(id=range(40))
    actual = pd.DataFrame(values * 1000, columns=names).assign(id=range(40), c259=np.sort(values[:, 259]))
    found = compare(expected, actual, key="id").columns
    assert {c.cause.name for c in found[:259] if c.cause} == {"unit-factor"}
    assert all(c.cause for c in found[:259])
    assert found[259].cause is None
