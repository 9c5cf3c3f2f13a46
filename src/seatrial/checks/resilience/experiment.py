"""An experiment: one service behind a dependency proxy, and the load that is sent to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from seatrial.checks.exchanges import keep_failed
from seatrial.checks.resilience.monitor import monitor
from seatrial.checks.resilience.observation import Baseline, Observation
from seatrial.checks.resilience.together import Proxies
from seatrial.checks.serving.matrix import CLEAN
from seatrial.checks.serving.messages import messages_for
from seatrial.checks.serving.service import keep_log
from seatrial.errors import AnswerError
from seatrial.loadgen.client import MAX_CONNECTIONS, offer
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Schedule, constant, poisson
from seatrial.pipeline import HttpRequest
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.load import Slo
from seatrial.process.running import Running
from seatrial.trial import Trial

NAME = "resilience"

UNAFFECTED_SHARE = 0.25  # of the requests, where some requests do not use the dependency
BURST_REQUESTS = 40  # at once: the threads of a usual server
UNAFFECTED_RATE = 5.0  # requests a second to each path that does not use the dependency


@dataclass(frozen=True)
class Experiment:
    """What the fault scenarios of one dependency run on.

    Attributes:
        check: the name of the check that reports.
        dependency: the dependency that fails, or ``SERVICE`` where several fail together.
        proxy: the proxies between the service and what fails.
        running: the started service.
        requests: those of the reference, as the service's target writes them.
        baseline: what the answers are compared with.
        url: where the requests go, without a path.
        slo: the latency objective, for requests that do not use the dependency.
        seed: of the schedules and of the choice of requests.
        until: the ``time.monotonic()`` moment at which the budget ends.
        phases: numbers the phases of load.
        usual_seconds: the 95th percentile of the latency of each second without a fault.
        moved: the fault scenarios that moved answers, so that the data comes through the proxy.
        on_run: called with each phase of load and the row of the reference that each request was made of.
    """

    check: str
    dependency: str
    proxy: Proxies
    running: Running
    requests: Sequence[HttpRequest]
    baseline: Baseline
    url: str
    slo: Slo | None = None
    seed: int = 0
    until: float = math.inf
    phases: count[int] = field(default_factory=count)
    usual_seconds: list[float] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    on_run: Callable[[LoadRun, np.ndarray], object] = lambda *_: None

    @property
    def broken(self) -> str:
        """What fails, for a sentence."""
        return " and ".join(f"'{name}'" for name in self.proxy.names)

    def send(self, schedule: Schedule, unaffected: bool = False) -> Observation:
        """Send the requests of one schedule and return what was observed.

        Args:
            schedule: when each request is due.
            unaffected: whether to read the paths that do not use the dependency at the same time.

        Raises:
            AnswerError: the service ended.
        """
        policy = self.baseline.policy
        rng = np.random.default_rng([self.seed, next(self.phases)])
        users, others = np.flatnonzero(self.baseline.uses), np.flatnonzero(~self.baseline.uses)
        rows = rng.choice(users, len(schedule))
        if len(others):
            rows = np.where(rng.random(len(rows)) < UNAFFECTED_SHARE, rng.choice(others, len(rows)), rows)
        paths = policy.unaffected if unaffected else ()
        with monitor(self.proxy, self.running) as usage, ThreadPoolExecutor(max(1, len(paths))) as threads:
            beside = {path: threads.submit(self._read, path, schedule.seconds) for path in paths}
            usage.begin = time.monotonic()
            run = offer(
                self.url,
                schedule,
                self.requests,
                order=rows.tolist(),
                timeout_seconds=max(3 * policy.deadline, 5.0),
                connections=_connections(policy),
                keep=range(len(schedule)),
            )
            read = {path: future.result() for path, future in beside.items()}
        self.on_run(run, rows)
        if how := self.running.ended():
            raise AnswerError(f"The service ended with {how}. {self.running.tail()}")
        return Observation(self.baseline, run, rows, usage, read)

    def steady(self, seconds: float) -> Schedule:
        """Return a schedule at the policy's rate."""
        requests = max(5, round(self.baseline.policy.rate * seconds))
        return poisson(constant(requests / seconds, seconds), self.seed + next(self.phases), requests=requests)

    def recover(self) -> tuple[float, Observation]:
        """Load the service without a fault until its answers match the reference in time.

        Returns:
            The seconds that it took, infinite where it did not recover, and the last observation.
        """
        policy, begin = self.baseline.policy, time.monotonic()
        clean, since = 0, 0.0
        while True:
            started = time.monotonic() - begin
            observation = self.send(self.steady(1.0))
            if bool((observation.matches_reference & (observation.seconds <= policy.deadline)).all()):
                self.usual_seconds.append(float(np.quantile(observation.seconds, 0.95)))
                since = started if not clean else since
                clean += 1
            else:
                clean = 0
            if clean == CLEAN:
                return (since if since <= policy.recovery_seconds else math.inf), observation
            if not clean and time.monotonic() - begin > policy.recovery_seconds:
                return math.inf, observation

    def _read(self, path: str, seconds: float) -> LoadRun:
        requests = max(5, round(UNAFFECTED_RATE * seconds))
        schedule = poisson(constant(UNAFFECTED_RATE, seconds), self.seed, requests=requests)
        timeout = max(self.baseline.policy.deadline, 5.0)
        return offer(self.running.url + path, schedule, method="GET", timeout_seconds=timeout)


def _connections(policy: FailurePolicy) -> int:
    """Return as many connections as requests are under way where each is answered just within the deadline.

    A request that waits for a connection here would be taken for a late one.
    """
    under_way = math.ceil(1.5 * policy.rate * policy.deadline)
    return min(BURST_REQUESTS + max(BURST_REQUESTS, under_way), MAX_CONNECTIONS)


def experiment_on(
    trial: Trial, dependency: str, proxy: Proxies, running: Running, baseline: Baseline, until: float = math.inf
) -> Experiment:
    """Return an experiment whose requests are those that the service's own target sends, and reads the answers to.

    Args:
        trial: whose service it is.
        dependency: where its events belong.
        proxy: between the service and what fails.
        running: the started service.
        baseline: what the answers are compared with.
        until: the ``time.monotonic()`` moment at which the budget ends.

    Raises:
        UsageError: the service's requests cannot be sent by the load generator.
    """
    setting = f"[dependencies.{proxy.names[0]}]"
    messages = messages_for(trial, running, baseline.expected, baseline.policy.path, setting)
    baseline = replace(baseline, expected=replace(baseline.expected, read=messages.read))
    url = messages.origin or running.url
    keep_log(trial, running, NAME, dependency)
    how = f"while '{dependency}' was broken"
    return Experiment(
        NAME, dependency, proxy, running, messages.requests, baseline, url, trial.policy.slo, trial.seed, until,
        on_run=lambda run, rows: keep_failed(trial, NAME, run, messages.requests, rows, url, place=dependency, how=how),
    )  # fmt: skip
