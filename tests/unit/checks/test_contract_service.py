"""The contract check on a service in this process: probes, a document that is none, and a consumer's examples."""

import pytest

from seatrial import Outcome, Pipeline, Policy, Service, capture, run
from seatrial.events import Severity
from seatrial.policy.consumers import Example, Pinned
from seatrial.policy.service import service_settings
from tests.support.tiny import in_process, parse, requests, respond

BODY = {"id": "t1", "x": 3.0, "at": "2025-03-01T10:00:00+00:00"}


def validate(fault, *, openapi=None, pinned=None):
    """Return the verdict of the contract check on the service with a fault."""
    declared = Service(["never", "started", "{port}"], predict="/score", openapi=openapi)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=declared)
    policy = Policy(service=service_settings({}), pinned=pinned or Pinned())
    frame = requests(20)
    reference = capture(pipeline, frame[~frame["payload"].str.contains("null")].reset_index(drop=True))
    return run(pipeline, reference, ["contract"], policy=policy, service=in_process(fault, batch=None))


def test_a_500_is_a_finding_without_any_document():
    """The types of its fields are learned from the recorded requests; no request may end with status 500."""
    verdict = validate("crashes")
    (finding,) = (f for f in verdict.errors if f.cause == "status-500")
    assert "'x'" in finding.message
    assert "a list in place of one value" in finding.message
    assert verdict.not_evaluated == ()


@pytest.mark.parametrize(
    ("pinned", "severity"),
    [(Pinned(), Severity.WARNING), (Pinned(openapi={"openapi": "3.1.0", "paths": {}}), Severity.ERROR)],
)
def test_a_document_that_is_no_openapi_is_a_finding(pinned, severity):
    """A path that returns something else gives a warning, and an error where a document is pinned."""
    verdict = validate("none", openapi="/openapi.json", pinned=pinned)
    (finding,) = (f for f in verdict.findings if f.cause == "no-openapi")
    assert finding.severity is severity


def test_a_consumer_example_is_replayed():
    """The status, and each field that the consumer reads."""
    fine = Example("shop/fine", BODY, response={"id": "t1", "score": 2.0, "level": "high"})
    percent = Example("shop/percent", BODY, response={"score": 200.0})
    gone = Example("shop/gone", BODY, status=404)
    verdict = validate("none", pinned=Pinned((fine, percent, gone)))
    found = {(f.evidence["example"], f.column, f.cause) for f in verdict.findings if "example" in f.evidence}
    assert found == {("shop/percent", "score", "unit-factor"), ("shop/gone", None, "status-200")}


def test_an_example_that_is_met_is_no_finding():
    """A correct service passes with its consumers' examples."""
    verdict = validate("none", pinned=Pinned((Example("shop/fine", BODY, response={"score": 2.0}),)))
    assert verdict.outcome is not Outcome.INCONCLUSIVE
    assert not [f for f in verdict.findings if "example" in f.evidence]
