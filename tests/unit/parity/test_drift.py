"""A distribution drifts when the effect is real and large, not when a sample is small."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, false_discovery_control

from seatrial.parity.compare import compare
from seatrial.parity.drift import Drift, compare_histograms, control_false_discoveries
from seatrial.parity.result import ColumnParity


def columns(expected: dict[str, object], actual: dict[str, object], rows: int) -> tuple[ColumnParity, ...]:
    keys = {"id": np.arange(rows)}
    return compare(pd.DataFrame(keys | expected), pd.DataFrame(keys | actual), key="id").columns


@pytest.mark.parametrize("rows", [50, 100, 200, 500])
def test_two_clean_samples_seldom_drift(rows: int) -> None:
    """Fresh draws from one distribution alarm in less than 1 % of the columns, where PSI > 0.1 alarms in most."""
    rng = np.random.default_rng(rows)
    e = {f"f{i}": rng.normal(size=rows) for i in range(300)}
    a = {f"f{i}": rng.normal(size=rows) for i in range(300)}
    found = columns(e, a, rows)
    assert sum(c.drifted for c in found) <= 2
    if rows <= 100:
        assert np.mean([c.psi > 0.1 for c in found]) > 0.3


def test_critical_value_is_the_chi_square_of_the_noise() -> None:
    """PSI exceeds its critical value in about 5 % of unchanged samples."""
    rng = np.random.default_rng(5)
    p = np.full(20, 1 / 20)
    found = [compare_histograms(rng.multinomial(2000, p), rng.multinomial(1000, p)) for _ in range(2000)]
    assert found[0].psi_critical == pytest.approx((1 / 2000 + 1 / 1000) * chi2.isf(0.05, 19))
    assert 0.035 < np.mean([drift.psi > drift.psi_critical for drift in found]) < 0.065
    assert np.mean([drift.corrected for drift in found]) == pytest.approx(0, abs=1e-3)


def test_psi_is_the_sum_it_is_named_after() -> None:
    """PSI = sum((q - p) ln(q / p))."""
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.1, 0.4, 0.5])
    assert compare_histograms(p * 1000, q * 1000).psi == pytest.approx(np.sum((q - p) * np.log(q / p)))


def test_adjusted_p_values_are_those_of_scipy() -> None:
    """Benjamini and Hochberg, with ties and a single value."""
    p = np.array([0.04, 0.01, 0.03, 0.01, 0.9, 1.0])
    for values in (p, np.array([0.3])):
        adjusted = control_false_discoveries([Drift(p_value=float(value)) for value in values])
        np.testing.assert_allclose([drift.p_value for drift in adjusted], false_discovery_control(values))


def test_both_keys_must_turn() -> None:
    """A large effect without significance, or significance without effect, is no drift."""
    loud, sure = Drift(corrected=0.5, p_value=0.2), Drift(corrected=0.01, p_value=1e-9)
    assert [drift.drifted for drift in control_false_discoveries([loud, sure, Drift(corrected=0.5, p_value=1e-9)])] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.random.default_rng(0).normal(size=20_000), np.random.default_rng(1).normal(1, 1, 20_000)),
        (np.arange(20_000) % 7, (np.arange(20_000) % 7) // 2),
        (np.where(np.arange(20_000) % 2, 1.0, 2.0), np.where(np.arange(20_000) % 2, 1.0, np.nan)),
        ([f"w{i % 50}" for i in range(20_000)], [f"w{i % 20}" for i in range(20_000)]),
        (["a", "b"] * 10_000, ["a", None] * 10_000),
        (pd.Categorical(["a", "b"] * 10_000), pd.Categorical(["a", "a"] * 10_000)),
        ([True, False] * 10_000, [True, True] * 10_000),
        (pd.date_range("2024", periods=20_000, freq="h"), pd.date_range("2025", periods=20_000, freq="h")),
    ],
    ids=["shift", "integers", "nulls", "words", "lost words", "categories", "flags", "instants"],
)
def test_a_real_shift_drifts(expected: object, actual: object) -> None:
    """Every kind of column that has a distribution is seen to move."""
    (column,) = columns({"x": expected}, {"x": actual}, 20_000)
    assert column.drifted
    assert column.psi > column.psi_critical
    assert column.p_value < 0.05


def test_values_in_other_rows_are_no_drift() -> None:
    """A permutation differs in every row and in no distribution."""
    values = np.random.default_rng(0).normal(size=5000)
    (column,) = columns({"x": values}, {"x": np.sort(values)}, 5000)
    assert column.mismatches > 4900
    assert not column.drifted
    assert column.psi == pytest.approx(0, abs=1e-12)


def test_sampled_edges_give_the_psi_of_all_rows() -> None:
    """PSI of many rows, with bins from a sample, is that of every row counted."""
    rng = np.random.default_rng(2)
    e = rng.normal(size=200_000)
    a = np.where(rng.random(200_000) < 0.2, e + 1.5, e)
    (column,) = columns({"x": e}, {"x": a}, 200_000)
    edges = np.quantile(e, np.arange(1, 20) / 20)
    p, q = (np.bincount(np.searchsorted(edges, side), minlength=20) / 200_000 for side in (e, a))
    assert column.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))), rel=0.1)


def test_columns_without_a_distribution_stay_still() -> None:
    """Lists differ without drifting, and no statistic is null."""
    (column,) = columns({"x": [[1]] * 9}, {"x": [[2]] * 9}, 9)
    assert (column.mismatches, column.psi, column.p_value, column.drifted) == (9, 0.0, 1.0, False)
