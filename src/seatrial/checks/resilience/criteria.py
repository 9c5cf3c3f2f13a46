"""Decide each criterion of resilience by itself: what must hold of a service whose dependency fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from seatrial.checks.resilience import hard
from seatrial.checks.resilience.calls import are_counted, too_many_calls
from seatrial.checks.resilience.observation import Observation
from seatrial.checks.resilience.unmet import unmet
from seatrial.checks.resilience.violation import Violation
from seatrial.faults.scenario import Scenario
from seatrial.faults.scenarios import WITHIN
from seatrial.formatting import plural, seconds
from seatrial.loadgen.estimates import exceeds_share
from seatrial.loadgen.results import TIMED_OUT
from seatrial.policy.load import Slo

CRITERIA = (
    "fault-applied", "no-5xx", "degraded-flag", "fallback-value", "needless-fallback", "deadline", "unaffected",
    "circuit-breaker", "pool", "amplification", "recovery", "leak", "hard-dependency",
)  # fmt: skip
NEEDLESS = 0.05  # share of degraded answers that is allowed where the dependency answers in time
LATE = 0.05  # share of the deadline by which the generator itself may be late


def under_fault(scenario: Scenario, observation: Observation, slo: Slo | None) -> Iterator[Violation]:
    """Yield the criteria that do not hold while the fault lasts."""
    if not observation.hits:
        yield Violation("fault-applied", "the fault was never applied, so it shows nothing", evaluated=False)
        return
    if missed := unmet(scenario, observation):
        yield Violation("fault-applied", missed, evaluated=False)
        return
    apart = hard.judged(scenario, observation)
    yield from _status(observation, ~apart)
    yield from hard.answered(observation) if hard.applies(scenario, observation) else _values(observation)
    late = lateness(observation)
    for violation in (
        _needless_fallback(scenario, observation),
        _deadline(observation, apart),
        *_unaffected(observation, slo),
        _circuit_breaker(scenario, observation),
    ):
        if violation is not None:
            yield (
                violation
                if not late
                else replace(violation, message=f"{violation.message}, but {late}", evaluated=False)
            )
    if clause := too_many_calls(scenario, observation):
        yield Violation("amplification", clause)
    yield from pool(observation)


def pool(observation: Observation) -> Iterator[Violation]:
    """Yield a violation where more connections were open than the policy allows."""
    most, peak = observation.baseline.policy.max_connections, observation.usage.peak_connections
    if most is not None and peak > most:
        yield Violation(
            "pool", f"{plural(peak, 'connection')} to the dependency were open at once; at most {most:,} are allowed"
        )


def lateness(observation: Observation) -> str:
    """Return a clause that the generator itself was late, or the empty string."""
    lags = observation.run.lags[np.isfinite(observation.run.lags)]
    lag = float(np.quantile(lags, 0.99)) if len(lags) else np.inf
    most = LATE * observation.baseline.policy.deadline
    if lag <= most:
        return ""
    return f"the load generator itself was {seconds(lag)} late (p99); at most {seconds(most)} is allowed"


def _status(observation: Observation, judged: np.ndarray) -> Iterator[Violation]:
    status, outcome = observation.run.status, np.isfinite(observation.seconds)
    unreadable = outcome & (status >= 200) & (status < 300) & ~observation.answered
    for message, wrong in (
        ("got a 5xx status", judged & (status >= 500)),
        ("were refused with a 4xx status", judged & (status >= 400) & (status < 500)),
        ("were redirected with a 3xx status", judged & (status >= 300) & (status < 400)),
        ("got an answer that cannot be read", judged & unreadable),
        ("lost their connection to the service", judged & ~outcome & (observation.run.outcome != TIMED_OUT)),
    ):
        if count := int(wrong.sum()):
            codes = sorted({int(s) for s in status[wrong] if s})
            evidence = {"statuses": codes} if codes else {}
            yield Violation("no-5xx", message, count, len(observation.run), evidence=evidence)


def _values(observation: Observation) -> Iterator[Violation]:
    policy, fallback = observation.baseline.policy, observation.matches_fallback
    users = observation.answered & observation.uses
    flagged = users & observation.flagged
    unflagged = users & ~observation.flagged & ~observation.matches_reference
    if observation.baseline.fallback is None:
        found = [
            ("degraded-flag", "differ from the recorded ones and are not flagged as degraded", unflagged, users),
        ]  # fmt: skip
        if flagged.any():
            yield Violation(
                "fallback-value", "no fallback is declared, so the degraded answers were not compared", evaluated=False
            )
    else:
        found = [
            (
                "degraded-flag", f"have the values of the fallback without '{policy.degraded_field}': true",
                unflagged & fallback, users,
            ),
            (
                "fallback-value",
                "match neither the recorded ones nor the declared fallback, and are not flagged as degraded",
                unflagged & ~fallback, users,
            ),
            (
                "fallback-value", "are flagged as degraded and differ from the declared fallback",
                flagged & ~fallback, flagged,
            ),
        ]  # fmt: skip
    found.append(
        (
            "degraded-flag", f"are flagged as degraded without a reason in '{policy.reason_field}'",
            flagged & ~observation.with_reason, users,
        )
    )  # fmt: skip
    for criterion, message, wrong, of in found:
        if wrong.any():
            yield Violation(criterion, message, int(wrong.sum()), int(of.sum()), "answers")


def _needless_fallback(scenario: Scenario, observation: Observation) -> Violation | None:
    degraded, of = int((observation.uses & observation.flagged).sum()), int(observation.uses.sum())
    if not (scenario.whole and exceeds_share(degraded, of, NEEDLESS)):
        return None
    message = "were degraded although the dependency answered in time"
    left = (1 - WITHIN) * observation.baseline.policy.timeout
    starved = observation.usual_seconds > left
    if starved:
        message += (
            f", but its time-out leaves the service {seconds(left)} for its own work, and without a fault answers took "
            f"{seconds(observation.usual_seconds)} (p95)"
        )
    return Violation("needless-fallback", message, degraded, of, "answers", evaluated=not starved, timed=True)


def _deadline(observation: Observation, apart: np.ndarray) -> Violation | None:
    limit = observation.baseline.policy.deadline
    over = (observation.seconds > limit) & ~(apart & np.isinf(observation.seconds))
    never = int((observation.run.outcome == TIMED_OUT).sum())
    if never or exceeds_share(int(over.sum()), len(over), 0.01):
        slowest = f"the slowest took {seconds(observation.seconds.max())}"
        took = f"{never:,} of them never got an answer" if never else slowest
        message = f"took longer than the deadline of {seconds(limit)}; {took}"
        return Violation("deadline", message, int(over.sum()), len(over), timed=True)
    return None


def _unaffected(observation: Observation, slo: Slo | None) -> Iterator[Violation | None]:
    limit = slo.limit_seconds if slo else observation.baseline.policy.deadline
    allowed = 1 - (slo.percentile if slo else 0.99)
    others = ~observation.uses
    noun = "requests that do not use the dependency"
    if changed := int((others & observation.answered & ~observation.matches_reference).sum()):
        message = "got an answer that differs from the recorded one"
        yield Violation("unaffected", message, changed, int(others.sum()), noun)
    parts: dict[str, np.ndarray] = {noun: observation.seconds[others]}
    parts |= {f"requests to '{path}'": run.latencies for path, run in observation.unaffected.items()}
    for noun, took in parts.items():
        over = int((took > limit).sum())
        if exceeds_share(over, len(took), allowed):
            message = f"took longer than {seconds(limit)} or failed"
            yield Violation("unaffected", message, over, len(took), noun, timed=True)


def _circuit_breaker(scenario: Scenario, observation: Observation) -> Violation | None:
    policy, due = observation.baseline.policy, observation.run.scheduled
    if not (scenario.waits and policy.circuit_breaker):
        return None
    later, long = observation.uses & (due > due[-1] / 2), 0.8 * policy.timeout
    waited = later & (observation.seconds > long)
    if not exceeds_share(int(waited.sum()), int(later.sum()), 0.5):  # a half-open breaker lets some requests wait
        return None
    slow = observation.usual_seconds > long
    message = "in the second half of the fault still waited for the dependency; no circuit breaker opened"
    if slow:
        message = (
            f"in the second half of the fault took longer than {seconds(long)}, and without a fault answers took "
            f"{seconds(observation.usual_seconds)} (p95), so whether they waited for the dependency is not known"
        )
    return Violation("circuit-breaker", message, int(waited.sum()), int(later.sum()), evaluated=not slow, timed=True)


State = Literal["met", "violated", "not evaluated"]


def states(scenario: Scenario, observation: Observation, violations: list[Violation]) -> dict[str, State]:
    """Return the state of each criterion in one fault scenario, for the table of all scenarios."""
    policy = observation.baseline.policy
    applied = observation.hits and not any(v.criterion == "fault-applied" for v in violations)
    found: dict[str, State] = dict.fromkeys(CRITERIA, "met" if applied else "not evaluated")
    if not scenario.whole:
        found["needless-fallback"] = "not evaluated"
    for name in hard.INSTEAD_OF if hard.applies(scenario, observation) else ("hard-dependency",):
        found[name] = "not evaluated"
    if not are_counted(scenario, observation):
        found["amplification"] = "not evaluated"
    if not scenario.waits or not policy.circuit_breaker:
        found["circuit-breaker"] = "not evaluated"
    if policy.max_connections is None:
        found["pool"] = "not evaluated"
    for violation in violations:
        if found.get(violation.criterion) != "violated":
            found[violation.criterion] = "violated" if violation.evaluated else "not evaluated"
    return found
