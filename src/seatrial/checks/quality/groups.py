"""Decide whether a model treats declared groups of rows too differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seatrial.checks.quality.bootstrap import enough_rows
from seatrial.checks.quality.case import QualityInput
from seatrial.checks.quality.judge import figure
from seatrial.checks.quality.samples import LabelledSample
from seatrial.checks.quality.scores import needs_probabilities, not_probabilities
from seatrial.checks.quality.slices import parts_of
from seatrial.events import Event, Severity
from seatrial.formatting import number, plural, share
from seatrial.metrics import Array, GroupMetric


def groups_apart(case: QualityInput, data: LabelledSample) -> Iterator[Event]:
    """Yield how far the groups of each declared column are apart, and a finding where it is certain to be too far.

    A value beyond its limit by less than chance explains is not decided: chance alone puts small groups apart.

    Raises:
        PolicyError: a column of groups is not known.
    """
    for column, metrics in case.quality.group_metrics.items():
        usable = [g for g in metrics if not _unfit(case, data, g)]
        inner = {m.name: m for g in usable for m in g.of}
        parts = list(parts_of(case, data, column, list(inner.values()), "Group"))
        enough = {value: part for value, part, shortage in parts if not shortage}
        small = {value: shortage for value, _, shortage in parts if shortage}
        if small:
            value, shortage = next(iter(small.items()))
            yield case.finding(
                f"{plural(len(small), 'group')} of '{column}' left out of the comparison of groups, such as "
                f"'{value}': {shortage.rstrip('.')}.",
                "group-not-evaluated",
                severity=Severity.WARNING,
                advice="Capture the reference with more labelled rows of these groups.",
            )
        if len(enough) < 2:
            yield case.not_evaluated(
                f"The groups of '{column}' were not compared: {len(enough)} of {plural(len(parts), 'group')} have "
                "enough labelled rows, and two are needed."
            )
            continue
        drawn = {
            value: part.bootstrap(list(inner.values()), case.seed(f"group {column}:{value}"))
            for value, part in enough.items()
        }
        for g in usable:
            now = np.array([[part.value(m) for part in enough.values()] for m in g.of])
            errors = np.array([[np.nanstd(of[m.name]["version"]) for of in drawn.values()] for m in g.of])
            for m, values in zip(g.of, now, strict=True):
                for name, value in zip(enough, values.tolist(), strict=True):
                    yield case.measurement(f"{m.name}/{column}:{name}", value)
            yield from _judged(case, data, column, g, now, errors, list(enough))


def _judged(
    case: QualityInput, data: LabelledSample, column: str, g: GroupMetric, now: Array, errors: Array,
    names: Sequence[str],
) -> Iterator[Event]:  # fmt: skip
    limit, confidence = float(case.quality.groups[column][g.name]), case.quality.confidence
    if np.isnan(now).any():
        yield case.not_evaluated(f"{g.name} over '{column}' is not defined in one of the groups.")
        return
    value = float(g.values([[np.array([v]) for v in values] for values in now])[0])
    yield case.measurement(f"{g.name}/{column}", value)
    if g.sign * value >= g.sign * limit:
        return
    bound = "at least" if g.sign > 0 else "at most"
    first = now[int(np.argmax(np.ptp(now, axis=1)))]
    name, (low, high) = g.of[int(np.argmax(np.ptp(now, axis=1)))].name, (int(first.argmin()), int(first.argmax()))
    says = (
        f"{g.name} over '{column}' is {figure(value)}; the policy requires {bound} {number(limit)}. {name} is "
        f"{figure(first[low])} in '{names[low]}' and {figure(first[high])} in '{names[high]}'."
    )
    least, error = g.beyond(limit, now, errors, confidence)
    if least > 0:
        yield case.finding(
            f"{says} That is beyond chance at a confidence of {share(confidence)}.",
            "groups-apart",
            advice="Look at the data, labels and features of these groups, and at the threshold.",
            evidence={"value": value, "limit": limit, "standard_error": error, "rows": len(data),
                      "seed": case.trial.seed},
        )  # fmt: skip
    else:
        needed = enough_rows(len(data), error, value - limit, confidence)
        enough = f" About {needed:,} labelled rows would be enough." if needed else ""
        yield case.not_evaluated(f"{says} There are not enough rows to decide.{enough}")


def _unfit(case: QualityInput, data: LabelledSample, g: GroupMetric) -> bool:
    return any(needs_probabilities(case.quality, m) for m in g.of) and bool(not_probabilities(data.version))
