"""The contract check on a FastAPI service as its tutorial writes one: every error is a 5xx or a changed value."""

import json
import sys

import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Service, capture, run
from seatrial.events import Severity
from seatrial.policy.service import service_settings
from tests.support.paths import SUPPORT
from tests.support.textbook_service import churn

pytestmark = pytest.mark.server
LIMITS = {
    "not-a-number": "The framework repeats NaN in its own error, which JSON cannot hold.",
    "text with a lone surrogate": "The framework cannot write it as UTF-8.",
}


def raw(frame):
    records = pd.DataFrame([json.loads(p) for p in frame["payload"]])
    return records[["id", "age", "income"]].astype({"id": "string", "age": "int64", "income": "float64"})


def response(frame):
    return frame[["id"]].assign(churn=[churn(a, i) for a, i in zip(frame["age"], frame["income"], strict=True)])


def validate(app="app", **contract):
    command = [sys.executable, "-m", "uvicorn", f"textbook_service:{app}", "--port", "{port}", "--log-level", "warning"]
    pipeline = Pipeline("churn", key="id", raw=raw, response=response, service=Service(command, cwd=SUPPORT))
    customers = [{"id": f"c{n}", "age": 20 + n, "income": 30_000.5 + n * 997} for n in range(30)]
    plans = [{**c, "plan": "gold"} if n % 2 else c for n, c in enumerate(customers)]
    requests = pd.DataFrame({"payload": [json.dumps(c) for c in plans]})
    policy = Policy(service=service_settings({"contract": {"generated_requests": 20, **contract}}))
    return run(pipeline, capture(pipeline, requests), ["golden", "contract"], policy=policy)


def test_a_textbook_service_fails_for_what_it_answers_with_500_and_else_is_warned():
    """Lax numbers and unknown fields that are left out are what the framework does by default."""
    verdict = validate()
    errors = {(f.cause, f.column) for f in verdict.errors}
    assert errors == {("status-500", "id"), ("status-500", "age"), ("error-as-success", None)}
    warned = {f.cause for f in verdict.findings if f.severity is Severity.WARNING}
    assert warned == {"dtype-coercion", "not-a-number", "unknown-field"}
    assert verdict.not_evaluated == ()


def test_it_passes_with_the_limits_of_its_framework_allowed_by_name():
    verdict = validate(allow=LIMITS)
    assert verdict.outcome is Outcome.PASS, verdict.errors
    reasons = [f.message for f in verdict.findings if f.severity is Severity.INFO]
    assert sum("allowed: The framework" in message for message in reasons) == 4


def test_a_service_that_cuts_fractions_still_fails():
    """What changes a value in silence is no matter of taste."""
    verdict = validate("cutting", allow=LIMITS)
    assert ("truncation", "age") in {(f.cause, f.column) for f in verdict.errors}
