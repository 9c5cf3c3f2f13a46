"""Decide whether metrics meet their limits, and whether they are worse than the champion's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from seatrial.checks.quality.bootstrap import MetricGain, bounds, discoveries, gain_of
from seatrial.checks.quality.case import QualityInput
from seatrial.checks.quality.labels import Labels
from seatrial.checks.quality.samples import MIN_EVENTS, LabelledSample
from seatrial.checks.quality.slices import slices_of
from seatrial.events import Event, Finding, Severity
from seatrial.formatting import number, plural, share
from seatrial.metrics import Metric
from seatrial.metrics.ranking import rankable


def limits_met(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield each metric with its bootstrap interval, and a finding where its value misses the limit."""
    drawn = data.bootstrap(case.metrics, case.seed())
    tail = 1 - case.quality.confidence
    for m in case.metrics:
        value, limit = data.value(m), float(case.quality.limits[m.name])
        if math.isnan(value):
            yield case.not_evaluated(f"{m.name} is not defined on these {_size(data, m)}: {undefined(m)}.")
            continue
        low, high = bounds(drawn[m.name]["version"], case.quality.confidence)
        yield case.measurement(m.name, value)
        yield case.measurement(f"{m.name}.low", low)
        yield case.measurement(f"{m.name}.high", high)
        if not m.holds(value, limit):
            bound = "at least" if m.better == "higher" else "at most"
            yield case.finding(
                f"{m.name} of '{case.quality.column}' is {figure(value)} ({share(1 - 2 * tail)} interval "
                f"{figure(low)} to {figure(high)}, {_size(data, m)}); the policy requires {bound} {number(limit)}.",
                "limit-missed",
                advice="Compare this training run with the last good one: data, labels, convergence, features.",
                evidence={"value": value, "limit": limit, "low": low, "high": high, "rows": len(data),
                          "seed": case.trial.seed},
            )  # fmt: skip


def undefined(m: Metric) -> str:
    """Return why a metric can be undefined."""
    if m.name.startswith("roc_auc_"):
        return "each class of 'scores' needs labelled rows, and others that are not of it"
    return "its denominator is 0, as where labels or decisions are all the same"


def remarks(case: QualityInput, data: LabelledSample, labels: Labels) -> Iterator[Event]:
    """Yield what a reader of the metrics should know: rare classes, and requests that any order serves alike."""
    if labels.classes is not None:
        counts = np.bincount(data.version.codes, minlength=len(labels.classes))
        few = [str(name) for name, code in labels.classes.codes.items() if counts[code] < MIN_EVENTS]
        if few:
            yield case.finding(
                f"{len(few)} of {plural(len(counts), 'class', 'classes')} have fewer than {MIN_EVENTS} labelled rows, "
                f"such as '{few[0][:40]}'. Averages over classes depend on few rows there.",
                "rare-classes",
                severity=Severity.INFO,
                advice="Capture the reference with more labelled rows of these classes.",
            )
    if case.quality.task == "ranking" and data.version.requests is not None:
        lists = int(data.version.requests.max()) + 1
        alike = lists - rankable(data.version.requests, data.version.labels)
        if alike:
            yield case.finding(
                f"{alike:,} of {plural(lists, 'request')} have rows of one relevance only: any order of them is worth "
                "the same, 0 where nothing is relevant.",
                "nothing-to-rank",
                severity=Severity.INFO,
                advice="Label requests with relevant and other rows.",
            )


