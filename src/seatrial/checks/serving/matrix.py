"""The matrix: what can happen to a dependency, in the terms of its own time-out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from seatrial.checks.serving.service import address_of, can_start
from seatrial.faults.addresses import over_http
from seatrial.faults.proxy.dependency import is_proxied
from seatrial.faults.scenario import Scenario
from seatrial.faults.scenarios import scenarios
from seatrial.policy.failures import FailurePolicy
from seatrial.trial import Trial


def scenarios_of(loss: FailurePolicy, url: str) -> Sequence[Scenario]:
    """Return the fault scenarios of a dependency: those declared, or all that its address allows."""
    changed = over_http(url) or (loss.tls == "proxy" and url.startswith("https:"))
    return scenarios(loss, ("tcp", "http") if changed else ("tcp",), loss.faults)


def places(trial: Trial) -> Sequence[str]:
    """Return the dependencies that are tested."""
    return [name for name in trial.pipeline.dependencies if not why_not(trial, name)]


def seconds(trial: Trial, dependency: str) -> float:
    """Return about how long a dependency's matrix takes, its own budget at most."""
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
