"""One service, one broken dependency: settle, crowd, then fault after fault, each healed from before the next."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from seatrial.checks.resilience.criteria import ADVICE, Broken, pool, states, storm, under_fault
from seatrial.checks.resilience.observation import Baseline, Observation, resources, watch
from seatrial.checks.serving.expected import Expected
from seatrial.checks.serving.matrix import CLEAN, scenarios_of
from seatrial.errors import AnswerError, UsageError
from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.faults.network import Latency
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.faults.scenario import Scenario
from seatrial.io import frame_json
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Schedule, constant, poisson
from seatrial.policy.service import Slo
from seatrial.process.running import Running
from seatrial.trial import Trial

BYSTANDERS = 0.25  # share of the requests that do not use the dependency, where there are such
CROWD = 40  # requests at once: the threads of a usual server
TIMES = {"whole", "deadline", "breaker"}  # criteria of time
LEAK_SECONDS = 5.0  # for sockets and threads to be let go
SLACK = 2  # sockets or threads that are no leak
OTHERS_RATE = 5.0  # requests a second for each path that does not use the dependency


@dataclass(frozen=True)
class Experiment:
    """What a matrix runs on: the service is started, its dependency's address led through ``between``."""

    check: str
    dependency: str
    between: DependencyProxy
    running: Running
    url: str
    ground: Baseline
    slo: Slo | None = None
    seed: int = 0
    until: float = math.inf  # a time.monotonic() moment
    phases: count[int] = field(default_factory=count)
    usual: list[float] = field(default_factory=list)  # seconds of nearly all answers of each calm second

    def offered(self, schedule: Schedule, others: bool = False) -> Observation:
        """Offer one schedule to the service, bystanders among the requests, and return what was seen."""
        loss, expected = self.ground.loss, self.ground.expected
        rng = np.random.default_rng([self.seed, next(self.phases)])
        users, by = np.flatnonzero(self.ground.uses), np.flatnonzero(~self.ground.uses)
        rows = rng.choice(users, len(schedule))
        if len(by):
            rows = np.where(rng.random(len(rows)) < BYSTANDERS, rng.choice(by, len(rows)), rows)
        paths = loss.unaffected if others else ()
        with watch(self.between, self.running.pid) as watched, ThreadPoolExecutor(max(1, len(paths))) as threads:
            beside = {path: threads.submit(self._read, path, schedule.seconds) for path in paths}
            watched.begin = time.monotonic()
            run = offer(
                self.url,
                schedule,
                [expected.payloads[n] for n in rows.tolist()],
                timeout_seconds=max(3 * loss.deadline, 5.0),
                connections=2 * CROWD,
                keep=range(len(schedule)),
            )
            read = {path: future.result() for path, future in beside.items()}
        if how := self.running.ended():
            raise AnswerError(f"The service ended with {how}. {self.running.tail()}")
        return Observation(self.ground, run, rows, watched, read)

    def steady(self, seconds: float) -> Schedule:
        """Return a schedule at the moderate rate."""
        requests = max(5, round(self.ground.loss.rate * seconds))
        return poisson(constant(requests / seconds, seconds), self.seed + next(self.phases), requests=requests)

    def settle(self) -> tuple[float, Observation]:
        """Load the service until its answers are whole again; return after how many seconds, infinite for never."""
        loss, begin = self.ground.loss, time.monotonic()
        clean, since = 0, 0.0
        while True:
            started = time.monotonic() - begin
            seen = self.offered(self.steady(1.0))
            if bool((seen.whole & (seen.seconds <= loss.deadline)).all()):
                self.usual.append(float(np.quantile(seen.seconds, 0.95)))
                since = started if not clean else since
                clean += 1
            else:
                clean = 0
            if clean == CLEAN:
                return (since if since <= loss.recovery_seconds else math.inf), seen
            if not clean and time.monotonic() - begin > loss.recovery_seconds:
                return math.inf, seen

    def _read(self, path: str, seconds: float) -> LoadRun:
        schedule = poisson(constant(OTHERS_RATE, seconds), self.seed, requests=max(5, round(OTHERS_RATE * seconds)))
        return offer(
            self.running.url + path, schedule, method="GET", timeout_seconds=max(self.ground.loss.deadline, 5.0)
        )