def not_worse(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Compare with the champion over all rows, and by slice the metrics that are not worse over all rows."""
    if shortage := data.shortage(case.metrics):
        yield case.not_evaluated(f"The comparison with the champion was not evaluated. {shortage}")
        return
    drawn, worse = data.bootstrap(case.metrics, case.seed()), set()
    for m in case.metrics:
        gain = gain_of(data, m, drawn[m.name], "champion")
        if math.isnan(gain.gain):
            if not math.isnan(gain.value):  # else it is told beside its limit
                yield case.not_evaluated(f"{m.name} of the champion is not defined on the same rows: {undefined(m)}.")
            continue
        for event in _overall(case, data, gain):
            yield event
            if isinstance(event, Finding) and event.severity is Severity.ERROR:
                worse.add(m.name)
    by_slice = []
    for column, value, part in slices_of(case, data):
        of_part = part.bootstrap(case.metrics, case.seed(f"{column}:{value}"))
        gains = [gain_of(part, m, of_part[m.name], "champion") for m in case.metrics]
        by_slice += [(f"{column}:{value}", part, gain) for gain in gains if math.isfinite(gain.gain)]
    real = discoveries([gain.p_value for *_, gain in by_slice], 1 - case.quality.confidence)
    for (name, part, gain), discovered in zip(by_slice, real, strict=True):
        yield case.measurement(f"{gain.metric.name}/{name}", gain.value)
        yield case.measurement(f"{gain.metric.name}.gain/{name}", gain.gain)
        if discovered and gain.gain < -gain.margin(case.quality.margin) and gain.metric.name not in worse:
            yield _worse(case, part, gain, f" in slice {name}")


def slice_values(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield each metric of each slice."""
    for column, value, part in slices_of(case, data):
        for m in case.metrics:
            if not math.isnan(found := part.value(m)):
                yield case.measurement(f"{m.name}/{column}:{value}", found)


def _overall(case: QualityInput, data: LabelledSample, gain: MetricGain) -> Iterator[Event]:
    name, quality = gain.metric.name, case.quality
    margin = gain.margin(quality.margin)
    low, high = gain.bounds(quality.confidence)
    yield case.measurement(f"{name}.champion", gain.other)
    yield case.measurement(f"{name}.gain", gain.gain)
    yield case.measurement(f"{name}.gain.low", low)
    yield case.measurement(f"{name}.gain.high", high)
    if gain.gain < -margin and high < 0:
        interval = f" ({share(2 * quality.confidence - 1)} interval {figure(-high)} to {figure(-low)})"
        yield _worse(case, data, gain, interval)
    elif not low >= -margin:  # nor where no resample defines it
        needed = gain.rows_needed(margin, quality.confidence)
        enough = f" About {needed:,} rows would be enough." if needed else ""
        yield case.finding(
            f"There are not enough rows to decide whether {name} is worse than the champion's by more than "
            f"{figure(margin)}. On {_size(data, gain.metric)} the gain is {gain.gain:+,.4g}, between {low:+,.4g} and "
            f"{high:+,.4g}.{enough}",
            "too-few-rows",
            severity=Severity.WARNING,
            advice="Capture the reference with more labelled rows, or set a wider margin.",
            evidence={"gain": gain.gain, "low": low, "high": high, "margin": margin, "rows": len(data),
                      "seed": case.trial.seed},
        )  # fmt: skip


def _worse(case: QualityInput, data: LabelledSample, gain: MetricGain, where: str) -> Finding:
    margin = gain.margin(case.quality.margin)
    return case.finding(
        f"{gain.metric.name} is {figure(gain.value)}; the champion has {figure(gain.other)} on the same "
        f"{_size(data, gain.metric)}. It is worse by {figure(-gain.gain)}{where}; the margin is {figure(margin)}.",
        "worse-than-champion",
        advice="Compare the two training runs: data, labels, convergence, features. The champion stays.",
        evidence={"value": gain.value, "champion": gain.other, "gain": gain.gain, "margin": margin,
                  "p_value": gain.p_value, "rows": len(data), "seed": case.trial.seed},
    )  # fmt: skip


def _size(data: LabelledSample, m: Metric) -> str:
    more = ""
    if "events" in m.of and data.version.classes == 2:
        more = f" ({plural(int(data.version.labels.sum()), 'event')})"
    if m.by_request and data.version.requests is not None:
        more = f" of {plural(int(data.version.requests.max(initial=-1)) + 1, 'request')}"
    return f"{plural(len(data), 'row')}{more}"


def figure(value: float) -> str:
    """Return a value of a metric with four digits."""
    return f"{value:,.4g}"
