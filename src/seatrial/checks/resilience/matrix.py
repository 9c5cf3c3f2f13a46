"""Run the fault scenarios of one dependency: a burst first, then fault after fault, each with its recovery."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seatrial.checks.resilience import hard
from seatrial.checks.resilience.criteria import pool, states, under_fault
from seatrial.checks.resilience.experiment import BURST_REQUESTS, Experiment
from seatrial.checks.resilience.findings import BURST, findings, measurements
from seatrial.checks.resilience.monitor import used
from seatrial.checks.resilience.observation import Observation
from seatrial.checks.resilience.unmet import moves
from seatrial.checks.resilience.violation import Violation
from seatrial.checks.serving.matrix import CLEAN, scenarios_of
from seatrial.events import Attachment, Evaluated, Event, NotEvaluated
from seatrial.faults.network import Latency
from seatrial.faults.scenario import Scenario
from seatrial.formatting import plural, seconds
from seatrial.loadgen.schedule import Schedule

LEAK_SECONDS = 5.0  # for sockets and threads to be released
SLACK = 2  # sockets or threads that are no leak
_FROM_CONTAINER = (
    " A container reaches the proxy where [resilience] of service.toml says: bind is its address here, and host is what"
    " the container calls this machine."
)


def run_scenarios(
    experiment: Experiment, on_progress: Callable[[int, int, str], object] = lambda *_: None
) -> Iterator[Event]:
    """Run every fault scenario and yield findings, measurements, the table of criteria, and the result.

    Args:
        experiment: what the scenarios run on.
        on_progress: called before each scenario with its index, the number of scenarios, and a description.
    """
    policy, check, dependency = experiment.baseline.policy, experiment.check, experiment.dependency
    scenarios = list(scenarios_of(policy, experiment.proxy.url))
    if reason := _not_ready(experiment):
        yield NotEvaluated(check, dependency, reason)
        return
    table: list[dict[str, Any]] = []
    compared, undecided = 0, []
    observation, violations = run_burst(experiment)
    broken = {BURST: violations}
    limits = high_water(observation)
    experiment.recover()
    for n, scenario in enumerate(scenarios):
        on_progress(n, len(scenarios), f"{experiment.broken} {scenario.name}")
        rest = ", ".join(f"'{each.name}'" for each in scenarios[n:])
        if time.monotonic() + policy.fault_seconds + CLEAN > experiment.until:
            undecided.append(f"The time budget ended before {rest}; raise budget_seconds.")
            break
        observation, violations, recovered = run_scenario(experiment, scenario, limits)
        refused = hard.judged(scenario, observation) & np.isfinite(observation.seconds)
        compared += int((observation.answered | refused).sum())
        broken[scenario.name] = violations
        yield from measurements(experiment, scenario, observation, recovered)
        undecided += [
            f"Fault '{scenario.name}', criterion '{v.criterion}': {v.clause}." for v in violations if not v.evaluated
        ]
        table.append(
            {
                "fault": scenario.name, "hits": observation.hits, "attempts": observation.attempts,
                **states(scenario, observation, violations),
            }
        )  # fmt: skip
        if math.isinf(recovered) and n + 1 < len(scenarios):
            rest = ", ".join(f"'{each.name}'" for each in scenarios[n + 1 :])
            undecided.append(
                f"The service did not recover from '{scenario.name}', so these faults did not run: {rest}."
            )
            break
    yield from findings(experiment, broken)
    body = json.dumps(table, indent=1).encode()
    yield Attachment(check, dependency, f"resilience/{dependency}.json", body)
    if undecided:
        yield NotEvaluated(check, dependency, " ".join(undecided))
    yield Evaluated(check, dependency, compared=compared)


def run_scenario(
    experiment: Experiment, scenario: Scenario, limits: tuple[int, int]
) -> tuple[Observation, list[Violation], float]:
    """Apply one fault under load, remove it, and wait for the recovery.

    Where answers were late and nothing else is wrong, the scenario is repeated once: one stall of the machine makes
    many answers late at once, those of requests that do not use the dependency and a circuit breaker's among them,
    while a missing deadline is missing twice.
    ``Observation.attempts`` is then 2. Wrong values are never retried.

    Args:
        experiment: what the scenario runs on.
        scenario: the fault, and what must hold.
        limits: the most sockets and threads that are no leak; see :func:`high_water`.

    Returns:
        The observation under the fault, the violations, and the seconds until recovery (infinite for never).
    """
    observation, violations, recovered = _run_once(experiment, scenario, limits)
    evaluated = [each for each in violations if each.evaluated]
    if evaluated and all(each.timed for each in evaluated) and math.isfinite(recovered):
        observation, violations, recovered = _run_once(experiment, scenario, limits)
        observation = replace(observation, attempts=2)
    return observation, violations, recovered


def run_burst(experiment: Experiment) -> tuple[Observation, list[Violation]]:
    """Send a burst while the dependency is slow, so that pools and threads reach their limits and no more."""
    schedule = Schedule(np.linspace(0.01, 0.05, BURST_REQUESTS), 0.1)
    slow = Latency(latency=experiment.baseline.policy.timeout_ms or 0.0)
    with experiment.proxy.fault(slow) as hits:
        observation = replace(experiment.send(schedule), hits=1)
    failed = int((observation.run.status >= 500).sum())
    if experiment.baseline.policy.hard:  # it was as slow as its time-out, and so may have failed
        failed = 0
    violations = list(pool(replace(observation, hits=hits.count)))
    if failed:
        violations.append(Violation("no-5xx", "got a 5xx status", failed, len(observation.run)))
    return observation, violations


def high_water(burst: Observation) -> tuple[int, int]:
    """Return the sockets and threads that the service may hold: what a burst needed, and the allowed connections.

    Pools and servers keep what they once opened, and release some of it when it is idle, so that the moment before a
    fault is no measure. A leak grows with every fault, and passes this mark.
    """
    sockets = max(burst.usage.peak_connections, burst.baseline.policy.max_connections or 0)
    return sockets, max(burst.usage.threads, default=0)


def _not_ready(experiment: Experiment) -> str:
    """Return why no scenario can be run, or the empty string."""
    names = experiment.proxy.names
    if not experiment.baseline.uses.any():
        return (
            f"No request of the reference uses {experiment.broken}: the declared fallback flags no answer as degraded. "
            "Capture a reference whose requests use it."
        )
    after, observation = experiment.recover()
    if not experiment.proxy.calls:
        return (
            f"The service does not call {experiment.broken} through the address that it is given. Write "
            f"{' and '.join(f'{{{name}.url}}' for name in names)} in the env or the command of Service(...)."
            + (_FROM_CONTAINER if experiment.running.elsewhere else "")
        )
    if math.isinf(after):
        name = experiment.proxy.unnamed
        hint = (
            f" It gets an address of this machine, where the certificate of '{name}' does not hold: set "
            f'tls = "proxy" in [dependencies.{names[0]}] of service.toml, and the proxy speaks TLS in its place.'
        )
        clause = _not_recovered(experiment, observation).clause
        told = f" The proxy could not reach {why}." if (why := experiment.proxy.trouble) else ""
        return f"Without a fault, {clause}.{told} See the golden and the load check.{hint if name else ''}"
    return ""


def _run_once(
    experiment: Experiment, scenario: Scenario, limits: tuple[int, int]
) -> tuple[Observation, list[Violation], float]:
    policy = experiment.baseline.policy
    with experiment.proxy.fault(scenario.fault) as hits:
        observation = experiment.send(experiment.steady(policy.fault_seconds), unaffected=True)
    usual = max(experiment.usual_seconds[-2 * CLEAN :], default=0.0)
    reached = bool(experiment.moved)
    observation = replace(observation, hits=hits.count, usual_seconds=usual, reached=reached)
    violations = list(under_fault(scenario, observation, experiment.slo))
    if not scenario.whole and moves(observation):
        experiment.moved.append(scenario.name)
    if not hits.count:
        return observation, violations, 0.0
    recovered, last = experiment.recover()
    if math.isinf(recovered):
        violations.append(_not_recovered(experiment, last))
    elif leak := _leak(experiment, limits):
        violations.append(Violation("leak", leak))
    return observation, violations, recovered


def _not_recovered(experiment: Experiment, last: Observation) -> Violation:
    policy = experiment.baseline.policy
    limit = seconds(policy.recovery_seconds)
    wrong = int((~(last.matches_reference & (last.seconds <= policy.deadline))).sum())
    if not wrong:
        return Violation("recovery", f"recovery took longer than {limit}")
    return Violation("recovery", f"still had no correct answer in time after {limit}", wrong, len(last.run))


def _leak(experiment: Experiment, limits: tuple[int, int]) -> str:
    until = time.monotonic() + LEAK_SECONDS
    while True:
        held = used(experiment.running, experiment.proxy)
        kinds = zip(("socket", "thread"), held, limits, strict=True)
        over = [
            f"{plural(n, what)} ({most:,} in a burst)" for what, n, most in kinds if n > most + max(SLACK, most // 10)
        ]
        if not over:
            return ""
        if time.monotonic() > until:
            return f"the service still held {' and '.join(over)} {seconds(LEAK_SECONDS)} after its recovery"
        time.sleep(0.1)
