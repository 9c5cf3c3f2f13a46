"""Does the live service hold its objective under load, and answer as it does when nobody else asks?

Asked where ``[slo]`` is declared in service.toml. A service of its own is started, so that its cold start is seen;
the plan is fixed before the first request; what the generator gets wrong makes a run void, never good or bad. What is
left of the budget goes to the promoted version, asked beside this one, and to the highest rate that holds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from seatrial.checks.base import Check
from seatrial.checks.load.capacity import search
from seatrial.checks.load.champion import side_by_side
from seatrial.checks.load.charts import histogram, timeline
from seatrial.checks.load.diagnosis import blocked, watch
from seatrial.checks.load.judge import Runs, conclusion, figures, plan_of, raw, room, summed
from seatrial.checks.load.runs import Loaded, held_against, shape, started
from seatrial.checks.serving.budget import budget_end, deadline
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import places, seconds
from seatrial.checks.serving.service import can_start
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.loadgen.affinity import UNRESTRICTED, reserve_cores
from seatrial.loadgen.statistics import Plan
from seatrial.loadgen.validity import BATCHES
from seatrial.pipeline import SERVICE
from seatrial.targets.http import Http
from seatrial.trial import Trial

NAME = "load"
DIAGNOSIS_SECONDS = 3.0
LEAD, DIAGNOSIS = 2**20, 2**20 + 1  # numbers of runs that are not counted


def run(trial: Trial, _: str | None) -> Iterator[Event]:
    """Put the service under its declared rate and yield figures, pictures and the judgement."""
    slo, load = trial.policy.slo, trial.policy.offered
    assert slo is not None
    assert trial.pipeline.service is not None
    path = slo.path or trial.pipeline.service.predict
    if not path.startswith("/"):
        yield NotEvaluated(NAME, SERVICE, f"load is offered over HTTP to a path, not to '{path}': say [slo] path")
        return
    try:
        plan = plan_of(slo, load)
        cores = reserve_cores(load.workers) if load.own_core else UNRESTRICTED
    except UsageError as error:
        yield NotEvaluated(NAME, SERVICE, f"[load]: {error}")
        return
    needed = shape(load, slo.rate, plan.requests)[0].seconds * plan.runs + room(plan) / slo.rate
    end = deadline(trial, load.budget_seconds)
    if needed > (budget := end - time.monotonic()) + 1:
        yield NotEvaluated(
            NAME, SERVICE,
            f"{plan.runs} runs of {plan.requests:,} requests at {slo.rate:g} a second take {needed:,.0f} s, the budget "
            f"is {budget:,.0f} s: raise budget_seconds of [load] and of [stress], or say runs and requests",
        )  # fmt: skip
        return
    begin = time.monotonic()
    try:
        with started(trial, trial.model_path, cores) as running:
            yield Measurement(NAME, SERVICE, "cold start", time.monotonic() - begin, "s")
            loaded = Loaded(running.url + path, running, expected(trial), slo, load, trial.seed, end, cores)
            if cores.service is not None:
                yield Measurement(NAME, SERVICE, "cores of the service", len(cores.service), "cores")
            yield from _first(loaded, path)
            yield from _loaded(loaded, plan, trial)
    except AnswerError as error:
        yield Finding(
            NAME, SERVICE, str(error), cause="service-broke", advice="Start it by hand with the same command."
        )
        yield Evaluated(NAME, SERVICE, compared=1)
    except TargetError as error:
        yield NotEvaluated(NAME, SERVICE, str(error))


def _first(loaded: Loaded, path: str) -> Iterator[Event]:
    with Http(loaded.running.url, seconds=max(30.0, loaded.load.timeout_seconds)) as http:
        answer = http.send(loaded.expected.payloads[0], path=path)
    yield Measurement(NAME, SERVICE, "first answer", answer.seconds, "s")


def _loaded(loaded: Loaded, plan: Plan, trial: Trial) -> Iterator[Event]:
    offered, wrong, rate = [], list[Finding](), loaded.slo.rate
    sampled = degraded = 0
    lead = loaded.run(LEAD, max(room(plan), BATCHES), rate, flat=True)[0] if loaded.load.profile else None
    for number in range(plan.runs):
        trial.on_progress(
            number, plan.runs, f"run {number + 1} of {plan.runs}: {plan.requests:,} requests at {rate:g} a second"
        )
        requests = plan.requests + (room(plan) if number == 0 and lead is None else 0)
        found, rows = loaded.run(number, requests, rate, samples=loaded.load.samples)
        offered.append(found)
        held = held_against(NAME, loaded.expected, found, rows, loaded.slo)
        sampled, degraded = sampled + held.compared, degraded + held.degraded
        wrong += held.findings
        if how := loaded.running.ended():
            wrong.append(_died(loaded, how))
            break
    runs = Runs(loaded.slo, plan, offered, lead)
    yield from figures(NAME, runs)
    yield Measurement(NAME, SERVICE, "answers compared", sampled, "rows")
    yield Measurement(NAME, SERVICE, "answers degraded", degraded, "rows")
    yield raw(NAME, runs)
    yield summed(NAME, runs)
    for picture, draw in (("histogram", histogram), ("timeline", timeline)):
        yield Attachment(NAME, SERVICE, f"load/{picture}.svg", draw(offered, loaded.slo.limit_seconds))
    yield from {(f.column, f.cause): f for f in wrong}.values()
    if loaded.load.samples and not sampled:
        yield NotEvaluated(NAME, SERVICE, "no answer under load could be compared with the recorded ones")
    events = list(conclusion(NAME, runs))
    for event in events:
        if not isinstance(event, Evaluated):
            yield _explained(loaded, event) if isinstance(event, Finding) else event
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    if evaluated and not loaded.running.ended():
        yield from _rest(loaded, trial, held=not any(isinstance(event, Finding) for event in events))
    yield from evaluated


def _rest(loaded: Loaded, trial: Trial, *, held: bool) -> Iterator[Event]:
    """Spend what the dependencies' matrices do not need: on the promoted version, then on the highest rate."""
    matrices = sum(seconds(trial, name) for name in places(trial))
    loaded = replace(loaded, until=min(loaded.until, budget_end(trial) - matrices))
    if held and loaded.load.margin is not None and trial.champion_path is not None:
        yield from side_by_side(NAME, loaded, trial)
    if loaded.load.knee and not loaded.running.ended():
        yield from search(NAME, loaded, trial.on_progress, held=held)


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
        run, _ = loaded.run(DIAGNOSIS, requests, loaded.slo.rate, flat=True)
    if not blocked(seen, float(np.median(run.latencies))):
        return finding
    return replace(
        finding,
        message=f"{finding.message} Meanwhile '{service.ready}' waited {seen.wait * 1e3:,.0f} ms, and the "
        f"service did nothing in {1 - seen.busy:.0%} of the looks at it.",
        cause="blocking-call",
        advice="Something sleeps or waits in the event loop: make the route a plain 'def', or await what it waits for.",
    )


def _places(trial: Trial) -> Sequence[str]:
    return [SERVICE] if trial.policy.slo is not None and can_start(trial) else []


check = Check(NAME, run, _places, order=70)
