"""One phase of load on a service whose dependency fails: its answers beside the recorded and the fallback ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seatrial.checks.resilience.monitor import ResourceUsage
from seatrial.checks.serving.expected import Expected
from seatrial.loadgen.results import ANSWERED, LoadRun
from seatrial.policy.failures import FailurePolicy


@dataclass(frozen=True)
class Baseline:
    """What the answers are compared with.

    Attributes:
        expected: the requests and their recorded answers.
        fallback: the declared fallback's answers to the same requests; None where no fallback is declared.
        uses: booleans, one a request of the reference: whether it uses the dependency, so that its fallback answer is
            flagged as degraded.
        policy: the failure policy of the dependency.
    """

    expected: Expected
    fallback: pd.DataFrame | None
    uses: np.ndarray
    policy: FailurePolicy


@dataclass(frozen=True)
class Observation:
    """One phase of load. Arrays have one element a request, in the order of the schedule.

    Attributes:
        baseline: what the answers are compared with.
        run: the outcome of each request.
        rows: the row of the reference that each request was made of.
        usage: calls, connections and threads during the phase.
        unaffected: the runs on paths that do not use the dependency, by path.
        hits: how often the fault was applied.
        usual_seconds: the 95th percentile of the latency before the fault.
        reached: whether a fault of all requests moved answers before: then the data comes through the proxy.
        attempts: 2 where the scenario was repeated because answers were late the first time.
    """

    baseline: Baseline
    run: LoadRun
    rows: np.ndarray
    usage: ResourceUsage
    unaffected: Mapping[str, LoadRun]
    hits: int = 0
    usual_seconds: float = 0.0
    attempts: int = 1
    reached: bool = False

    @cached_property
    def objects(self) -> list[dict[str, Any] | None]:
        """The answered object of each request, None where there is none."""
        good = [a for a in self.run.answers if 200 <= a.status < 300]
        read, _ = self.baseline.expected.answered(good, [int(self.rows[a.index]) for a in good])
        objects: list[dict[str, Any] | None] = [None] * len(self.run)
        for answer, found in zip(good, read, strict=True):
            objects[answer.index] = found
        return objects

    @cached_property
    def answered(self) -> np.ndarray:
        """Which requests got an object."""
        return np.array([each is not None for each in self.objects], dtype=bool)

    @cached_property
    def flagged(self) -> np.ndarray:
        """Which answers are flagged as degraded."""
        label = self.baseline.policy.degraded_field
        return np.array([each is not None and each.get(label) is True for each in self.objects])

    @cached_property
    def with_reason(self) -> np.ndarray:
        """Which answers have a reason for the degradation."""
        reason = self.baseline.policy.reason_field
        return np.array(
            [bool(each and isinstance(each.get(reason), str) and each[reason].strip()) for each in self.objects]
        )

    @cached_property
    def matches_reference(self) -> np.ndarray:
        """Which answers match the recorded ones, the degraded flag included."""
        return self._equal(None, ())

    @cached_property
    def matches_fallback(self) -> np.ndarray:
        """Which answers match the declared fallback, whatever their degraded flag is."""
        if self.baseline.fallback is None:
            return np.zeros(len(self.objects), dtype=bool)
        return self._equal(
            self.baseline.fallback, (self.baseline.policy.degraded_field, self.baseline.policy.reason_field)
        )

    @cached_property
    def complete(self) -> np.ndarray:
        """Which answers match the recorded ones and are not flagged as degraded."""
        return np.asarray(self.matches_reference & ~self.flagged)

    @property
    def uses(self) -> np.ndarray:
        """Which requests use the dependency."""
        return np.asarray(self.baseline.uses[self.rows])

    @property
    def seconds(self) -> np.ndarray:
        """Seconds from when each request was sent to its answer; infinite where there was none."""
        ended = (self.run.outcome == ANSWERED) & ~np.isnan(self.run.sent)
        return np.where(ended, self.run.done - self.run.sent, np.inf)

    def _equal(self, frame: pd.DataFrame | None, without: Sequence[str]) -> np.ndarray:
        at = np.flatnonzero(self.answered)
        found = np.zeros(len(self.objects), dtype=bool)
        objects = [self.objects[n] or {} for n in at]
        found[at] = self.baseline.expected.equal(objects, self.rows[at].tolist(), frame, without=without)
        return found
