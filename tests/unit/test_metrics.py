"""Metrics agree with scikit-learn to 1e-9, on resamples, ties, constants, and magnitudes that overflow or cancel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from seatrial.errors import PolicyError
from seatrial.metrics import METRICS, Predictions, group_metric, metric, resamples

NUMBERS = [name for name, m in METRICS.items() if m.of == ("numbers",)]
EVENTS = [name for name, m in METRICS.items() if "events" in m.of]
CLASSES = [name for name, m in METRICS.items() if "classes" in m.of]
RANKING = [name for name, m in METRICS.items() if m.of == ("ranking",)]
ERRORS = {
    "rmse": sk.root_mean_squared_error,
    "mse": sk.mean_squared_error,
    "mae": sk.mean_absolute_error,
    "mape": sk.mean_absolute_percentage_error,
    "r2": sk.r2_score,
}


def oracle(name: str, y: Any, s: Any, decided: Any, labels: list[int], w: Any = None) -> float:
    """Return scikit-learn's value."""
    base, _, average = name.partition("_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in ERRORS:
            return float(ERRORS[name](y, s, sample_weight=w))
        if name == "pinball@0.9":
            return float(sk.mean_pinball_loss(y, s, alpha=0.9, sample_weight=w))
        if name.startswith("roc_auc_ov"):
            kind, _, weighted = name.removeprefix("roc_auc_").partition("_")
            more = {"multi_class": kind, "average": weighted or "macro", "labels": labels}
            return float(sk.roc_auc_score(y, s, sample_weight=w, **more))
        if average in ("macro", "micro", "weighted"):
            of = getattr(sk, f"{base}_score")
            return float(of(y, decided, average=average, zero_division=0, sample_weight=w))
        if name in ("precision", "recall", "f1"):
            return float(getattr(sk, f"{name}_score")(y, decided, zero_division=0, sample_weight=w))
        if name == "false_positive_rate":
            there = float((y == 0).any())
            return there - float(sk.recall_score(1 - y, 1 - decided, zero_division=0, sample_weight=w))
        if name == "log_loss":
            return float(sk.log_loss(y, s, labels=labels, sample_weight=w))
        if name == "brier":
            return float(sk.brier_score_loss(y, s, labels=labels, sample_weight=w))
        if name == "ece":
            return _ece(y, s)
        of = name if name == "matthews_corrcoef" else f"{name}_score"
        needs = s if METRICS[name].needs == "scores" else decided
        return float(getattr(sk, of)(y, needs, sample_weight=w))


def _ece(y: np.ndarray, s: np.ndarray, bins: int = 10) -> float:
    """Return the sum over scikit-learn's calibration curve, weighted by the rows of each bin."""
    if s.ndim == 2:
        y, s = (s.argmax(axis=1) == y).astype(float), s.max(axis=1)
    true, predicted = calibration_curve(np.append(y, [0, 1]), np.append(s, [2e-16, 2e-16]), n_bins=bins)
    of = np.bincount(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], s), minlength=bins)
    total = 0.0
    for b in np.flatnonzero(of):
        at = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], s) == b
        total += of[b] * abs(y[at].mean() - s[at].mean())
    assert len(true) == len(predicted) >= (of > 0).sum()
    return total / len(s)


def close(ours: Any, theirs: Any, scale: float = 1.0) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * scale)


def repeated(w: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(w)), w.astype(int))


# --- events and classes --------------------------------------------------------------------------------


@st.composite
def events(draw: st.DrawFn) -> Predictions:
    """Rows of events: ties, scores of 0 and 1, one class alone, or nothing but ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, digits = draw(st.integers(2, 60)), draw(st.sampled_from([0, 1, 2, 15]))
    s = np.clip(rng.beta(draw(st.sampled_from([0.05, 1, 5])), 1, n).round(digits), 0, 1)
    y = (rng.random(n) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).astype(float)
    return Predictions(y, s, (s >= 0.5).astype(np.int64))


@settings(max_examples=20, deadline=None)
@given(events(), st.integers(0, 2**32))
def test_metrics_of_events_are_those_of_scikit_learn_on_any_resample(data: Predictions, seed: int) -> None:
    weights = np.concatenate([np.ones((1, len(data))), *resamples(len(data), 1, seed)])
    for name in EVENTS:
        ours = METRICS[name].prepare(data)(weights)
        for value, w in zip(ours, weights, strict=True):
            at = repeated(w)
            y = data.labels[at]
            if name in ("cohen_kappa", "matthews_corrcoef", "balanced_accuracy") and len({*y, *data.decided[at]}) == 1:
                continue  # of one class alone, which scikit-learn treats as a matrix of one cell
            close(value, oracle(name, y.astype(int), data.scores[at], data.decided[at], [0, 1]))


@st.composite
def classes(draw: st.DrawFn) -> Predictions:
    """Rows of three to five classes, of which one may be rare and ties are many; each class has a row."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    k, n = draw(st.integers(3, 5)), draw(st.integers(20, 80))
    y = np.append(np.arange(k), rng.choice(k, n - k, p=rng.dirichlet(np.full(k, draw(st.sampled_from([0.1, 2.0]))))))
    s = rng.dirichlet(np.full(k, draw(st.sampled_from([0.2, 3.0]))), n).round(draw(st.sampled_from([1, 12])))
    s = s + 1e-3
    s /= s.sum(axis=1, keepdims=True)
    return Predictions(y.astype(float), s, s.argmax(axis=1), k)


