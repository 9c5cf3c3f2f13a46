"""For each pair of data and change, the cause that is named is the right one, or there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.parity.compare import compare

Array = np.ndarray
Random = np.random.Generator


def _floats(e: Array) -> np.dtype:
    return e.dtype if e.dtype.kind == "f" else np.dtype("f8")


DATA: dict[str, Callable[[Random, int], Array]] = {
    "chances": lambda rng, n: rng.uniform(0.001, 0.999, n),
    "tiny chances": lambda rng, n: rng.uniform(1e-7, 1e-3, n),
    "money": lambda rng, n: rng.lognormal(4, 1, n).round(2),
    "normal": lambda rng, n: rng.normal(0, 5, n),
    "shifted normal": lambda rng, n: rng.normal(1e4, 3, n),
    "float32": lambda rng, n: rng.normal(0, 5, n).astype("float32"),
    "small float32": lambda rng, n: rng.uniform(1e-6, 1e-3, n).astype("float32"),
    "counts": lambda rng, n: rng.integers(0, 1_000, n),
    "hours": lambda rng, n: rng.integers(0, 24, n),
    "codes": lambda rng, n: rng.integers(0, 6, n),
    "ids": lambda rng, n: rng.integers(2**40, 2**45, n),
    "many zeros": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(0, 1, n)),
}

# The change, and the names that tell it rightly; several where two say the same of some data.
CHANGES: dict[str, tuple[Callable[[Array, Random], Array], set[str]]] = {
    "halved": (lambda e, _: e * 0.5, {"unit-factor"}),
    "times 1000": (lambda e, _: e * 1000, {"unit-factor"}),
    "to hours": (lambda e, _: e / 60, {"unit-factor"}),
    "other ratio": (lambda e, _: e * np.asarray(1.37, e.dtype if e.dtype.kind == "f" else "f8"), {"unit-factor"}),
    "complement": (lambda e, _: 1 - e, {"complement"}),
    "negative": (lambda e, _: -e, {"sign-flip"}),
    "plus one": (lambda e, _: e + 1, {"constant-offset"}),
    "fahrenheit": (lambda e, _: e * 1.8 + 32, {"unit-affine", "unit-factor"}),  # 32 is nothing beside 1e13
    "scaled": (lambda e, _: (e - e.mean()) / e.std(), {"scaling", "unit-factor", "constant-offset"}),
    "sigmoid": (lambda e, _: 1 / (1 + np.exp(-np.asarray(e, "f8"))), {"sigmoid", "default-fill", "scaling"}),
    "one decimal": (lambda e, _: np.round(e, 1), {"rounding", "default-fill"}),
    "floor": (lambda e, _: np.floor(e), {"truncation", "default-fill"}),
    "tens": (lambda e, _: np.round(e / 10) * 10, {"rounding", "default-fill"}),
    "through float32": (lambda e, _: e.astype("f4").astype(e.dtype), {"float32-round-trip"}),
    "clipped": (lambda e, _: np.minimum(e, np.quantile(e, 0.9).astype(e.dtype)), {"clipped", "default-fill"}),
    "permuted rows": (lambda e, rng: rng.permutation(e), {"misaligned-rows"}),
    "row before": (lambda e, _: np.roll(e, 1), {"shifted-rows"}),
    "sorted": (lambda e, _: np.sort(e), {"sorted-rows"}),
    "log1p": (lambda e, _: np.log1p(np.abs(e)), {"log-transform"}),
}
# Changes that nothing here explains.
UNRELATED: dict[str, Callable[[Array, Random], Array]] = {
    "noise": lambda e, rng: e + rng.normal(0, 1, len(e)) * (np.std(e) + 1e-12),
    "small noise": lambda e, rng: np.asarray(e * (1 + 1e-3 * rng.normal(size=len(e))), _floats(e)),
    "others": lambda e, rng: rng.uniform(e.min(), e.max(), len(e)),
    "own ratios": lambda e, rng: e * rng.uniform(0.5, 2, len(e)),
    "some replaced": lambda e, rng: np.where(rng.random(len(e)) < 0.3, rng.uniform(e.min(), e.max(), len(e)), e),
    "a wave": lambda e, _: np.sin(e / np.std(e) * 7.3) * 3 + np.cos(e / np.std(e)),
    "neighbours": lambda e, rng: e + rng.choice([-2, -1, 1, 2], len(e)),
}


def cause(expected: Array, actual: Array) -> str:
    n = len(expected)
    (only,) = compare(
        pd.DataFrame({"id": range(n), "x": expected}), pd.DataFrame({"id": range(n), "x": actual}), key="id",
        distributions=False,
    ).columns  # fmt: skip
    return only.cause.name if only.cause else ""


SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(st.sampled_from(sorted(DATA)), st.sampled_from(sorted(CHANGES)), st.sampled_from([40, 700, 2_000]), SEEDS)
def test_a_cause_that_is_named_is_the_right_one(data: str, change: str, rows: int, seed: int) -> None:
    """Whatever the data, no change is told as another one."""
    rng = np.random.default_rng(seed)
    expected = DATA[data](rng, rows)
    transform, right = CHANGES[change]
    assert cause(expected, transform(expected, rng)) in {*right, "", "dtype-coercion"}


@FEW
@given(st.sampled_from(sorted(DATA)), st.sampled_from(sorted(UNRELATED)), st.sampled_from([40, 700, 2_000]), SEEDS)
def test_an_unrelated_change_has_no_cause(data: str, change: str, rows: int, seed: int) -> None:
    """Noise, other values and own ratios stay without a name."""
    rng = np.random.default_rng(seed)
    expected = DATA[data](rng, rows)
    assert cause(expected, UNRELATED[change](expected, rng)) == ""


@pytest.mark.parametrize("data", ["chances", "tiny chances", "money", "normal", "float32", "small float32", "counts"])
@pytest.mark.parametrize("change", ["halved", "times 1000", "complement", "to hours", "floor", "clipped", "row before"])
def test_plain_changes_of_plain_data_are_named(data: str, change: str) -> None:
    """A cause is not only never wrong: what is plain is told."""
    rng = np.random.default_rng(5)
    expected = DATA[data](rng, 700)
    transform, right = CHANGES[change]
    actual = transform(expected, rng)
    assert np.array_equal(expected, actual) or cause(expected, actual) in right
