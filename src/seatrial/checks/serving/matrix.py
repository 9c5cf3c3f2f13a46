"""The matrix: what can happen to a dependency, in the terms of its own time-out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from seatrial.checks.serving.service import address_of, can_start
from seatrial.faults.addresses import over_http
from seatrial.faults.proxy.dependency import is_proxied
from seatrial.faults.scenario import Scenario
from seatrial.faults.scenarios import scenarios
from seatrial.pipeline import SERVICE
from seatrial.policy.failures import FailurePolicy
from seatrial.trial import Trial


def scenarios_of(loss: FailurePolicy, url: str) -> Sequence[Scenario]:
    """Return the fault scenarios of a dependency: those declared, or all that its address allows."""
    changed = over_http(url) or (loss.tls == "proxy" and url.startswith("https:"))
    return scenarios(loss, ("tcp", "http") if changed else ("tcp",), loss.faults)


TOGETHER = ("down", "timeout")  # what several dependencies meet at once


def places(trial: Trial) -> Sequence[str]:
    """Return the dependencies that are tested, and ``SERVICE`` where they are tested together too."""
    return [*_tested(trial), *([SERVICE] if together(trial) else [])]


def together(trial: Trial) -> Sequence[str]:
    """Return the dependencies that are broken at the same time: all that are tested, where there are two or more.

    None where ``faults`` leaves none for all of them, or where they are asked at several paths or flagged in
    several fields: no request would then show all of them.
    """
    names = _tested(trial)
    every = [trial.policy.failure_policy(name) for name in names]
    alike = len({(each.path, each.degraded_field, each.reason_field) for each in every}) == 1
    return names if len(names) > 1 and alike and faults_together(every) else ()


def faults_together(every: Sequence[FailurePolicy]) -> tuple[str, ...]:
    """Return the faults that several dependencies meet at once: those that ``faults`` leaves out for none of them."""
    return tuple(name for name in TOGETHER if all(not each.faults or name in each.faults for each in every))


def _tested(trial: Trial) -> list[str]:
    return [name for name in trial.pipeline.dependencies if not why_not(trial, name)]


def seconds(trial: Trial, dependency: str) -> float:
    """Return about how long the matrix of a place takes, its own budget at most."""
    if dependency == SERVICE:
        every = [trial.policy.failure_policy(name) for name in together(trial)]
        return max(min(each.budget_seconds, usual_seconds(each, len(faults_together(every)))) for each in every)
    loss, url = trial.policy.failure_policy(dependency), trial.pipeline.dependencies[dependency].address
    return min(loss.budget_seconds, usual_seconds(loss, len(scenarios_of(loss, url))))


def why_not(trial: Trial, dependency: str) -> str:
    """Return why a dependency is not broken in this trial, or the empty string."""
    url = trial.pipeline.dependencies[dependency].address
    if not can_start(trial) and not address_of(trial):
        return "the pipeline has no service that can be started here"
    if not is_proxied(url):
        kind = url.partition("://")[0] if "://" in url else "no URL"
        return f"'{dependency}' is not reached over TCP ({kind}) or a socket file: there is no wire to put a fault on"
    if trial.policy.failure_policy(dependency).timeout_ms is None:
        return f"[dependencies.{dependency}] of service.toml does not set timeout_ms"
    return ""


def usual_seconds(loss: FailurePolicy, rows: int) -> float:
    """Return about how long the scenarios take: each its fault and its recovery, a start and a burst before them."""
    return rows * (loss.fault_seconds + CLEAN) + 10 * CLEAN


CLEAN = 2  # slices of a second in a row without a fault in them: healed


def not_run(trial: Trial, chosen: Collection[str]) -> list[str]:
    """Return which load and resilience tests were chosen and have no case in this trial, and why."""
    reasons = []
    if "load" in chosen and not trial.policy.slo:
        reasons.append("load: service.toml declares no [slo]")
    if "resilience" in chosen:
        reasons += [f"resilience: {why}" for name in trial.pipeline.dependencies if (why := why_not(trial, name))]
    return reasons