def fallback_of(trial: Trial, dependency: str, expected: Expected) -> Baseline:
    """Compute the declared fallback's answers: the path in process, its client replaced by the fallback's.

    Raises:
        StageError: a stage raised.
        UsageError: the answers have no such label.
    """
    loss, of = trial.policy.failure_policy(dependency), trial.pipeline.dependencies[dependency]
    everything = np.ones(len(expected.payloads), dtype=bool)
    if of.fallback is None:
        return Baseline(expected, None, everything, loss)
    clients = {**trial.clients, dependency: of.fallback()}
    frame = trial.reference.requests
    stages = trial.pipeline.stages
    for stage in stages[: stages.index(expected.stage) + 1]:
        step = trial.pipeline.step(stage, model=trial.model, clients=clients, columns=trial.reference.columns)
        frame = step(frame)
    if loss.degraded_field not in frame:
        raise UsageError(
            f"The answers have no field '{loss.degraded_field}'. They have: {', '.join(map(str, frame.columns))}. "
            f"Say it as label in [dependencies.{dependency}]."
        )
    frame = frame_json.projected(frame[[c for c in frame.columns if c in expected.frame or c == loss.degraded_field]])
    key = trial.pipeline.key
    frame = frame.set_index(frame[key].astype(str)).reindex(list(expected.keys)).reset_index(drop=True)
    return Baseline(expected, frame, frame[loss.degraded_field].fillna(False).to_numpy(dtype=bool), loss)


def matrix(at: Experiment, told: Callable[[int, int, str], object] = lambda *_: None) -> Iterator[Event]:
    """Run every row and yield findings, figures, the table, and the judgement; ``told`` hears which row comes next."""
    loss, url = at.ground.loss, at.between.url
    rows = list(scenarios_of(loss, url))
    if not at.ground.uses.any():
        yield NotEvaluated(at.check, at.dependency, "no request of the reference uses it: its fallback labels none")
        return
    after, seen = at.settle()
    if not at.between.calls:
        words = f"the service does not reach it through the address it is given: write {{{at.dependency}.url}} in env"
        yield NotEvaluated(at.check, at.dependency, words)
        return
    if math.isinf(after):
        wrong = int((~seen.whole).sum())
        words = (
            f"with everything up, {wrong} of {len(seen.run)} answers are not as recorded or late: see golden and load"
        )
        yield NotEvaluated(at.check, at.dependency, words)
        return
    table: list[dict[str, Any]] = []
    compared, open_ = 0, []
    seen, broken = crowded(at)
    yield from _told(at, "crowd", broken)
    baseline = high_water(seen)
    at.settle()
    for n, row in enumerate(rows):
        told(n, len(rows), f"'{at.dependency}' {row.name}")
        if time.monotonic() + loss.fault_seconds + CLEAN > at.until:
            open_.append(f"the budget ended before {', '.join(r.name for r in rows[n:])}")
            break
        seen, broken, healed = tried(at, row, baseline)
        compared += int(seen.answered.sum())
        yield from _told(at, row.name, broken)
        yield from _figures(at, row, seen, healed)
        open_ += [f"{row.name}, {b.criterion}: {b.words}" for b in broken if not b.evaluated]
        table.append({"fault": row.name, "hits": seen.hits, "tries": seen.tries, **states(row, seen, broken)})
        if math.isinf(healed) and n + 1 < len(rows):
            open_.append(
                f"it did not heal from {row.name}, so these were not tried: {', '.join(r.name for r in rows[n + 1 :])}"
            )
            break
    body = json.dumps(table, indent=1).encode()
    yield Attachment(at.check, at.dependency, f"resilience/{at.dependency}.json", body)
    if open_:
        yield NotEvaluated(at.check, at.dependency, "; ".join(open_))
    yield Evaluated(at.check, at.dependency, compared=compared)


