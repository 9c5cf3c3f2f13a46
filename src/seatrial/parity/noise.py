"""Whether the numbers of a noisy column differ by more than the noise that was recorded at capture.

A stage that is not repeatable is run k times at capture. From these runs follow, for each column, a scale for each row
and three statistics of a whole answer: the largest deviation of a row, the mean deviation, and the mean square. A later
answer is judged by the same three. Each is compared with a *prediction bound*: what one further answer of the same
stage exceeds with a stated probability (Hahn and Meeker, Statistical Intervals, 1991, chapter 4). It is computed from
the k values of that statistic by Student's t, for the positive ones from their logarithms.

- The unit is the *answer*, not the row. Rows of one answer may share their noise, have tails of any weight and a scale
  each; that is in the k values. Bounds from all rows by themselves, as of Howe or of Odeh and Owen (Tables for Normal
  Tolerance Limits, 1980), assume independent Gaussian rows.
- The k values are of each run against the other runs (leave one out), so that they are as large as those of a new one.
- The scale of a row is its own standard deviation, moderated towards that of all rows, or towards the trend over their
  size (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004). It decides how sharp the bounds are, not whether they hold.
- The probability is divided over columns, comparisons and the three statistics (Bonferroni): all comparisons of a
  validation together exceed a bound by noise alone in at most ``FALSE_FAILURES``. ``tests/bench/bench_noise.py``
  measures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Exceeded = Literal["shift", "spread"]

FALSE_FAILURES = 0.01  # of a whole validation, by noise alone
COMPARISONS = 16  # of one column in a validation: replays, variations of the invariants, both modes of the service
STATISTICS = 3  # of a column in a comparison: a row, the mean, the mean square
MEAN_FREEDOM = 9  # of Student's t, at most: tails heavier than Gaussian need it, however many the runs
TAIL_FREEDOM = 6  # for the largest deviation and the mean square, whose tails are heavier than those of a mean
ANSWERS = 60  # rows times runs that show a shift of two standard deviations; a small frame is asked more often
_TREND = 0.5  # share of the variance of the rows' scales that their size must explain
_LEAST = 1e-3  # a statistic of exactly zero, as a share of the largest: it has no logarithm


@dataclass(frozen=True)
class Judged:
    """An answer against the noise of a column.

    Attributes:
        within: booleans of shape (rows,): the row deviates from the others by no more than noise does.
        shift: by how much the column as a whole moved, in standard deviations of a row's noise; 0 where that is noise.
        spread: how many times as far as in the noise the rows deviate, where that is more than noise; else 0.
    """

    within: NDArray[np.bool_]
    shift: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class ColumnNoise:
    """The noise of one column, from k runs of n rows.

    Attributes:
        runs: k.
        mean: of each row, shape (n,).
        scale: the standard deviation of each row, moderated, shape (n,).
        largest: mean and standard deviation of the logarithm of the largest deviation of a run, in scales.
        square: those of the logarithm of the mean square.
        shift: the standard deviation of the mean deviation of a run.
    """

    runs: int
    mean: Floats
    scale: Floats
    largest: tuple[float, float]
    square: tuple[float, float]
    shift: float

    @classmethod
    def of(cls, values: Any) -> ColumnNoise:
        """Return the noise in ``values`` of shape (k, n), k at least 5; a row with a value that is not finite has none.

        Example:
            >>> noise = ColumnNoise.of(np.random.default_rng(0).normal(7.0, 0.1, size=(10, 500)))
            >>> bool(abs(noise.scale.mean() - 0.1) < 0.01)
            True
        """
        x = np.asarray(values, dtype=np.float64)
        k = len(x)
        usable = np.isfinite(x).all(axis=0)
        x = np.where(usable, x, 0.0)
        mean = x.mean(axis=0)
        deviations = x - mean
        squares = (deviations**2).sum(axis=0)
        prior, weight = _prior(mean, squares / (k - 1), k - 1)
        scale = np.sqrt(_moderated(squares, k - 1, prior, weight))
        others = _moderated(np.maximum(squares - deviations**2 * k / (k - 1), 0.0), k - 2, prior, weight)
        left_out = deviations * k / (k - 1) / np.sqrt(others)  # of each run from the mean of the others
        largest = np.abs(left_out).max(axis=1) / math.sqrt(1 + 1 / (k - 1))
        square = (left_out**2).mean(axis=1) / (1 + 1 / (k - 1))
        shift = float(np.std(left_out.mean(axis=1), ddof=1)) * (k - 1) / k
        rows = max(2, int(usable.sum()))
        return cls(
            k,
            np.where(usable, mean, np.nan),
            scale,
            _logarithms(largest, math.pi / math.sqrt(24) / math.log(2 * rows)),
            _logarithms(square, math.sqrt(2 / rows)),
            shift,
        )

    def judge(self, deviations: Any, rows: Any, *, against: int, columns: int, further: tuple[Any, ...] = ()) -> Judged:
        """Judge how far an answer deviates.

        Args:
            deviations: of each row from what it is compared with, shape (m,); NaN where there is nothing to compare.
            rows: which rows of the noise they are, shape (m,).
            against: of how many answers that is the mean: ``runs`` for the mean of all, 1 for one answer.
            columns: how many noisy columns are judged in the validation.
            further: deviations of more answers to the same rows, for the mean deviation.
        """
        usable = np.isfinite(deviations)
        if not usable.any():
            return Judged(np.zeros(len(usable), dtype=bool))
        scale = self.scale[rows]
        z = deviations / scale
        alpha = FALSE_FAILURES / (COMPARISONS * STATISTICS * max(1, columns))
        doubt = math.sqrt(1 + 1 / self.runs)
        one = math.sqrt(1 + 1 / against)
        t = quantile(min(self.runs - 1, TAIL_FREEDOM), alpha)
        bound = math.exp(self.largest[0] + t * self.largest[1] * doubt) * one
        square = math.exp(self.square[0] + t * self.square[1] * doubt) * one**2
        kept = usable & (np.abs(z - np.median(z[usable])) <= bound)  # rows far out are found by themselves
        kept = kept if kept.any() else usable
        means = [float(np.nanmean(each[kept])) for each in (z, *(f / scale for f in further))]
        t = quantile(min(self.runs - 1, MEAN_FREEDOM), alpha / 2)
        limit = t * self.shift * math.sqrt(1 / against + 1 / len(means))
        part = math.sqrt(len(self.scale) / kept.sum())  # the mean of fewer rows varies more
        moved = float(np.mean(means))
        shift = moved if abs(moved) > limit * part else 0.0
        rest = z - shift
        found = float(np.mean(rest[kept] ** 2))
        whole = len(z) == len(self.scale) and usable.all()  # the mean square of fewer rows is another statistic
        with np.errstate(invalid="ignore"):
            within = np.abs(rest) <= bound
        return Judged(within, shift, math.sqrt(found / one**2) if whole and found > square else 0.0)


def quantile(freedom: float, tail: float) -> float:
    """Return what Student's t exceeds with probability ``tail``.

    Example:
        >>> round(quantile(9, 0.025), 3)
        2.262
    """
    from scipy.special import stdtrit

    return -float(stdtrit(freedom, tail))


def runs_for(values: Any, least: int) -> int:
    """Return how often a stage is run so that a shift of two standard deviations shows: ``least`` times or more.

    The mean of independent rows varies less than one row. Rows that share their noise count as fewer: as many as the
    variance of a row is times that of the mean of all.

    Args:
        values: of some runs, shape (k, n).
        least: the fewest runs.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[:, np.isfinite(x).all(axis=0)]
    if not x.size or not x.var(axis=0).any():
        return least
    scale = np.sqrt(np.where(x.var(axis=0, ddof=1) > 0, x.var(axis=0, ddof=1), np.inf))
    z = (x - x.mean(axis=0)) / scale
    noisy = int(np.isfinite(scale).sum())
    common = float(np.var(z.sum(axis=1) / noisy, ddof=1))
    return max(least, math.ceil(ANSWERS * min(1.0, max(common, 1 / noisy))))


