"""When each request is due, decided before the first one is sent.

A generator that waits for an answer before it sends again stops asking while the service stalls, and so
never sees the stall. Here the arrivals are drawn up front, from a seeded Poisson process, and nothing the
service does can move them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """A rate that changes over time: straight lines between the corners ``(seconds, requests a second)``.

    Two corners at the same second are a step.

    Raises:
        UsageError: fewer than two corners, time that runs backwards, a negative rate, or no load at all.
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners, dtype=float)
        if corners.ndim != 2 or corners.shape[0] < 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
            raise UsageError("A rate profile needs two or more corners (seconds, requests a second).")
        if corners[0, 0] != 0 or (np.diff(corners[:, 0]) < 0).any() or (corners[:, 1] < 0).any():
            raise UsageError("A rate profile starts at second 0, goes forward in time, and has no negative rate.")
        if not self.expected > 0:
            raise UsageError("The rate profile asks for no requests at all.")

    @property
    def seconds(self) -> float:
        """How long the profile lasts."""
        return self.corners[-1][0]

    @property
    def expected(self) -> float:
        """How many requests the profile asks for on average: the area below it."""
        return float(self._area()[-1])

    @property
    def peak(self) -> float:
        """The highest rate, in requests a second."""
        return max(rate for _, rate in self.corners)

    def scaled(self, peak: float) -> Profile:
        """Return the same shape with another highest rate."""
        return Profile(tuple((at, rate * peak / self.peak) for at, rate in self.corners))

    def repeated(self, times: int) -> Profile:
        """Return the profile over and over, so many times."""
        return Profile(tuple((n * self.seconds + at, rate) for n in range(times) for at, rate in self.corners))

    def _area(self) -> Floats:
        at, rate = np.asarray(self.corners, dtype=float).T
        steps = np.diff(at) * (rate[1:] + rate[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(steps)])

    def when(self, area: Floats) -> Floats:
        """Return the second at which each cumulated number of requests is reached: the inverse of the area."""
        at, rate = np.asarray(self.corners, dtype=float).T
        total = self._area()
        piece = np.clip(np.searchsorted(total, area, side="right") - 1, 0, len(at) - 2)
        rest, start = area - total[piece], rate[piece]
        width = at[piece + 1] - at[piece]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(width > 0, (rate[piece + 1] - start) / width, 0.0)
            # rest = start·x + slope·x²/2, solved without cancellation where the slope is near zero
            offset = 2 * rest / (start + np.sqrt(np.maximum(start**2 + 2 * slope * rest, 0.0)))
        return np.asarray(at[piece] + np.clip(np.nan_to_num(offset), 0.0, width))


def constant(rate: float, seconds: float) -> Profile:
    """Return ``rate`` requests a second, all the way."""
    return Profile(((0.0, rate), (seconds, rate)))


@dataclass(frozen=True, eq=False)
class Schedule:
    """``at``: seconds from the start at which each request is due, sorted, shape (requests,)."""

    at: Floats
    seconds: float
    seed: int | None = None

    def __len__(self) -> int:
        return len(self.at)

    @property
    def rate(self) -> float:
        """Requests a second, on average."""
        return len(self.at) / self.seconds

    def peak(self, window: float) -> int:
        """Return the most requests that fall due within any ``window`` seconds."""
        return int((np.searchsorted(self.at, self.at + window, side="left") - np.arange(len(self.at))).max())

    def share(self, worker: int, workers: int) -> Schedule:
        """Return the part of one of several workers; the parts are disjoint and together the whole.

        Each arrival goes to a worker by a seeded throw of dice, so that every part is again a Poisson process
        at ``1 / workers`` of the rate (thinning; Kingman, Poisson Processes, 1993, section 5.1).
        """
        if not 0 <= worker < workers:
            raise UsageError(f"There is no worker {worker} among {workers}; they count from 0.")
        return Schedule(self.at[self.owners(workers) == worker], self.seconds, self.seed)

    def owners(self, workers: int) -> NDArray[np.int64]:
        """Return the worker that each request falls to."""
        return np.random.default_rng([self.seed or 0, workers]).integers(workers, size=len(self.at))


def poisson(profile: Profile, seed: int, *, requests: int | None = None) -> Schedule:
    """Draw a Poisson process that follows ``profile``.

    With ``requests`` the process is drawn given that count, so that a run whose size was fixed beforehand has
    exactly that size: arrivals are then independent draws from the profile's density, sorted (Kingman, 2.4).
    """
    rng = np.random.default_rng(seed)
    count = int(rng.poisson(profile.expected)) if requests is None else requests
    if count < 1:
        raise UsageError(f"The schedule holds {count} requests; give it more time or a higher rate.")
    area = np.sort(rng.random(count)) * profile.expected
    return Schedule(profile.when(area), profile.seconds, seed)