@settings(max_examples=12, deadline=None)
@given(classes(), st.integers(0, 2**32))
def test_metrics_of_classes_are_those_of_scikit_learn_on_any_resample(data: Predictions, seed: int) -> None:
    weights = np.concatenate([np.ones((1, len(data))), *resamples(len(data), 1, seed)])
    for name in CLASSES:
        ours = METRICS[name].prepare(data)(weights)
        for value, w in zip(ours, weights, strict=True):
            at = repeated(w)
            y = data.codes[at]
            if name.startswith("roc_auc_ov") and len(set(y)) < data.classes:
                assert np.isnan(value), "an area of a class that has no row is none"
                continue
            if name in ("log_loss", "brier") and len(set(y)) < 2:
                continue
            close(value, oracle(name, y, data.scores[at], data.decided[at], list(range(data.classes))))


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9, 1e150])
def test_weights_of_extreme_scales_change_nothing(scale: float) -> None:
    rng = np.random.default_rng(1)
    s = rng.random(200)
    y = (rng.random(200) < s).astype(float)
    w = rng.random((1, 200)) + 1e-3
    for name in [*EVENTS, *NUMBERS]:
        if name == "ece":
            continue
        data = Predictions(y if name in EVENTS else y + 1, s, (s >= 0.5).astype(np.int64))
        ours = METRICS[name].prepare(data)(w * scale)[0]
        target = data.labels.astype(int) if name in EVENTS else data.labels
        close(ours, oracle(name, target, data.scores, data.decided, [0, 1], w[0]))


def test_one_class_alone_has_no_auc_and_no_precision_of_nothing() -> None:
    data = Predictions(np.zeros(10), np.linspace(0, 1, 10), np.zeros(10, dtype=np.int64))
    assert np.isnan(METRICS["roc_auc"].value(data))
    assert not METRICS["roc_auc"].holds(float("nan"), 0.0)
    assert np.isnan(METRICS["cohen_kappa"].value(data))
    assert [METRICS[name].value(data) for name in ("average_precision", "f1", "matthews_corrcoef")] == [0.0] * 3


# --- numbers -----------------------------------------------------------------------------------------------


