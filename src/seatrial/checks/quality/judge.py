"""Decide whether metrics meet their limits, and whether they are worse than the champion's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seatrial.checks.quality.bootstrap import MetricGain, discoveries, gain_of
from seatrial.checks.quality.samples import MIN_EVENTS, MIN_ROWS, LabelledSample, groups
from seatrial.checks.quality.scores import QualityInput
from seatrial.events import Event, Finding, NotEvaluated, Severity
from seatrial.formatting import number, plural, share
from seatrial.metrics import Metric

MAX_SLICES = 50  # values of one column, the most frequent


def limits_met(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield each metric with its bootstrap interval, and a finding where its value misses the limit."""
    drawn = data.bootstrap(case.metrics, case.seed())
    tail = 1 - case.quality.confidence
    for m in case.metrics:
        value, limit = data.values(m)[0], case.quality.limits[m.name]
        low, high = np.nanquantile(drawn[m.name][0], [tail, 1 - tail]).tolist()
        yield case.measurement(m.name, value)
        yield case.measurement(f"{m.name}.low", low)
        yield case.measurement(f"{m.name}.high", high)
        if not m.holds(value, limit):
            bound = "at least" if m.better == "higher" else "at most"
            yield case.finding(
                f"{m.name} of '{case.quality.score}' is {_figure(value)} ({share(1 - 2 * tail)} interval "
                f"{_figure(low)} to {_figure(high)}, {_size(data, m)}); the policy requires {bound} {number(limit)}.",
                "limit-missed",
                advice="Compare this training run with the last good one: data, labels, convergence, features.",
                evidence={"value": value, "limit": limit, "low": low, "high": high, "rows": len(data),
                          "seed": case.trial.seed},
            )  # fmt: skip


def not_worse(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Compare with the champion over all rows, and by slice the metrics that are not worse over all rows."""
    if shortage := data.shortage(case.metrics):
        yield NotEvaluated(case.check, case.stage, f"The comparison with the champion was not evaluated. {shortage}")
        return
    drawn, worse = data.bootstrap(case.metrics, case.seed()), set()
    for m in case.metrics:
        for event in _overall(case, data, gain_of(data, m, *drawn[m.name])):
            yield event
            if isinstance(event, Finding) and event.severity is Severity.ERROR:
                worse.add(m.name)
    by_slice = []
    for column, value, part in _slices(case, data):
        drawn = part.bootstrap(case.metrics, case.seed(f"{column}:{value}"))
        by_slice += [(f"{column}:{value}", part, gain_of(part, m, *drawn[m.name])) for m in case.metrics]
    real = discoveries([gain.p_value for *_, gain in by_slice], 1 - case.quality.confidence)
    for (name, part, gain), discovered in zip(by_slice, real, strict=True):
        yield case.measurement(f"{gain.metric.name}/{name}", gain.value)
        yield case.measurement(f"{gain.metric.name}.gain/{name}", gain.gain)
        if discovered and gain.gain < -gain.margin(case.quality) and gain.metric.name not in worse:
            yield _worse(case, part, gain, f" in slice {name}")


def slice_values(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield each metric of each slice."""
    for column, value, part in _slices(case, data):
        for m in case.metrics:
            yield case.measurement(f"{m.name}/{column}:{value}", part.values(m)[0])


def small_slices(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield a warning for each slice column none of whose values has enough rows."""
    evaluated = {column for column, *_ in _slices(case, data)}
    for column in case.quality.slices:
        if column not in evaluated:
            yield case.finding(
                f"No value of slice '{column}' has enough rows: {MIN_ROWS} labelled rows are needed, and for metrics "
                f"of events {MIN_EVENTS} events and {MIN_EVENTS} rows without the event.",
                "slice-not-evaluated",
                severity=Severity.WARNING,
                advice="Slice by a column of few values, or capture the reference with more labelled rows.",
            )


def _overall(case: QualityInput, data: LabelledSample, gain: MetricGain) -> Iterator[Event]:
    name, quality = gain.metric.name, case.quality
    margin = gain.margin(quality)
    low, high = gain.bounds(quality.confidence)
    yield case.measurement(f"{name}.champion", gain.champion)
    yield case.measurement(f"{name}.gain", gain.gain)
    yield case.measurement(f"{name}.gain.low", low)
    yield case.measurement(f"{name}.gain.high", high)
    if gain.gain < -margin and high < 0:
        interval = f" ({share(2 * quality.confidence - 1)} interval {_figure(-high)} to {_figure(-low)})"
        yield _worse(case, data, gain, interval)
    elif low < -margin:
        needed = gain.rows_needed(quality)
        enough = f" About {needed:,} rows would be enough." if needed else ""
        yield case.finding(
            f"There are not enough rows to decide whether {name} is worse than the champion's by more than "
            f"{_figure(margin)}. On {_size(data, gain.metric)} the gain is {gain.gain:+,.4g}, between {low:+,.4g} and "
            f"{high:+,.4g}.{enough}",
            "too-few-rows",
            severity=Severity.WARNING,
            advice="Capture the reference with more labelled rows, or set a wider margin.",
            evidence={"gain": gain.gain, "low": low, "high": high, "margin": margin, "rows": len(data),
                      "seed": case.trial.seed},
        )  # fmt: skip


def _worse(case: QualityInput, data: LabelledSample, gain: MetricGain, where: str) -> Finding:
    margin = gain.margin(case.quality)
    return case.finding(
        f"{gain.metric.name} is {_figure(gain.value)}; the champion has {_figure(gain.champion)} on the same "
        f"{_size(data, gain.metric)}. It is worse by {_figure(-gain.gain)}{where}; the margin is {_figure(margin)}.",
        "worse-than-champion",
        advice="Compare the two training runs: data, labels, convergence, features. The champion stays.",
        evidence={"value": gain.value, "champion": gain.champion, "gain": gain.gain, "margin": margin,
                  "p_value": gain.p_value, "rows": len(data), "seed": case.trial.seed},
    )  # fmt: skip


def _slices(case: QualityInput, data: LabelledSample) -> Iterator[tuple[str, str, LabelledSample]]:
    """Yield column, value and rows of every slice with enough rows."""
    for column in case.quality.slices:
        values = groups(case.trial, case.stage, column, data.keys)
        for value in values.value_counts().index[:MAX_SLICES]:
            part = data.take((values == value).to_numpy())
            if not part.shortage(case.metrics):
                yield column, value, part


def _size(data: LabelledSample, m: Metric) -> str:
    events = f" ({plural(int(data.labels.sum()), 'event')})" if m.of == "events" else ""
    return f"{plural(len(data), 'row')}{events}"


def _figure(value: float) -> str:
    return f"{value:,.4g}"
