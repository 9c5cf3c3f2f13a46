"""The contract check on services as tutorials write them: no finding of a field that is not read, and what to allow."""

import json

import httpx
import pandas as pd

from seatrial import Outcome, Pipeline, Policy, Service, capture, run
from seatrial.checks.contract.allowances import allowed
from seatrial.checks.contract.findings import findings
from seatrial.checks.contract.judge import Problem
from seatrial.events import Severity
from seatrial.policy.service import service_settings
from seatrial.targets.http import Http
from seatrial.targets.inprocess import InProcessService
from seatrial.targets.mlflow import MLflow


def raw(frame):
    records = pd.DataFrame([json.loads(text) for text in frame["payload"]])
    return records[["id", "x"]].astype({"id": "string", "x": "float64"})


def response(frame):
    return frame[["id"]].assign(score=frame["x"] * 2)


def validate(handler, allow=None, service=None, **fields):
    declared = Service(["never", "started", "{port}"], openapi=None)
    pipeline = Pipeline("tiny", key="id", raw=raw, response=response, service=declared)
    requests = pd.DataFrame({"payload": [json.dumps({"id": f"r{n}", "x": 0.5 + n, **fields}) for n in range(10)]})
    policy = Policy(service=service_settings({"contract": {"allow": allow or {}}}))
    here = service or InProcessService(handler, key="id")
    return run(pipeline, capture(pipeline, requests), ["contract"], policy=policy, service=here)


def lax(request):
    """Reads what it needs and nothing else, and checks nothing: what it raises is a 500."""
    return httpx.Response(200, json={"score": float(json.loads(request.content)["x"]) * 2})


def test_a_field_that_the_service_does_not_read_is_information():
    """Its answer without the field is no other, so that no value was changed in silence."""
    verdict = validate(lax)
    of_key = {(f.cause, f.severity) for f in verdict.findings if f.column == "id"}
    assert ("unread-field", Severity.INFO) in of_key
    assert not {"first-value", "dtype-coercion"} & {cause for cause, _ in of_key}


def test_a_list_read_as_its_first_value_is_still_an_error():
    def first(request):
        told = json.loads(request.content)
        value = told["x"][0] if isinstance(told["x"], list) else told["x"]
        return httpx.Response(200, json={"id": told["id"], "score": value * 2.0})

    assert ("first-value", "x") in {(f.cause, f.column) for f in validate(first).errors}


def test_an_answer_that_another_value_gets_too_shows_no_change():
    """``["low"]`` is not ``"high"``, and neither is ``"low"``: the service did not take the first value of the list."""

    def compared(request):
        told = json.loads(request.content)
        return httpx.Response(200, json={"id": told["id"], "score": 2.0 if told["band"] == "high" else told["x"] * 2})

    found = [f for f in validate(compared, band="low").findings if (f.cause, f.column) == ("first-value", "band")]
    assert [f.severity for f in found] == [Severity.WARNING]
    assert "the answer is the same for another value too" in found[0].message


def test_the_advice_gives_the_line_that_makes_it_pass():
    """One line for all that a service without a parser of its own answers with 500."""
    of_field, of_body = validate(lax).errors
    assert all('"status-500" = "the reason"' in error.advice for error in (of_field, of_body))
    assert "x: a list in place of one value" in of_field.evidence["probes"]
    verdict = validate(lax, allow={"status-500": "Callers are our own."})
    assert verdict.outcome is Outcome.PASS, verdict.errors


def problem(probe, description, field="x"):
    return Problem("status-500", field, description, probe=probe)


def test_few_probes_are_allowed_by_their_own_names():
    (two,) = findings("contract", [problem("malformed", what) for what in ("half a request", "an empty body")])
    assert two.advice.endswith('"half a request" = "the reason", "an empty body" = "the reason".')
    several = [problem("not-a-number", what) for what in ("NaN", "Infinity", "1e999")]
    (finding,) = findings("contract", [*several, problem("text", "a surrogate")])
    assert finding.advice.endswith('"not-a-number" = "the reason", "a surrogate" = "the reason".')
    generated = [problem("generated", "a generated request")]
    assert '"status-500" = "the reason"' in next(findings("contract", generated)).advice


def test_a_problem_of_fields_and_of_the_whole_body_says_both():
    several = [problem("null", "null", field) for field in "abcd"] + [problem("malformed", "an empty body", None)]
    (finding,) = findings("contract", several)
    assert finding.message.startswith("For fields 'a', 'b', 'c', 'd', and for the request as a whole, the service")
    assert "For" not in next(findings("contract", [problem("malformed", "an empty body", None)])).message


def test_a_request_of_the_reference_without_an_answer_cannot_be_allowed():
    """An allowance of 500 is of probes, and nobody may allow what callers send."""
    own = problem("request", "a request of the reference", None)
    assert allowed(own, {"status-500": "why not"}) == own
    assert allowed(problem("null", "null"), {"status-500": "ours"}).severity is Severity.INFO
    assert "allow it" not in next(findings("contract", [own])).advice


def test_a_model_server_gets_no_key_and_the_path_in_process_gets_one():
    """Whether the path accepts a probe is told of the probe, and not of the key that the envelope leaves out."""

    class Root(Http):
        def _connect(self, limits):
            return httpx.MockTransport(serve)

    class Server(Root, MLflow):
        def root(self, **options):
            return Root("http://in-process/", pace=self.pace, **options)

    def serve(request):
        try:
            records = json.loads(request.content)["dataframe_records"]
            return httpx.Response(200, json={"predictions": [float(record["x"]) * 2 for record in records]})
        except (ValueError, TypeError, KeyError, RecursionError):
            return httpx.Response(400)

    verdict = validate(None, service=Server("http://in-process", key="id"))
    (coerced,) = (f for f in verdict.findings if (f.cause, f.column) == ("dtype-coercion", "x"))
    assert "the path in process accepts it too" in coerced.message