@st.composite
def numbers(draw: st.DrawFn) -> Predictions:
    """Labels far from 0 against their spread, tied, constant, or with one outlier; of any magnitude."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, scale = draw(st.integers(2, 60)), 10.0 ** draw(st.integers(-100, 100))
    offset = draw(st.sampled_from([0.0, 1.0, 1e3, 1.7e6]))
    y = rng.normal(size=n).round(draw(st.sampled_from([0, 8]))) + offset
    if draw(st.booleans()):
        y[0] *= 1e4
    if draw(st.integers(0, 5)) == 0:
        y[:] = 2.0**10
    s = y + rng.normal(size=n) * draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3]))
    return Predictions(y * scale, s * scale)


@settings(max_examples=60, deadline=None)
@given(numbers(), st.integers(0, 2**32))
def test_metrics_of_numbers_are_those_of_scikit_learn_on_any_resample(data: Predictions, seed: int) -> None:
    """Its r2 is computed in long double: its own double arithmetic is further off than 1e-9 on such data."""
    weights = np.concatenate([np.ones((1, len(data))), *resamples(len(data), 3, seed)])
    for name in NUMBERS:
        ours = METRICS[name].prepare(data)(weights)
        for value, w in zip(ours, weights, strict=True):
            at = repeated(w)
            y, s = data.labels[at], data.scores[at]
            expected = _exact_r2(y, s) if name == "r2" else oracle(name, y, s, None, [])
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9 if name == "r2" else 0)


def _exact_r2(y: np.ndarray, s: np.ndarray) -> float:
    if (y == y[0]).all():
        return float((y == s).all())
    from fractions import Fraction

    ys, ss = [Fraction(v) for v in y.tolist()], [Fraction(v) for v in s.tolist()]
    mean = sum(ys) / len(ys)
    return float(1 - sum((a - b) ** 2 for a, b in zip(ys, ss, strict=True)) / sum((a - mean) ** 2 for a in ys))


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 1e-300, 1.7e9 + 0.1, -7.7])
@pytest.mark.parametrize("rows", [2, 3, 7, 200, 1001])
def test_r2_of_constant_labels_is_that_of_scikit_learn(value: float, rows: int) -> None:
    y = np.full(rows, value)
    assert METRICS["r2"].value(Predictions(y, np.zeros(rows))) == 0.0
    assert METRICS["r2"].value(Predictions(y, y)) == 1.0


def test_r2_of_seconds_since_1970_does_not_cancel() -> None:
    rng = np.random.default_rng(0)
    y = 1.7e9 + rng.random(500)
    s = y + rng.normal(size=500) * 0.28
    for weights in (np.ones(500), next(resamples(500, 1, 0))[0]):
        at = repeated(weights)
        close(METRICS["r2"].prepare(Predictions(y, s))(weights[None])[0], sk.r2_score(y[at], s[at]))


def test_a_constant_resample_of_labels_with_an_outlier_is_seen() -> None:
    data = Predictions(np.array([1e17, 0.1, 0.1, 0.1, 0.2]), np.zeros(5))
    drawn = np.array([[0, 3, 1, 1, 0], [0, 2, 1, 1, 1], [1, 1, 1, 1, 1.0]])
    ours = METRICS["r2"].prepare(data)(drawn)
    close(ours, [0.0, *(_exact_r2(data.labels[repeated(w)], np.zeros(5)) for w in drawn[1:])])


@pytest.mark.parametrize("scale", [1e-308, 1e-200, 1e200, 1e308])
def test_numbers_whose_squares_overflow_or_vanish_are_measured(scale: float) -> None:
    rng = np.random.default_rng(0)
    y, s = rng.random(100) - 0.5, rng.random(100) - 0.5
    for name in ("rmse", "mae", "r2"):
        expected = oracle(name, y, s, None, [])
        ours = METRICS[name].value(Predictions(y * scale, s * scale))
        np.testing.assert_allclose(ours, expected if name == "r2" else expected * scale, rtol=1e-9)
    assert METRICS["mse"].value(Predictions(y * scale, s * scale)) in (0.0, np.inf)


def test_numbers_at_the_ends_of_float64_do_not_overflow() -> None:
    y = np.array([1.7e308, -1.7e308, 1.7e308, -1.7e308])
    assert METRICS["r2"].value(Predictions(y, -y)) == -3.0
    assert METRICS["r2"].value(Predictions(y, y)) == 1.0
    np.testing.assert_allclose(METRICS["mae"].value(Predictions(y, y * 0.9)), 1.7e307, rtol=1e-9)


def test_mape_of_a_label_of_0_is_as_enormous_as_scikit_learns() -> None:
    y, s = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    assert METRICS["mape"].value(Predictions(y, s)) == sk.mean_absolute_percentage_error(y, s)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_loss_of_a_quantile(alpha: float) -> None:
    rng = np.random.default_rng(0)
    y, s = rng.normal(size=99), rng.normal(size=99)
    ours = metric(f"pinball@{alpha}").value(Predictions(y, s))
    close(ours, sk.mean_pinball_loss(y, s, alpha=alpha))


# --- ranked lists ------------------------------------------------------------------------------------------


@st.composite
def ranked(draw: st.DrawFn) -> Predictions:
    """Lists of two to eight rows in any order, with ties, graded relevance and lists without any."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = rng.integers(2, 9, draw(st.integers(1, 12)))
    requests = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    s = rng.normal(size=len(requests)).round(draw(st.sampled_from([0, 6])))
    return Predictions(rng.integers(0, draw(st.sampled_from([2, 4])), len(s)).astype(float), s, None, 2, requests)


@settings(max_examples=30, deadline=None)
@given(ranked(), st.sampled_from([None, 1, 3, 10]))
def test_ranking_is_that_of_scikit_learn_list_by_list(data: Predictions, k: int | None) -> None:
    lists = [(data.labels[data.requests == r], data.scores[data.requests == r]) for r in range(max(data.requests) + 1)]
    at = "" if k is None else f"@{k}"
    close(metric(f"ndcg{at}").value(data), np.mean([sk.ndcg_score([y], [s], k=k) for y, s in lists]))
    close(metric(f"map{at}").value(data), np.mean([_average_precision(y > 0, s, k) for y, s in lists]))
    close(metric(f"mrr{at}").value(data), np.mean([_reciprocal_rank(y > 0, s, k) for y, s in lists]))
    if k is None:
        relevant = [(y, s) for y, s in lists if (y > 0).any()]
        theirs = [sk.average_precision_score(y > 0, s) for y, s in relevant]
        close(metric("map").value(data), sum(theirs) / len(lists))


def _places(s: np.ndarray) -> np.ndarray:
    return (s[:, None] <= s[None, :]).sum(axis=1)  # a tie counts as the last of its scores


