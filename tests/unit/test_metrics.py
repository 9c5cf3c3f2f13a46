"""Metrics agree with scikit-learn, weighted, tied and resampled."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.errors import PolicyError
from seatrial.metrics import METRICS, metric, resamples


def sklearn_value(name: str, y: np.ndarray, s: np.ndarray, w: np.ndarray) -> float:
    from sklearn import metrics as sk

    if name in ("accuracy", "precision", "recall", "f1"):
        score = {"accuracy": sk.accuracy_score, "f1": sk.f1_score}.get(name) or getattr(sk, f"{name}_score")
        return float(score(y, s >= 0.5, sample_weight=w))
    function = {
        "roc_auc": sk.roc_auc_score,
        "average_precision": sk.average_precision_score,
        "log_loss": sk.log_loss,
        "brier": sk.brier_score_loss,
        "rmse": sk.root_mean_squared_error,
        "mae": sk.mean_absolute_error,
        "r2": sk.r2_score,
    }[name]
    return float(function(y, s, sample_weight=w))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("decimals", [1, 8], ids=["ties", "no ties"])
def test_each_metric_is_that_of_scikit_learn(name: str, decimals: int) -> None:
    rng = np.random.default_rng(3)
    s = np.clip(rng.beta(1, 3, 500).round(decimals), 0, 1)
    y = (rng.random(500) < s).astype(float) if METRICS[name].of == "events" else s + rng.normal(size=500)
    weights = np.concatenate([np.ones((1, 500)), *resamples(500, 5, 0)])
    expected = [sklearn_value(name, y, s, w) for w in weights]
    np.testing.assert_allclose(METRICS[name].values(y, s, weights), expected, rtol=1e-9)


def test_one_class_alone_has_no_auc() -> None:
    y, s = np.zeros(10), np.linspace(0, 1, 10)
    assert np.isnan(METRICS["roc_auc"].values(y, s, np.ones((1, 10)))).all()
    assert not METRICS["roc_auc"].holds(float("nan"), 0.0)


def test_a_limit_is_the_lowest_score_or_the_highest_loss() -> None:
    assert metric("roc_auc").holds(0.8, 0.8)
    assert not metric("roc_auc").holds(0.79, 0.8)
    assert metric("log_loss").holds(0.3, 0.3)
    assert not metric("log_loss").holds(0.31, 0.3)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'roc_auc'"):
        metric("roc_au")


def test_resamples_draw_every_row_once_on_average_and_repeat_with_their_seed() -> None:
    drawn = np.concatenate(list(resamples(300, 200, 1)))
    assert drawn.shape == (200, 300)
    assert (drawn.sum(axis=1) == 300).all()
    assert np.array_equal(drawn, np.concatenate(list(resamples(300, 200, 1))))
    assert not np.array_equal(drawn, np.concatenate(list(resamples(300, 200, 2))))


def test_many_rows_are_resampled_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatrial.metrics.CELLS_AT_ONCE", 1000)
    pieces = list(resamples(300, 10, 1))
    assert [len(p) for p in pieces] == [3, 3, 3, 1]