def tried(at: Experiment, row: Scenario, baseline: tuple[int, int]) -> tuple[Observation, list[Broken], float]:
    """Place one fault under load, take it away, and wait until all is as it was; return what did not hold.

    What is late, and nothing else wrong, is tried once more: one stall of the machine makes many answers late at
    once, and a breaker more, while a missing deadline is missing twice. ``Observation.tries`` says so. Values get
    no second chance.
    """
    seen, broken, healed = _tried(at, row, baseline)
    evaluated = {each.criterion for each in broken if each.evaluated}
    if evaluated and evaluated <= TIMES and math.isfinite(healed):
        seen, broken, healed = _tried(at, row, baseline)
        seen = replace(seen, tries=2)
    return seen, broken, healed


def _tried(at: Experiment, row: Scenario, baseline: tuple[int, int]) -> tuple[Observation, list[Broken], float]:
    loss = at.ground.loss
    with at.between.fault(row.fault) as hits:
        seen = at.offered(at.steady(loss.fault_seconds), others=True)
    seen = replace(seen, hits=hits.count, usual=max(at.usual[-2 * CLEAN :], default=0.0))
    broken = list(under_fault(row, seen, at.slo))
    if not hits.count:
        return seen, broken, 0.0
    healed, last = at.settle()
    if math.isinf(healed):
        wrong = int((~last.whole).sum())
        words = f"after {loss.recovery_seconds:g} s without the fault were still not whole and in time"
        broken.append(Broken("healed", words, wrong, len(last.run)))
    elif leak := _leaked(at, baseline):
        broken.append(Broken("leaked", leak))
    return seen, broken, healed


def crowded(at: Experiment) -> tuple[Observation, list[Broken]]:
    """Send a crowd at once while the dependency is slow: pools and threads reach their limits, and no further."""
    schedule = Schedule(np.linspace(0.01, 0.05, CROWD), 0.1)
    with at.between.fault(Latency(latency=at.ground.loss.timeout_ms or 0.0)) as hits:
        seen = replace(at.offered(schedule), hits=1)
    failed = int((seen.run.status >= 500).sum())
    broken = list(pool(replace(seen, hits=hits.count)))
    if failed:
        broken.append(Broken("no-5xx", "got a 5xx", failed, len(seen.run)))
    return seen, broken


def high_water(crowd: Observation) -> tuple[int, int]:
    """Return the sockets and threads that the service may keep: what a crowd needed, and the declared connections.

    Pools and servers keep what they once opened, and let some of it go when it is idle: the moment before a fault
    says little. A leak grows with every fault, and passes this mark.
    """
    return max(crowd.watched.most, crowd.ground.loss.max_connections or 0), max(crowd.watched.threads, default=0)


def _leaked(at: Experiment, baseline: tuple[int, int]) -> str:
    until = time.monotonic() + LEAK_SECONDS
    while True:
        now = resources(at.running.pid, at.between.port)
        kinds = zip(("sockets", "threads"), now, baseline, strict=True)
        over = [f"{n} {what}, a crowd needed {was}" for what, n, was in kinds if n > was + max(SLACK, was // 10)]
        if not over:
            return ""
        if time.monotonic() > until:
            return f"{LEAK_SECONDS:g} s after it healed the service still held " + " and ".join(over)
        time.sleep(0.1)


def _told(at: Experiment, fault: str, broken: Sequence[Broken]) -> Iterator[Finding]:
    for each in broken:
        if each.evaluated:
            of = f"{each.count:,} of {each.of:,} answers " if each.of else ""
            yield Finding(
                at.check, at.dependency, f"'{at.dependency}' {fault}, {each.criterion}: {of}{each.words}.",
                cause=each.criterion, advice=ADVICE[each.criterion],
                evidence={"fault": fault, "rows": each.of, "seed": at.seed, "broken": each.count, **each.evidence},
            )  # fmt: skip


def _figures(at: Experiment, row: Scenario, seen: Observation, healed: float) -> Iterator[Measurement]:
    figures = [
        ("degraded", float(seen.labelled[seen.uses].mean()) if seen.uses.any() else math.nan, ""),
        ("slowest answer", float(seen.seconds.max()), "s"),
        ("calls a request", storm(seen), ""),
        ("healed after", healed, "s"),
        ("tries", seen.tries, ""),
    ]
    for what, value, unit in figures:
        if math.isfinite(value):
            yield Measurement(at.check, at.dependency, f"{row.name}: {what}", value, unit)
