"""The matrix: what can happen to a dependency, in the terms of its own time-out."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.checks.serving.service import can_serve
from seatrial.faults.network import Down, Latency, LimitData, ResetPeer, Slicer, Timeout
from seatrial.faults.proxy.dependency import over_tcp
from seatrial.faults.responses import Blanks, Errors, MissingKeys, TooManyRequests, WrongSchema
from seatrial.faults.scenario import Scenario
from seatrial.policy.service import FailurePolicy
from seatrial.policy.settings import ANSWER_ROWS, ROWS
from seatrial.trial import Trial

WITHIN = 0.8  # of the time-out: slow, and in time
TRICKLE_PIECES = 20  # bytes that come within one time-out


def scenarios_of(loss: FailurePolicy, url: str) -> Sequence[Scenario]:
    """Return the rows for a dependency: those declared, or all that its address allows."""
    ms = loss.timeout_ms or 0.0
    made = {
        # First, while its connections are still open: nothing is lost within the time-out.
        "latency_within": Scenario("latency_within", Latency(latency=WITHIN * ms), whole=True),
        "slicer": Scenario("slicer", Slicer(average_size=16, size_variation=8), whole=True),
        "latency_beyond": Scenario("latency_beyond", Latency(latency=2 * ms), waits=True),
        "trickle": Scenario("trickle", Slicer(average_size=1, delay=ms * 1e3 / TRICKLE_PIECES), waits=True),
        "down": Scenario("down", Down()),
        "timeout": Scenario("timeout", Timeout(), waits=True),
        "reset_peer": Scenario("reset_peer", ResetPeer()),
        "limit_data": Scenario("limit_data", LimitData(bytes=64)),
        "errors": Scenario("errors", Errors()),
        "too_many_requests": Scenario("too_many_requests", TooManyRequests()),
        "wrong_schema": Scenario("wrong_schema", WrongSchema()),
        "nulls": Scenario("nulls", Blanks()),
        "missing_keys": Scenario("missing_keys", MissingKeys()),
    }
    allowed = (*ROWS, *ANSWER_ROWS) if url.startswith("http:") else ROWS
    chosen = loss.faults or allowed
    return [row for name, row in made.items() if name in chosen and name in allowed]


def places(trial: Trial) -> Sequence[str]:
    """Return the dependencies that are asked about."""
    return [name for name in trial.pipeline.dependencies if not why_not(trial, name)]


def seconds(trial: Trial, dependency: str) -> float:
    """Return about how long a dependency's matrix takes, its own budget at most."""
    loss, url = trial.policy.failure_policy(dependency), trial.pipeline.dependencies[dependency].url
    return min(loss.budget_seconds, usual_seconds(loss, len(scenarios_of(loss, url))))


def why_not(trial: Trial, dependency: str) -> str:
    """Return why a dependency is not broken in this trial, or the empty string."""
    url = trial.pipeline.dependencies[dependency].url
    if not can_serve(trial):
        return "the pipeline has no service that can be started here"
    if not over_tcp(url):
        return f"'{dependency}' is not reached over TCP ({url.partition(':')[0]}): there is no wire to put a fault on"
    if trial.policy.failure_policy(dependency).timeout_ms is None:
        return f"[dependencies.{dependency}] of service.toml does not say timeout_ms"
    return ""


def usual_seconds(loss: FailurePolicy, rows: int) -> float:
    """Return about how long a matrix takes: each row its fault and its healing, a start and a crowd before them."""
    return rows * (loss.fault_seconds + CLEAN) + 10 * CLEAN


CLEAN = 2  # slices of a second in a row without a fault in them: healed
