"""Whether the distribution of a column drifted, or only shows the noise of a finite sample.

A fixed limit is not enough: PSI > 0.1 raises a false alarm in 84 % of clean samples of 100 rows. A column drifted
when two conditions hold: the part of the effect that noise does not explain exceeds a limit, and the p-value
survives the correction of Benjamini and Hochberg (1995) over all columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seatrial.parity.columns import Array, Column, sampled

BINS = 20
LIMIT = 0.1  # of noise-corrected PSI; below it a shift is commonly called negligible
ALPHA = 0.05  # of the critical value of one column
Q = 0.05  # false discovery rate over all columns
_SAMPLE = 8_000  # rows that place the bin edges


@dataclass(frozen=True)
class Drift:
    """How far a column's distribution moved; 5 % of unchanged samples exceed ``psi_critical``."""

    psi: float = 0.0
    psi_critical: float = 0.0
    p_value: float = 1.0
    corrected: float = 0.0
    drifted: bool = False


UNCHANGED = Drift()


def drift(expected: Column, actual: Column, changed: Array) -> Drift:
    """Compare two aligned columns that differ in the rows ``changed`` and nowhere else.

    Only the changed rows are counted in full: elsewhere both columns put the same cells in the same bins.
    Columns of lists and other objects have no distribution here and count as unchanged.
    """
    rows = len(expected)
    if not len(changed):
        return UNCHANGED
    binned = _bins(expected, actual, changed)
    if binned is None:
        return UNCHANGED
    base, before, after = binned
    moved = (after - before).astype(np.float64)
    counts = base * (rows / base.sum())
    return compare_histograms(counts, np.maximum(counts + moved, 0.0))


def compare_histograms(expected: Array, actual: Array) -> Drift:
    """Compare two histograms (counts per bin, same bins) by the population stability index.

    PSI = sum((q - p) ln(q / p)). Without any change PSI / (1/n + 1/m) follows chi-square with B - 1 degrees
    of freedom (Yurdakul, Statistical properties of population stability index, 2018), which gives the
    critical value, the p-value, and the noise (1/n + 1/m)(B - 1) that the effect is corrected by. Empty
    bins count as half an observation.
    """
    seen = (expected > 0) | (actual > 0)
    expected, actual = expected[seen], actual[seen]
    bins = len(expected)
    if bins < 2:
        return UNCHANGED
    n, m = float(expected.sum()), float(actual.sum())
    p, q = np.maximum(expected, 0.5) / n, np.maximum(actual, 0.5) / m
    psi = float(np.sum((q - p) * np.log(q / p)))
    noise = 1 / n + 1 / m
    return Drift(
        psi=psi,
        psi_critical=noise * _critical(bins - 1),
        p_value=_tail(psi / noise, bins - 1),
        corrected=psi - noise * (bins - 1),
    )


def control_false_discoveries(drifts: list[Drift], limit: float = LIMIT, q: float = Q) -> list[Drift]:
    """Mark the columns that drifted: corrected effect above ``limit`` and adjusted p-value below ``q``.

    The p-values returned are the adjusted ones. Benjamini and Hochberg, Controlling the false discovery rate, 1995.
    """
    from scipy.stats import false_discovery_control

    adjusted = false_discovery_control([drift.p_value for drift in drifts], method="bh")
    return [
        replace(drift, p_value=float(p), drifted=bool(drift.corrected > limit and p < q))
        for drift, p in zip(drifts, adjusted, strict=True)
    ]


def _bins(expected: Column, actual: Column, changed: Array) -> tuple[Array, Array, Array] | None:
    """Histograms over the same bins: a sample of expected, its changed rows, what they became."""
    sample = expected.take(sampled(len(expected), _SAMPLE))
    parts = [sample, expected.take(changed), actual.take(changed)]
    kinds = {part.kind for part in parts}
    if kinds <= {"number", "instant", "span"} and len(kinds) == 1 and expected.unit == actual.unit:
        return _numeric(parts)
    if kinds <= {"arrow", "category"}:
        return _labels(parts)
    return None


def _numeric(parts: list[Column]) -> tuple[Array, Array, Array] | None:
    present = [part.values[~part.is_null()].astype(np.float64) for part in parts]
    if not len(present[0]):
        return None
    ordered = np.sort(present[0])
    bins = min(BINS, max(2, len(ordered) // 10))
    # an edge is a value that occurs and belongs to the bin below it, so that ties fall on one side
    edges = np.unique(ordered[np.arange(1, bins) * len(ordered) // bins])
    counted = [np.diff(np.searchsorted(ordered, edges, side="right"), prepend=0, append=len(ordered))]
    counted += [np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) for x in present[1:]]
    nulls = [len(part) - len(values) for part, values in zip(parts, present, strict=True)]
    return cast(tuple[Array, Array, Array], tuple(np.append(c, n) for c, n in zip(counted, nulls, strict=True)))


def _labels(parts: list[Column]) -> tuple[Array, Array, Array] | None:
    from seatrial.parity.columns import decoded

    cells = [decoded(part) if part.kind == "category" else part for part in parts]
    if any(part.kind != "arrow" for part in cells):
        return _numeric(cells) if all(part.kind == "number" for part in cells) else None
    try:
        arrays = [part.values.cast(pa.large_string()) for part in cells]
    except pa.ArrowException:
        return None
    encoded = pa.chunked_array(arrays).combine_chunks().dictionary_encode()
    codes = pc.add(encoded.indices.cast(pa.int64()), 1).fill_null(0).to_numpy(zero_copy_only=False)
    ends = np.cumsum([len(part) for part in parts])
    counted = np.array([np.bincount(c, minlength=len(encoded.dictionary) + 1) for c in np.split(codes, ends[:-1])])
    # Null, the most frequent labels, and the rest as one: rare labels are noise one by one.
    frequent = np.argsort(-counted[0][1:], kind="stable")[: BINS - 2] + 1
    rest = np.setdiff1d(np.arange(1, counted.shape[1]), frequent)
    folded = np.column_stack([counted[:, 0], counted[:, frequent], counted[:, rest].sum(axis=1)])
    return folded[0], folded[1], folded[2]


@cache
def _critical(freedom: int) -> float:
    from scipy.special import chdtri

    return float(chdtri(freedom, ALPHA))


def _tail(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, statistic))
