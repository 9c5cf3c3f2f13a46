"""Verify that the live service meets its objective under load, with the same answers as without load.

The check runs where ``[slo]`` is declared in service.toml. It starts a service of its own, so that its cold start is
measured. The plan is fixed before the first request. A mistake of the load generator makes a run invalid, never good or
bad. What is left of the budget goes to the comparison with the champion, then to the maximum sustainable rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np

from seatrial.checks.base import Check
from seatrial.checks.exchanges import keep_failed
from seatrial.checks.load.answers import compare_samples
from seatrial.checks.load.asked import key_texts
from seatrial.checks.load.attachments import all_requests, latency_histogram
from seatrial.checks.load.capacity import find_max_rate
from seatrial.checks.load.champion import compare_with_champion
from seatrial.checks.load.charts import histogram, timeline
from seatrial.checks.load.diagnosis import at_ease, event_loop_blocked, has_event_loop, sample_activity
from seatrial.checks.load.judge import FinishedRuns, evaluate, measurements
from seatrial.checks.load.planning import choices, duration, plan_of, told, warmup_requests
from seatrial.checks.load.runs import LoadSession, session_of, start_service
from seatrial.checks.load.slopes import Usage, at_rest, judged, not_seen, watch
from seatrial.checks.load.streams import of_tokens
from seatrial.checks.serving.budget import budget_end, deadline
from seatrial.checks.serving.matrix import places, seconds
from seatrial.checks.serving.refused import load_refused
from seatrial.checks.serving.service import address_of, can_start, keep_log
from seatrial.errors import AnswerError, TargetError, UsageError
from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.formatting import seconds as readable
from seatrial.formatting import share
from seatrial.loadgen.affinity import UNRESTRICTED, reserve_cores
from seatrial.loadgen.statistics import Plan
from seatrial.loadgen.validity import BATCHES
from seatrial.pipeline import SERVICE
from seatrial.process.running import Running
from seatrial.targets.http import Http
from seatrial.trial import Trial

NAME = "load"
DIAGNOSIS_SECONDS = 3.0
PATHS = 4  # connections to the readiness path meanwhile
LEAD, DIAGNOSIS = 2**20, 2**20 + 1  # numbers of runs that are not counted


def run(trial: Trial, _: str | None) -> Iterator[Event]:
    """Put the service under its declared rate and yield measurements, charts and the result."""
    slo, load = trial.policy.slo, trial.policy.offered
    assert slo is not None
    assert trial.pipeline.service is not None
    if reason := load_refused(trial):
        yield NotEvaluated(NAME, SERVICE, reason)
        return
    end = deadline(trial, load.budget_seconds)
    try:
        budget = end - time.monotonic()
        plan = plan_of(slo, load, budget)
        cores = reserve_cores(load.workers) if load.reserve_cores else UNRESTRICTED
    except UsageError as error:
        yield NotEvaluated(
            NAME, SERVICE,
            f"The load test cannot be planned: {error} The time budget is {readable(max(budget, 0.0))}. "
            f"{choices(slo, load)} Raise budget_seconds of [load] and of [stress], or lower percentile in [slo] of "
            "service.toml.",
        )  # fmt: skip
        return
    needed = duration(slo, load, plan)
    if needed > budget + 1:
        yield NotEvaluated(
            NAME, SERVICE,
            f"The load runs do not fit in the time budget: {plan.runs} runs of {plan.requests:,} requests at "
            f"{slo.rate:,g} requests/s take {readable(needed)}; the budget has {readable(max(budget, 0.0))}. "
            f"{choices(slo, load)} Raise budget_seconds of [load] and of [stress], or set runs and requests in [load].",
        )  # fmt: skip
        return
    yield Measurement(NAME, SERVICE, "planned time", needed, "s")
    begin = time.monotonic()
    try:
        with start_service(trial, trial.model_path, cores) as running:
            yield Measurement(NAME, SERVICE, "cold start", time.monotonic() - begin, "s")
            session = session_of(trial, running, slo, load, end, cores)
            if isinstance(running, Running):
                keep_log(trial, running, NAME)
            if session.seen is None:
                yield not_seen(NAME)
            elif cores.service is not None:
                yield Measurement(NAME, SERVICE, "cores of the service", len(cores.service), "cores")
            answer = session.ask()
            if answer.status in (400, 422) and session.simpler is not None:
                session = replace(session, requests=session.simpler)
                answer = session.ask()
            yield Measurement(NAME, SERVICE, "first answer", answer.seconds, "s")
            known = key_texts(session.expected, answer)
            session = replace(session, key_texts=known, ease_seconds=_ease_seconds(session))
            yield from _planned_runs(session, plan, trial)
    except UsageError as error:
        yield NotEvaluated(NAME, SERVICE, str(error))
    except AnswerError as error:
        yield Finding(
            NAME, SERVICE, str(error), cause="service-broke", advice="Start the service by hand with the same command."
        )
        yield Evaluated(NAME, SERVICE, compared=1)
    except TargetError as error:
        yield NotEvaluated(NAME, SERVICE, str(error))


def _planned_runs(session: LoadSession, plan: Plan, trial: Trial) -> Iterator[Event]:
    finished, findings, rate = [], list[Finding](), session.slo.rate
    compared = degraded = 0
    extra, usage = warmup_requests(plan), Usage()
    lead = session.run(LEAD, max(extra, BATCHES), rate, flat=True)[0] if session.load.profile else None
    for number in range(plan.runs):
        trial.on_progress(number, plan.runs, f"run {number + 1}: {told(session.slo, session.load, plan)}")
        requests = plan.requests + (extra if number == 0 and lead is None else 0)
        begin = time.monotonic()
        with watch(session.seen, usage):
            each, rows = session.run(number, requests, rate, samples=session.load.samples)
        keep_failed(trial, NAME, each, session.requests, rows, session.url)
        usage.spans.append((begin, time.monotonic(), requests))
        finished.append(each)
        sampled = compare_samples(NAME, session.expected, each, rows, session.slo, every_key=bool(session.key_texts))
        compared, degraded = compared + sampled.compared, degraded + sampled.degraded
        findings += sampled.findings
        runs = FinishedRuns(session.slo, plan, tuple(finished), lead)
        if how := session.running.ended():
            findings.append(_ended(session, how))
            break
        if runs.decided:
            break
    if session.seen is not None and not session.running.ended():
        usage.rest = at_rest(session.seen)
    for event in (*judged(NAME, usage, settled=runs.warmup.stable), *of_tokens(NAME, finished)):
        if isinstance(event, Finding):
            findings.append(event)
        else:
            yield event
    yield from measurements(NAME, runs)
    yield Measurement(NAME, SERVICE, "answers compared", compared, "rows")
    yield Measurement(NAME, SERVICE, "answers degraded", degraded, "rows")
    yield all_requests(NAME, finished)
    yield latency_histogram(NAME, finished)
    for chart, draw in (("histogram", histogram), ("timeline", timeline)):
        yield Attachment(NAME, SERVICE, f"load/{chart}.svg", draw(finished, session.slo.limit_seconds))
    yield from {(f.column, f.cause): f for f in findings}.values()
    if session.load.samples and not compared:
        yield NotEvaluated(NAME, SERVICE, "No answer under load could be compared with the recorded ones.")
    events = list(evaluate(NAME, runs))
    for event in events:
        if not isinstance(event, Evaluated):
            yield _diagnosed(session, event) if isinstance(event, Finding) else event
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    if evaluated and not session.running.ended():
        yield from _rest_of_budget(session, trial, met=not any(isinstance(event, Finding) for event in events))
    yield from evaluated


def _rest_of_budget(session: LoadSession, trial: Trial, *, met: bool) -> Iterator[Event]:
    """Spend what the fault scenarios do not need: on the champion, then on the maximum sustainable rate."""
    reserved = sum(seconds(trial, name) for name in places(trial))
    session = replace(session, until=min(session.until, budget_end(trial) - reserved))
    if met and session.load.margin is not None and trial.champion_path is not None:
        yield from compare_with_champion(NAME, session, trial)
    if session.load.find_max_rate and not session.running.ended():
        yield from find_max_rate(NAME, session, trial.on_progress, met=met)


def _ended(session: LoadSession, how: str) -> Finding:
    return Finding(
        NAME, SERVICE, f"The service ended with {how} under load. {session.running.tail()}", cause="service-died",
        advice="Look for the cause of the exit: memory, a limit, or a request that crashes the service.",
    )  # fmt: skip


@contextmanager
def _readiness(session: LoadSession) -> Iterator[Callable[[], object]]:
    """Yield what sends one request to the readiness path, over a connection of its own."""
    service = session.expected.trial.pipeline.service
    assert service is not None
    with Http(session.running.url, seconds=session.timeout_seconds, connections=1) as http:
        yield lambda: http.send(path=service.ready, method="GET")


def _ease_seconds(session: LoadSession) -> float:
    if session.seen is None:
        return 0.0
    with _readiness(session) as ready:
        return at_ease(ready)


def _diagnosed(session: LoadSession, finding: Finding) -> Finding:
    """Add to a finding that the service slept while requests waited: a blocking call where one thread serves all."""
    if session.seen is None or session.running.ended() or finding.cause != "slow":
        return finding
    service = session.expected.trial.pipeline.service
    assert service is not None
    requests = max(10, round(session.slo.rate * DIAGNOSIS_SECONDS))
    with ExitStack() as opened:
        ready = [opened.enter_context(_readiness(session)) for _ in range(PATHS)]
        activity = opened.enter_context(sample_activity(session.seen, ready))
        run, _ = session.run(DIAGNOSIS, requests, session.slo.rate, flat=True)
    if not event_loop_blocked(activity, float(np.median(run.latencies)), session.ease_seconds):
        return finding
    loop = has_event_loop(session.seen)
    return replace(
        finding,
        message=f"{finding.message} Meanwhile '{service.ready}' took {readable(activity.wait)} to answer, and no "
        f"thread of the service ran in {share(1 - activity.busy)} of the samples.",
        cause="blocking-call" if loop else "workers-waiting",
        advice="Look for a blocking call in the event loop. Make the route a plain 'def', or await the call." if loop
        else "Every worker takes one request at a time and waits for something. Start more workers, or several threads "
        "in each (gunicorn --threads), or shorten what they wait for.",
    )  # fmt: skip


def _stages(trial: Trial) -> Sequence[str]:
    return [SERVICE] if trial.policy.slo is not None and (can_start(trial) or address_of(trial)) else []


check = Check(NAME, run, _stages, order=70, alone=True)
