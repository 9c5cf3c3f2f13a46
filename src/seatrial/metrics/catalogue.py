"""Every metric by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from seatrial.errors import PolicyError, unknown
from seatrial.metrics import decisions, probabilities, ranking, ranks, regression
from seatrial.metrics.base import UNBOUNDED, Metric, Predictions, Task, Weighted

LOSS = (0.0, float("inf"))
BOTH: tuple[Task, ...] = ("events", "classes")
PARAMETERS: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "rank": (int, lambda k: k >= 1, "a number of places of 1 or more"),
    "bins": (int, lambda bins: bins >= 2, "a number of bins of 2 or more"),
    "quantile": (float, lambda alpha: 0 < alpha < 1, "a quantile between 0 and 1"),
}


def _averages() -> Iterator[Metric]:
    for of in ("precision", "recall", "f1"):
        for average in ("macro", "micro", "weighted"):
            values = decisions.of_confusion(decisions.averaged(of, average))
            yield Metric(f"{of}_{average}", "higher", BOTH, "decisions", values)


def _decided(name: str, values: decisions.OfMatrix, of: tuple[Task, ...], **more: Any) -> Metric:
    return Metric(name, more.pop("better", "higher"), of, "decisions", decisions.of_confusion(values), **more)


def _number(name: str, prepare: Callable[[Predictions], Weighted]) -> Metric:
    return Metric(name, "lower", ("numbers",), "scores", prepare, LOSS)


def _listed(name: str, of: ranking.OfLists) -> Metric:
    return Metric(name, "higher", ("ranking",), "scores", ranking.by_request(of))


METRICS = {
    m.name: m
    for m in (
        Metric("roc_auc", "higher", ("events",), "scores", ranks.roc_auc),
        Metric("average_precision", "higher", ("events",), "scores", ranks.average_precision),
        Metric("roc_auc_ovr", "higher", ("classes",), "scores", ranks.one_versus_rest(weighted=False)),
        Metric("roc_auc_ovr_weighted", "higher", ("classes",), "scores", ranks.one_versus_rest(weighted=True)),
        Metric("roc_auc_ovo", "higher", ("classes",), "scores", ranks.one_versus_one(weighted=False)),
        Metric("roc_auc_ovo_weighted", "higher", ("classes",), "scores", ranks.one_versus_one(weighted=True)),
        Metric("log_loss", "lower", BOTH, "probabilities", probabilities.log_loss, LOSS),
        Metric("brier", "lower", BOTH, "probabilities", probabilities.brier, (0.0, 2.0)),
        Metric("ece", "lower", BOTH, "probabilities", probabilities.calibration_error(10)),
        _decided("accuracy", decisions.accuracy, BOTH),
        _decided("balanced_accuracy", decisions.balanced_accuracy, BOTH),
        _decided("precision", decisions.precision, ("events",)),
        _decided("recall", decisions.recall, ("events",)),
        _decided("f1", decisions.f1, ("events",)),
        _decided("false_positive_rate", decisions.false_positive_rate, ("events",), better="lower"),
        *_averages(),
        _decided("cohen_kappa", decisions.cohen_kappa, BOTH, range=(-1.0, 1.0)),
        _decided("matthews_corrcoef", decisions.matthews, BOTH, range=(-1.0, 1.0)),
        _number("rmse", regression.rmse),
        _number("mse", regression.mse),
        _number("mae", regression.mae),
        _number("mape", regression.mape),
        replace(_number("r2", regression.r2), better="higher", range=(UNBOUNDED[0], 1.0)),
        _listed("ndcg", ranking.ndcg(None)),
        _listed("map", ranking.mean_average_precision(None)),
        _listed("mrr", ranking.reciprocal_rank(None)),
    )
}
PARAMETRIC: dict[str, tuple[str, str, Callable[[str, Any], Metric]]] = {
    "ndcg": ("rank", "ndcg@10", lambda name, k: _listed(name, ranking.ndcg(k))),
    "map": ("rank", "map@10", lambda name, k: _listed(name, ranking.mean_average_precision(k))),
    "mrr": ("rank", "mrr@10", lambda name, k: _listed(name, ranking.reciprocal_rank(k))),
    "ece": (
        "bins",
        "ece@15",
        lambda name, bins: replace(METRICS["ece"], name=name, prepare=probabilities.calibration_error(bins)),
    ),
    "pinball": ("quantile", "pinball@0.9", lambda name, alpha: _number(name, regression.pinball(alpha))),
}


def metric(name: str) -> Metric:
    """Return a metric by its name; ``ndcg``, ``map``, ``mrr``, ``ece`` and ``pinball`` take a number after an ``@``.

    Raises:
        PolicyError: there is no such metric, where the message names the nearest one, or its number is out of range.

    Example:
        >>> metric("ndcg@10").name, metric("r2").better
        ('ndcg@10', 'higher')
    """
    if isinstance(name, str):
        base, at, text = name.partition("@")
        if name in METRICS:
            return METRICS[name]
        if base in PARAMETRIC:
            kind, example, make = PARAMETRIC[base]
            of, fits, allowed = PARAMETERS[kind]
            try:
                parameter = of(text)
            except ValueError:
                parameter = None
            if parameter is None or not fits(parameter):
                raise PolicyError(f"Metric '{name}' needs {allowed} after '@', such as {example}.")
            return make(name, parameter)
        if at and base in METRICS:
            raise PolicyError(f"Metric '{base}' takes no number: remove '{at}{text}'.")
    known = [*METRICS, *(example for _, example, _ in PARAMETRIC.values())]
    raise PolicyError(unknown("Metric", name, known))
