"""Does the live service hold its objective under load, and answer as it does when nobody else asks?

Asked where ``[slo]`` is declared in service.toml. A service of its own is started, so that its cold start is seen;
the plan is fixed before the first request; what the generator gets wrong makes a run void, never good or bad.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seatrial.checks._differences import share
from seatrial.checks._load_answers import Expected, expected
from seatrial.checks._load_cause import blocked, watch
from seatrial.checks._load_judge import WARMUP_SHARE, Runs, conclusion, figures, plan_of, raw
from seatrial.checks._load_pictures import histogram, timeline
from seatrial.errors import AnswerError, SeatrialError, TargetError, UsageError
from seatrial.events import Attachment, Event, Finding, Judged, Measured, Unjudged
from seatrial.load.client import offer
from seatrial.load.knee import Probe, knee
from seatrial.load.outcome import Offered
from seatrial.load.schedule import constant, poisson
from seatrial.load.stats import Holds, Plan, judge, required
from seatrial.load.steady import void
from seatrial.pipeline import SERVICE
from seatrial.slo import Load, Slo
from seatrial.targets.http import Http
from seatrial.targets.live import can_serve, serve
from seatrial.targets.process import Running
from seatrial.trial import Check, Trial

NAME = "load"
DIAGNOSIS_SECONDS = 3.0
KNEE_MISSES = 2  # that a probe of the knee may have


class _SpentError(SeatrialError):
    """The budget of the search is spent."""


@dataclass(frozen=True)
class Loaded:
    """One started service and what is offered to it."""

    url: str
    running: Running
    expected: Expected
    slo: Slo
    load: Load
    seed: int
    until: float

    def run(self, number: int, requests: int, rate: float, *, samples: int = 0) -> tuple[Offered, np.ndarray]:
        """Offer one run, Poisson at ``rate``; return it and the row that each request asked for."""
        rng = np.random.default_rng([self.seed, number])
        rows = np.resize(rng.permutation(len(self.expected.payloads)), requests)
        sampled = rng.choice(requests, min(samples, requests), replace=False)
        found = offer(
            self.url,
            poisson(constant(rate, requests / rate), int(rng.integers(2**31)), requests=requests),
            [self.expected.payloads[n] for n in rows.tolist()],
            timeout_seconds=self.load.timeout_seconds,
            connections=self.load.connections,
            keep=frozenset(sampled.tolist()),
        )
        return found, rows


def ask(trial: Trial, _: str | None) -> Iterator[Event]:
    """Put the service under its declared rate and yield figures, pictures and the judgement."""
    slo, load = trial.policy.slo, trial.policy.offered
    assert slo is not None
    assert trial.pipeline.service is not None
    path = slo.path or trial.pipeline.service.predict
    if not path.startswith("/"):
        yield Unjudged(NAME, SERVICE, f"load is offered over HTTP to a path, not to '{path}': say [slo] path")
        return
    try:
        plan = plan_of(slo, load)
    except UsageError as error:
        yield Unjudged(NAME, SERVICE, f"[load]: {error}")
        return
    needed = plan.requests * (plan.runs + WARMUP_SHARE) / slo.rate
    if needed > load.budget_seconds:
        yield Unjudged(
            NAME, SERVICE,
            f"{plan.runs} runs of {plan.requests:,} requests at {slo.rate:g} a second take {needed:,.0f} s, the budget "
            f"is {load.budget_seconds:,.0f} s: raise [load] budget_seconds, or say runs and requests",
        )  # fmt: skip
        return
    until = time.monotonic() + load.budget_seconds
    begin = time.monotonic()
    try:
        with serve(trial.pipeline, model_path=trial.model_path) as running:
            yield Measured(NAME, SERVICE, "cold start", time.monotonic() - begin, "s")
            loaded = Loaded(running.url + path, running, expected(trial), slo, load, trial.seed, until)
            yield from _first(loaded, path)
            yield from _loaded(loaded, plan)
    except AnswerError as error:
        yield Finding(
            NAME, SERVICE, str(error), cause="service-broke", advice="Start it by hand with the same command."
        )
        yield Judged(NAME, SERVICE, compared=1)
    except TargetError as error:
        yield Unjudged(NAME, SERVICE, str(error))


def _first(loaded: Loaded, path: str) -> Iterator[Event]:
    with Http(loaded.running.url, seconds=max(30.0, loaded.load.timeout_seconds)) as http:
        answer = http.send(loaded.expected.payloads[0], path=path)
    yield Measured(NAME, SERVICE, "first answer", answer.seconds, "s")


def _loaded(loaded: Loaded, plan: Plan) -> Iterator[Event]:
    offered, wrong, sampled = [], [], 0
    for number in range(plan.runs):
        requests = plan.requests + (round(WARMUP_SHARE * plan.requests) if number == 0 else 0)
        found, rows = loaded.run(number, requests, loaded.slo.rate, samples=loaded.load.samples)
        offered.append(found)
        count, findings = _held_against(loaded.expected, found, rows)
        sampled += count
        wrong += findings
        if how := loaded.running.ended():
            wrong.append(_died(loaded, how))
            break
    runs = Runs(loaded.slo, plan, offered)
    yield from figures(NAME, runs)
    yield Measured(NAME, SERVICE, "answers compared", sampled, "rows")
    yield raw(NAME, runs)
    for picture, draw in (("histogram", histogram), ("timeline", timeline)):
        yield Attachment(NAME, SERVICE, f"load/{picture}.svg", draw(offered, loaded.slo.limit_seconds))
    yield from {(f.column, f.cause): f for f in wrong}.values()
    if loaded.load.samples and not sampled:
        yield Unjudged(NAME, SERVICE, "no answer under load could be compared with the recorded ones")
    events = list(conclusion(NAME, runs))
    for event in events:
        yield _explained(loaded, event) if isinstance(event, Finding) else event
    if loaded.load.knee and any(isinstance(event, Judged) for event in events) and not loaded.running.ended():
        broken = any(isinstance(event, Finding) for event in events)
        yield from _knee(loaded, loaded.slo.rate / 2 if broken else loaded.slo.rate * 2)


def _held_against(expected_: Expected, run: Offered, rows: np.ndarray) -> tuple[int, list[Finding]]:
    """Return how many sampled answers were compared with the recorded ones, and what differs."""
    good = [a for a in run.answers if 200 <= a.status < 300]
    asked = [int(rows[a.index]) for a in good]
    told, why = expected_.answered(good, asked)
    pairs = [(t, row) for t, row in zip(told, asked, strict=True) if t is not None]
    findings = []
    if why:
        findings.append(
            Finding(NAME, SERVICE, f"Under load {share(len(told) - len(pairs), len(told))} cannot be read. {why}",
                    cause="no-answer", evidence={"rows": len(told), "missing": len(told) - len(pairs)})
        )  # fmt: skip
    if pairs:
        parity = expected_.compare([t for t, _ in pairs], [row for _, row in pairs])
        wrong = {c.column: c.mismatches + c.null_flips for c in parity.columns if not c.ok}
        wrong |= dict.fromkeys(parity.missing_columns, len(pairs))
        for column, count in wrong.items():
            worst = next((c.worst_keys for c in parity.columns if c.column == column), ())
            findings.append(
                Finding(
                    NAME, SERVICE,
                    f"Under load '{column}' differs from the recorded answers in {share(count, len(pairs))}.",
                    column=column, cause="load-changes-answers",
                    advice="Look for state that requests share: buffers, caches, globals; or a fallback set off.",
                    evidence={"rows": len(pairs), "mismatches": count, "keys": [str(k) for k in worst]},
                )
            )  # fmt: skip
    return len(pairs), findings


def _died(loaded: Loaded, how: str) -> Finding:
    return Finding(
        NAME, SERVICE, f"The service ended with {how} under load. {loaded.running.tail()}", cause="service-died",
        advice="Look for what ended it: memory, a limit, or a request it did not survive.",
    )  # fmt: skip


def _explained(loaded: Loaded, finding: Finding) -> Finding:
    """Say whether the service was asleep while requests waited: a blocking call where one thread serves all."""
    if loaded.running.ended():
        return finding
    service = loaded.expected.trial.pipeline.service
    assert service is not None
    requests = max(10, round(loaded.slo.rate * DIAGNOSIS_SECONDS))
    with (
        Http(loaded.running.url, seconds=loaded.load.timeout_seconds, connections=1) as http,
        watch(loaded.running.pid, lambda: http.send(path=service.ready, method="GET")) as seen,
    ):
        run, _ = loaded.run(-1 % 2**31, requests, loaded.slo.rate)
    if not blocked(seen, float(np.median(run.latencies))):
        return finding
    return replace(
        finding,
        message=f"{finding.message} Meanwhile '{service.ready}' waited {np.median(seen.ready) * 1e3:,.0f} ms, and the "
        f"service did nothing in {1 - seen.busy:.0%} of the looks at it.",
        cause="blocking-call",
        advice="Something sleeps or waits in the event loop: make the route a plain 'def', or await what it waits for.",
    )


def _knee(loaded: Loaded, start: float) -> Iterator[Event]:
    requests = required(KNEE_MISSES, percentile=loaded.slo.percentile, confidence=loaded.slo.confidence)
    plan = Plan(1, requests, loaded.slo.percentile, loaded.slo.confidence)
    tried: list[Probe] = []

    def try_rate(rate: float) -> Holds:
        if time.monotonic() + requests / rate + loaded.load.timeout_seconds > loaded.until:
            raise _SpentError("The budget is spent.")
        run, _ = loaded.run(1_000 + len(tried), requests, rate)
        late = void(run, loaded.slo.limit_seconds)
        told: Holds = "unshown" if late else judge([run.misses(loaded.slo.limit_seconds)], plan).holds
        tried.append(Probe(rate, told))
        return told

    try:
        found = knee(try_rate, start, precision=0.1, probes=12)
        best, above = found.rate, found.above
    except _SpentError:
        best = max((p.rate for p in tried if p.holds == "held"), default=0.0)
        above = min((p.rate for p in tried if p.holds == "broken"), default=np.inf)
    if best:
        yield Measured(NAME, SERVICE, "knee", best, "requests/s")
    if np.isfinite(above):
        yield Measured(NAME, SERVICE, "knee not above", above, "requests/s")


def _places(trial: Trial) -> Sequence[str]:
    return [SERVICE] if trial.policy.slo is not None and can_serve(trial) else []


check = Check(NAME, ask, _places)