def _moderated(squares: Floats, freedom: int, prior: Floats, weight: float) -> Floats:
    """Return the posterior variance of each row; an infinite ``weight`` is the prior alone."""
    if math.isinf(weight):
        return prior
    moderated: Floats = (weight * prior + squares) / (weight + freedom)
    return moderated


def _prior(mean: Floats, variance: Floats, freedom: int) -> tuple[Floats, float]:
    """Return the prior variance of each row, and its weight in degrees of freedom (Smyth 2004, section 6.2)."""
    from scipy.special import digamma, polygamma

    some = variance > 0
    if not some.any():
        return np.ones_like(variance), math.inf
    logs = np.log(variance[some]) - float(digamma(freedom / 2)) + math.log(freedom / 2)
    centre = np.full(len(variance), logs.mean())
    size = np.log(np.maximum(np.abs(mean), np.finfo(np.float64).tiny))
    if some.sum() >= 20 and np.ptp(size[some]) > 1.0:
        slope, intercept = np.polyfit(size[some], logs, 1)
        trend = slope * size + intercept
        if np.var(logs - trend[some]) < (1 - _TREND) * np.var(logs):
            centre = trend
    rest = logs - centre[some]
    excess = float(np.var(rest, ddof=1) if len(rest) > 1 else 0.0) - float(polygamma(1, freedom / 2))
    if excess <= 0:
        return np.exp(centre), math.inf
    half = _inverse_trigamma(excess)
    return np.exp(centre + float(digamma(half)) - math.log(half)), 2 * half


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def _logarithms(values: Floats, least: float) -> tuple[float, float]:
    """Return mean and standard deviation of the logarithms; the latter is ``least`` or more.

    That is what independent Gaussian rows have, so that the deviation is not underestimated from few runs.
    """
    logs = np.log(np.maximum(values, max(float(values.max()) * _LEAST, np.finfo(np.float64).tiny)))
    return float(logs.mean()), max(float(logs.std(ddof=1)), least)