def _average_precision(y: np.ndarray, s: np.ndarray, k: int | None) -> float:
    place = _places(s)
    right = [(y & (place <= p)).sum() / p for p in place[y] if p <= (k or np.inf)]
    return sum(right) / min(y.sum(), k or np.inf) if y.any() else 0.0


def _reciprocal_rank(y: np.ndarray, s: np.ndarray, k: int | None) -> float:
    first = _places(s)[y].min() if y.any() else np.inf
    return 1 / first if first <= (k or np.inf) else 0.0


def test_equal_scores_rank_nothing_although_the_rows_come_best_first() -> None:
    """A constant score keeps the order of the frame, which may be that of the labels."""
    requests = np.repeat(np.arange(20), 5)
    y = np.tile([1.0, 0, 0, 0, 0], 20)
    data = Predictions(y, np.zeros(100), None, 2, requests)
    assert metric("mrr").value(data) == metric("map").value(data) == pytest.approx(0.2)
    assert metric("ndcg").value(data) < 0.6


def test_requests_are_resampled_whole() -> None:
    data = Predictions(np.array([1.0, 0, 1, 0]), np.array([2.0, 1, 1, 2]), None, 2, np.array([0, 0, 1, 1]))
    assert metric("mrr").prepare(data)(np.array([[2.0, 0], [0, 2], [1, 1]])).tolist() == [1.0, 0.5, 0.75]


# --- groups --------------------------------------------------------------------------------------------------


def test_how_far_groups_are_apart() -> None:
    one, two = [np.array([0.8])], [np.array([0.8]), np.array([0.6])]
    assert group_metric("recall_difference").values([two]).tolist() == pytest.approx([0.2])
    assert group_metric("recall_ratio").values([two]).tolist() == pytest.approx([0.75])
    assert group_metric("roc_auc_worst").values([two]).tolist() == [0.6]
    assert group_metric("mae_worst").values([two]).tolist() == [0.8]
    assert group_metric("equalized_odds_difference").values([two, [*one, np.array([0.1])]]).tolist() == [0.8 - 0.1]
    assert group_metric("demographic_parity_ratio").values([[np.array([0.0]), np.array([0.0])]]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("recal_difference", "Did you mean 'recall_difference'"),
        ("roc_auc", "Any metric may stand before _difference, _ratio or _worst"),
        ("r2_ratio", "r2 can be negative"),
        ("demographic_parity_worst", "is not known"),
    ],
)
def test_an_unknown_metric_of_groups_names_the_nearest(name: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        group_metric(name)


# --- names and resamples -------------------------------------------------------------------------------------


def test_a_limit_is_the_lowest_score_or_the_highest_loss() -> None:
    assert metric("roc_auc").holds(0.8, 0.8)
    assert not metric("roc_auc").holds(0.79, 0.8)
    assert metric("log_loss").holds(0.3, 0.3)
    assert not metric("log_loss").holds(0.31, 0.3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("roc_au", "Did you mean 'roc_auc'"),
        ("ndcg@0", "a number of places of 1 or more after '@', such as ndcg@10"),
        ("ndcg@1.5", "a number of places"),
        ("ece@1", "a number of bins of 2 or more"),
        ("pinball", "a quantile between 0 and 1"),
        ("pinball@1", "a quantile between 0 and 1"),
        ("roc_auc@3", "takes no number: remove '@3'"),
        (3, "Metric '3' is not known"),
    ],
)
def test_a_metric_that_is_not_known_is_refused(name: Any, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        metric(name)


def test_every_metric_has_values_in_its_range() -> None:
    """On random predictions of each task."""
    rng = np.random.default_rng(0)
    s, y = rng.dirichlet(np.ones(2), 100), rng.integers(0, 2, 100).astype(float)
    for m in METRICS.values():
        scores = s if m.of == ("classes",) else s[:, 0]
        value = m.value(Predictions(y + (m.name == "mape"), scores, s.argmax(axis=1), 2, np.arange(100) // 5))
        assert m.range[0] <= value <= m.range[1], m.name


def test_resamples_draw_every_row_once_on_average_and_repeat_with_their_seed() -> None:
    drawn = np.concatenate(list(resamples(300, 200, 1)))
    assert drawn.shape == (200, 300)
    assert (drawn.sum(axis=1) == 300).all()
    assert np.array_equal(drawn, np.concatenate(list(resamples(300, 200, 1))))
    assert not np.array_equal(drawn, np.concatenate(list(resamples(300, 200, 2))))


def test_many_rows_are_resampled_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatrial.metrics.resampling.CELLS_AT_ONCE", 1000)
    assert [len(p) for p in resamples(300, 10, 1)] == [3, 3, 3, 1]
    assert [len(p) for p in resamples(300, 4, 1, width=500)] == [2, 2]
