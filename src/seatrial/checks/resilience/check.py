"""Break a dependency in every way of its fault scenarios, under load, and evaluate each criterion by itself.

The check runs on every dependency that is reached over TCP and has ``timeout_ms`` in ``[dependencies.<name>]`` of
service.toml. It starts a service of its own, whose address of the dependency (``{store.url}``) leads through a proxy.
A fault that was never applied is not evaluated. Where there are
two dependencies or more, they are broken together too.
"""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.base import Check
from seatrial.checks.resilience.experiment import NAME, experiment_on
from seatrial.checks.resilience.fallback import baseline_of, without_fallback
from seatrial.checks.resilience.matrix import run_scenarios
from seatrial.checks.resilience.together import Proxies, policy_together
from seatrial.checks.serving.budget import deadline
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import places, together
from seatrial.checks.serving.service import address_of, not_ours, serve
from seatrial.errors import AnswerError, SeatrialError, StageError, TargetError, UsageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial


def run(trial: Trial, dependency: str | None) -> Iterator[Event]:
    """Run the fault scenarios of one dependency, or those of all of them at once (``SERVICE``).

    It yields a finding for each criterion that is violated.
    """
    assert dependency is not None
    assert trial.pipeline.service is not None
    if address_of(trial):
        reason = not_ours(trial, f"no fault can be put between it and '{dependency}'")
        yield NotEvaluated(NAME, dependency, reason)
        return
    names = together(trial) if dependency == SERVICE else [dependency]
    policies = {name: trial.policy.failure_policy(name) for name in names}
    policy = policies[dependency] if dependency in policies else policy_together(list(policies.values()))
    wanted = expected(trial)
    try:
        baseline = baseline_of(trial, names, wanted, policy)
    except StageError as error:  # so the path in process has no degraded answers; the service may have others, or none
        yield NotEvaluated(NAME, dependency, f"The declared fallback could not be computed. {error}")
        baseline = without_fallback(wanted, policy)
    except SeatrialError as error:
        yield NotEvaluated(NAME, dependency, f"The declared fallback could not be computed. {error}", crashed=True)
        return
    try:
        between = Proxies({name: _proxy(trial, name, of.tls == "proxy") for name, of in policies.items()})
    except UsageError as error:
        yield NotEvaluated(NAME, dependency, str(error))
        return
    cases = list(places(trial))
    left = len(cases) - cases.index(dependency)  # the common budget is shared by the cases that still have to run
    until = deadline(trial, policy.budget_seconds, share=1 / left)
    try:
        with between as proxy, serve(trial, urls=proxy.through) as running:
            experiment = experiment_on(trial, dependency, proxy, running, baseline, until)
            yield from run_scenarios(experiment, trial.on_progress)
            if running.elsewhere:
                yield Finding(
                    NAME, dependency,
                    "The threads of the service were not counted, and its connections were counted at the proxy: it "
                    "runs in a container.",
                    severity=Severity.INFO, cause="not-seen",
                    advice="Look at the threads in the container after a fault, such as with 'docker top'.",
                )  # fmt: skip
    except AnswerError as error:
        advice = "Start the service by hand with the same command."
        yield Finding(NAME, dependency, str(error), cause="service-broke", advice=advice)
        yield Evaluated(NAME, dependency, compared=1)
    except (TargetError, UsageError) as error:
        yield NotEvaluated(NAME, dependency, str(error))


def _proxy(trial: Trial, name: str, tls: bool) -> DependencyProxy:
    to, reached = trial.pipeline.dependencies[name].address, trial.policy.service.resilience
    try:
        return DependencyProxy(to, seed=trial.seed, tls=tls, bind=reached.bind, name=reached.host)
    except UsageError as error:
        raise UsageError(f'[dependencies.{name}] sets tls = "proxy". {error}') from error


check = Check(NAME, run, places, order=80, alone=True)
