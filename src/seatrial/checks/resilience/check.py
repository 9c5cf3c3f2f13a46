"""Break a dependency in every way of its fault scenarios, under load, and evaluate each criterion by itself.

The check runs on every dependency that is reached over TCP and has ``timeout_ms`` in ``[dependencies.<name>]`` of
service.toml. It starts a service of its own, whose address of the dependency (``{store.url}``) leads through a proxy.
A fault that was never applied is not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from seatrial.checks.base import Check
from seatrial.checks.resilience.experiment import Experiment
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.matrix import run_scenarios
from seatrial.checks.serving.budget import deadline
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import places
from seatrial.checks.serving.messages import messages_for
from seatrial.checks.serving.service import address_of, not_ours, serve
from seatrial.errors import AnswerError, SeatrialError, TargetError, UsageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.trial import Trial

NAME = "resilience"


def run(trial: Trial, dependency: str | None) -> Iterator[Event]:
    """Run the fault scenarios of one dependency and yield a finding for each criterion that is violated."""
    assert dependency is not None
    assert trial.pipeline.service is not None
    if address_of(trial):
        reason = not_ours(trial, f"no fault can be put between it and '{dependency}'")
        yield NotEvaluated(NAME, dependency, reason)
        return
    policy, declared = trial.policy.failure_policy(dependency), trial.pipeline.dependencies[dependency]
    try:
        baseline = baseline_of(trial, dependency, expected(trial))
    except SeatrialError as error:
        yield NotEvaluated(NAME, dependency, f"The declared fallback could not be computed. {error}", crashed=True)
        return
    cases = list(places(trial))
    left = len(cases) - cases.index(dependency)  # the common budget is shared by the cases that still have to run
    until = deadline(trial, policy.budget_seconds, share=1 / left)
    try:
        with (
            DependencyProxy(declared.url, seed=trial.seed) as proxy,
            serve(trial, urls={dependency: proxy.through}) as running,
        ):
            messages = messages_for(trial, running, baseline.expected, policy.path, f"[dependencies.{dependency}]")
            baseline = replace(baseline, expected=replace(baseline.expected, read=messages.read))
            experiment = Experiment(
                NAME, dependency, proxy, running, messages.requests, baseline, trial.policy.slo, trial.seed, until
            )  # fmt: skip
            yield from run_scenarios(experiment, trial.on_progress)
    except AnswerError as error:
        advice = "Start the service by hand with the same command."
        yield Finding(NAME, dependency, str(error), cause="service-broke", advice=advice)
        yield Evaluated(NAME, dependency, compared=1)
    except (TargetError, UsageError) as error:
        yield NotEvaluated(NAME, dependency, str(error))


check = Check(NAME, run, places, order=80)
