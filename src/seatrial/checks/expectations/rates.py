"""Rates of agreement and their exact bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.pipeline import Samples

Agreeing = NDArray[np.bool_]
_MOST = 10_000_000  # answers that would tell: more than these nobody would ask for


@dataclass(frozen=True)
class Rate:
    """How many of some answers agree.

    Attributes:
        agree: how many.
        of: how many were compared.
        samples: what is required.
        columns: how many rates are judged together.
    """

    agree: int
    of: int
    samples: Samples
    columns: int = 1

    @property
    def bounds(self) -> tuple[float, float]:
        """The exact lower and upper bound, each one-sided at the confidence."""
        return clopper_pearson(self.agree, self.of, (1 - self.samples.confidence) / self.columns)

    @property
    def decision(self) -> str:
        """``pass``, ``fail`` or ``inconclusive``."""
        low, high = self.bounds
        if high < self.samples.at_least:
            return "fail"
        every = self.samples.at_least == 1 and self.of > 0 and self.agree == self.of
        return "pass" if low >= self.samples.at_least or every else "inconclusive"

    @property
    def needed(self) -> int | None:
        """How many answers would tell at this rate; None where the rate is too close to the limit."""
        rate, of = self.agree / self.of, max(self.of, 1)
        while of < _MOST:
            of *= 2
            if Rate(round(rate * of), of, self.samples, self.columns).decision != "inconclusive":
                return of
        return None


def clopper_pearson(agree: int, of: int, tail: float) -> tuple[float, float]:
    """Return the exact bounds of a proportion, each exceeded with at most probability ``tail``.

    Example:
        >>> [round(bound, 4) for bound in clopper_pearson(29, 29, 0.05)]
        [0.9019, 1.0]
    """
    from scipy.special import betaincinv

    low = 0.0 if agree == 0 else float(betaincinv(agree, of - agree + 1, tail))
    high = 1.0 if agree == of else float(betaincinv(agree + 1, of - agree, 1 - tail))
    return low, high


def rate_of(matrix: Agreeing, samples: Samples, columns: int) -> Rate:
    """Return the rate of agreement, of as many answers as count where the calls differ by more than chance."""
    agree, of = int(matrix.sum()), matrix.size
    calls = len(matrix)
    rate = agree / of if of else 0.0
    if calls > 1 and 0 < rate < 1:
        from scipy.special import chdtrc

        each = matrix.mean(axis=1)
        inflation = float(each.var(ddof=1)) / (rate * (1 - rate) / matrix.shape[1])
        if inflation > 1 and chdtrc(calls - 1, inflation * (calls - 1)) < 0.01:
            of = max(1, math.floor(of / inflation))
            agree = round(rate * of)
    return Rate(agree, of, samples, columns)
