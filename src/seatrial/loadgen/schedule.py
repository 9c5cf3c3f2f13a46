"""When each request is due, decided before the first one is sent.

A generator that waits for a response before it sends again stops sending while the service stalls, and so does not
measure the stall. Here the arrivals are drawn beforehand, from a seeded Poisson process, and nothing the service does
can move them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import UsageError
from seatrial.formatting import plural

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """A rate that changes over time: straight lines between the corners ``(seconds, requests/s)``.

    Two corners at the same second are a step.

    Example:
        >>> Profile(((0, 4), (60, 10), (75, 10))).peak
        10

    Raises:
        UsageError: fewer than two corners, time that runs backwards, a negative rate, or no load at all.
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners, dtype=float)
        if corners.ndim != 2 or corners.shape[0] < 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
            raise UsageError(
                "A rate profile needs two or more corners [seconds, requests/s], such as [[0, 5], [60, 20]]."
            )
        if corners[0, 0] != 0 or (np.diff(corners[:, 0]) < 0).any() or (corners[:, 1] < 0).any():
            raise UsageError("A rate profile starts at second 0, never goes back in time, and has no negative rate.")
        if not self.expected > 0:
            raise UsageError("The rate profile has a rate of 0 throughout; set a rate above 0 at some corner.")

    @property
    def seconds(self) -> float:
        """How long the profile lasts."""
        return self.corners[-1][0]

    @property
    def expected(self) -> float:
        """How many requests arrive on average: the area below the profile."""
        return float(self._area()[-1])

    @property
    def peak(self) -> float:
        """The highest rate, in requests/s."""
        return max(rate for _, rate in self.corners)

    def scaled(self, peak: float) -> Profile:
        """Return the same shape with another highest rate."""
        return Profile(tuple((at, rate * peak / self.peak) for at, rate in self.corners))

    def repeated(self, times: int) -> Profile:
        """Return the profile repeated so many times."""
        return Profile(tuple((n * self.seconds + at, rate) for n in range(times) for at, rate in self.corners))

    def _area(self) -> Floats:
        at, rate = np.asarray(self.corners, dtype=float).T
        steps = np.diff(at) * (rate[1:] + rate[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(steps)])

    def times_at(self, area: Floats) -> Floats:
        """Return the second at which each cumulated number of requests is reached, shape (n,): the inverse area."""
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
    """Return a profile of ``rate`` requests/s throughout.

    Example:
        >>> constant(rate=200, seconds=60).expected
        12000.0
    """
    return Profile(((0.0, rate), (seconds, rate)))


@dataclass(frozen=True, eq=False)
class Schedule:
    """When each request is due.

    Attributes:
        at: in seconds from the start, sorted, shape (requests,).
        seconds: how long the schedule lasts.
        seed: with which it was drawn; None where it was not.
    """

    at: Floats
    seconds: float
    seed: int | None = None

    def __len__(self) -> int:
        return len(self.at)

    @property
    def rate(self) -> float:
        """The average rate, in requests/s."""
        return len(self.at) / self.seconds

    def peak(self, window: float) -> int:
        """Return the most requests that fall due within any ``window`` seconds."""
        return int((np.searchsorted(self.at, self.at + window, side="left") - np.arange(len(self.at))).max())

    def share(self, worker: int, workers: int) -> Schedule:
        """Return the share of one of several workers; the shares are disjoint, and together the whole.

        Each arrival is assigned to a worker at random by the seed, so that every share is again a Poisson process at
        ``1 / workers`` of the rate (thinning; Kingman, Poisson Processes, 1993, section 5.1).

        Raises:
            UsageError: a worker's number that is not below ``workers``; they count from 0.
        """
        if not 0 <= worker < workers:
            raise UsageError(f"Worker {worker} does not exist. Allowed: 0 to {workers - 1}.")
        return Schedule(self.at[self.owners(workers) == worker], self.seconds, self.seed)

    def owners(self, workers: int) -> NDArray[np.int64]:
        """Return the worker of each request, shape (requests,)."""
        return np.random.default_rng([self.seed or 0, workers]).integers(workers, size=len(self.at))


def poisson(profile: Profile, seed: int, *, requests: int | None = None) -> Schedule:
    """Draw the arrivals of a Poisson process whose rate follows ``profile``.

    With ``requests`` the process is drawn given that count, so that a run whose size was fixed beforehand has
    exactly that size: arrivals are then independent draws from the profile's density, sorted (Kingman, Poisson
    Processes, 1993, section 2.4).

    Raises:
        UsageError: no request falls into the schedule.

    Example:
        >>> schedule = poisson(constant(rate=200, seconds=60), seed=7, requests=10_000)
        >>> len(schedule), schedule.seconds
        (10000, 60)
    """
    rng = np.random.default_rng(seed)
    count = int(rng.poisson(profile.expected)) if requests is None else requests
    if count < 1:
        raise UsageError(f"The schedule holds {plural(count, 'request')}. Set more time or a higher rate.")
    area = np.sort(rng.random(count)) * profile.expected
    return Schedule(profile.times_at(area), profile.seconds, seed)
