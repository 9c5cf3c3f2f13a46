"""The resilience check on a service whose requests and answers stand in an envelope."""

from dataclasses import replace

from seatrial.events import Evaluated
from tests.integration.checks.test_resilience import evaluate, scales, trial
from tests.integration.checks.test_resilience_addresses import QUICK, results
from tests.integration.checks.test_resilience_partial import broken

__all__ = ["scales"]


def enveloped(url, fault="", **settings):
    made = trial(url, fault, **QUICK | settings)
    made.pipeline.service = replace(made.pipeline.service, predict="/instances", envelope="instances")
    return made


def test_faults_are_asked_in_the_envelope_of_the_service(scales):
    """A clean service has no finding, and one without the flag has it."""
    events = evaluate(enveloped(scales, faults=["down"]))
    assert results(events) == ([], [])
    assert [e.compared for e in events if isinstance(e, Evaluated)] == [20]
    told = broken(enveloped(scales, "flag"), ["down"])
    assert [v.criterion for v in told["down"]] == ["degraded-flag"]
