"""What a picture of a column shows: counts in bins and medians of several rows, and never a cell.

A report leaves the machine, and cells do not. So a picture holds positions in percent of a range, of which the ends are
rounded to two digits and are no extreme of a single row; bins of fewer than ``FEW`` rows are merged with the next one,
a count below it is stored as ``RARE``, and labels have no names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seatrial.parity.columns import TICKS, Array, Column, decoded, sampled

ROWS = 20_000  # of a column that are looked at
FEW = 5  # rows below which a bin would tell of single ones
RARE = 2  # what stands for 1 to FEW - 1 rows
BINS = 6, 24  # the fewest and the most
STRIPS = 20
LABELS = 12
LEAST = 2 * FEW  # rows below which there is no picture

Picture = Mapping[str, Any]


def picture(expected: Column, actual: Column, changed: Array) -> Picture | None:
    """Return what a picture of a column that differs shows, as JSON can hold it; None where there is nothing to see.

    Args:
        expected: the column at training, aligned.
        actual: the column now, row by row.
        changed: ascending positions of the rows that differ.

    Returns:
        ``rows`` and ``nulls`` (of both sides), and ``bins`` as ``[from, to, training, serving]`` with positions in
        percent from ``low`` to ``high``. For numbers and times also ``strips``: of the rows that differ, sorted by the
        training value and cut into groups, ``[median of training, lowest tenth, median, highest tenth of serving]`` in
        percent. For labels the positions of ``bins`` count the labels, the most frequent first.
    """
    kept = sampled(len(expected), ROWS)
    differs = np.isin(kept, changed, assume_unique=True)
    sides = expected.take(kept), actual.take(kept)
    if len(kept) < LEAST:
        return None
    nulls = [int(np.count_nonzero(side.is_null())) for side in sides]
    numbers = [_numbers(side) for side in sides]
    if numbers[0] is None or numbers[1] is None:
        found = _of_labels(*sides)
    else:
        found = _of_numbers(numbers[0], numbers[1], differs, sides[0].kind == "instant")
    return None if found is None else {"rows": len(kept), "nulls": [_told(n) for n in nulls], **found}


def _numbers(side: Column) -> Array | None:
    """Return the cells as numbers, NaN for null: times in seconds since 1970; None for what is no number."""
    if side.kind not in ("number", "instant", "span") or side.values.dtype.kind not in "iufmM":
        return None
    values: Array = side.values.astype(np.float64) / (TICKS[side.unit] if side.unit else 1)
    return np.where(side.is_null(), np.nan, values)


def _of_numbers(expected: Array, actual: Array, differs: Array, timed: bool) -> dict[str, Any] | None:
    both = np.concatenate([expected, actual])
    both = np.sort(both[np.isfinite(both)])
    if len(both) < LEAST:
        return None
    low, high = _rounded(float(both[FEW - 1]), float(both[-FEW]))
    if not low < high:
        return None
    edges = np.linspace(low, high, int(np.clip(np.sqrt(len(both)), *BINS)) + 1)
    counts = [np.histogram(np.clip(x[np.isfinite(x)], low, high), edges)[0] for x in (expected, actual)]
    place = (100 * (edges - low) / (high - low)).round().astype(int)
    return {
        "kind": "times" if timed else "numbers",
        "low": low,
        "high": high,
        "bins": _merged(place.tolist(), *counts),
        "strips": _strips(expected, actual, differs & np.isfinite(expected) & np.isfinite(actual), low, high),
    }


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a range, rounded outwards to two digits of its length."""
    span = high - low or abs(high)
    if not span or not np.isfinite(span):
        return low, low
    digits = 1 - int(np.floor(np.log10(span)))
    step = 10.0**-digits
    return round(float(np.floor(low / step)) * step, digits), round(float(np.ceil(high / step)) * step, digits)


def _merged(place: list[int], training: Array, serving: Array) -> list[list[int]]:
    """Return the bins, each with as many of its neighbours as make it ``FEW`` rows, or none at all."""
    found: list[list[int]] = []
    for n in range(len(training)):
        here = [place[n], place[n + 1], int(training[n]), int(serving[n])]
        if found and 0 < found[-1][2] + found[-1][3] < FEW:
            here = [found[-1][0], here[1], here[2] + found[-1][2], here[3] + found[-1][3]]
            found.pop()
        found.append(here)
    if len(found) > 1 and 0 < found[-1][2] + found[-1][3] < FEW:
        last = found.pop()
        found[-1] = [found[-1][0], last[1], found[-1][2] + last[2], found[-1][3] + last[3]]
    return [[a, b, _told(e), _told(s)] for a, b, e, s in found]


def _told(count: int) -> int:
    return RARE if 0 < count < FEW else count


def _strips(expected: Array, actual: Array, rows: Array, low: float, high: float) -> list[list[int]]:
    e, a = expected[rows], actual[rows]
    if len(e) < FEW:
        return []
    order = np.argsort(e, kind="stable")

    def percent(values: Any) -> list[int]:
        return [round(float(v)) for v in np.clip(100 * (np.asarray(values) - low) / (high - low), 0, 100)]

    parts = np.array_split(order, min(STRIPS, len(e) // FEW))
    return [percent([np.median(e[part]), *np.quantile(a[part], [0.1, 0.5, 0.9])]) for part in parts]


def _of_labels(expected: Column, actual: Column) -> dict[str, Any] | None:
    """Return the counts of the most frequent labels; None where hardly any label occurs more than a few times."""
    sides = [decoded(side) if side.kind == "category" else side for side in (expected, actual)]
    flags = all(side.kind == "number" and side.values.dtype.kind == "b" for side in sides)
    if not flags and any(side.logical not in ("string", "boolean", "bool") for side in sides):
        return None
    counted: list[dict[Any, int]] = []
    for side in sides:
        cells = side.objects()[~side.is_null()]
        labels, counts = np.unique(cells.astype(str), return_counts=True)
        counted.append(dict(zip(labels.tolist(), counts.tolist(), strict=True)))
    total = {label: sum(of.get(label, 0) for of in counted) for label in {**counted[0], **counted[1]}}
    frequent = sorted((label for label, n in total.items() if n >= FEW), key=lambda label: (-total[label], label))
    frequent = frequent[:LABELS]
    if not frequent or sum(total[label] for label in frequent) < sum(total.values()) / 2:
        return None
    pairs = [[of.get(label, 0) for of in counted] for label in frequent]
    rest = [sum(of.values()) - sum(pair[n] for pair in pairs) for n, of in enumerate(counted)]
    pairs += [rest] if any(rest) else []
    bins = [[n, n + 1, _told(e), _told(a)] for n, (e, a) in enumerate(pairs)]
    return {"kind": "labels", "labels": len(frequent), "rest": any(rest), "bins": bins}
