"""Golden over the wire: what a live service does to its answers is found, placed at the service, and named."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from seatrial import Dependency, Outcome, Pipeline, Service, capture, run
from seatrial.events import Severity
from seatrial.io.loading import load_file
from seatrial.policy.policy import Policy
from tests.support.paths import SUPPORT

TINY = SUPPORT / "tiny_service.py"
tiny = load_file(TINY)
ROWS = 60


def parse(frame):
    records = [json.loads(text) for text in frame["payload"]]
    return pd.DataFrame(
        {"id": [r["id"] for r in records], "x": [r["x"] for r in records], "at": [r["at"] for r in records]}
    ).astype({"id": "string", "x": "float64", "at": "string"})


def respond(frame):
    records = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    said = pd.DataFrame([tiny.answer(r) for r in records])
    said["at"] = pd.to_datetime(said["at"], utc=True)
    return said.astype({"id": "string", "level": "category", "score": "float64", "count": "int32"})


def with_serial(frame):
    return respond(frame).assign(serial=lambda f: tiny.FIRST + f["count"].astype("int64"))


def requests(rows=ROWS):
    rng = np.random.default_rng(4)
    xs = [None if n % 10 == 3 else float(rng.normal()) for n in range(rows)]
    at = [f"2025-03-{1 + n % 28:02d}T10:{n % 60:02d}:00+00:00" for n in range(rows)]
    texts = [json.dumps({"id": f"t{n}", "x": xs[n], "at": at[n]}) for n in range(rows)]
    return pd.DataFrame({"payload": texts}, dtype="string")


def validate(fault, golden=None, *, last=respond, batch="/batch", checks=("golden",), **more):
    """Capture a clean reference, start the service with a fault, and return the verdict of the golden check."""
    service = Service(
        [sys.executable, str(TINY), "{port}", fault], predict="/score", batch=batch, ready_seconds=60, cwd=TINY.parent
    )
    pipeline = Pipeline("tiny", key="id", raw=parse, response=last, service=service, **more)
    reference = capture(pipeline, requests())
    contract = {"seconds": (golden or {}).get("seconds", 10), "generated": 0}
    policy = Policy(service={"golden": {"batch": 16, **(golden or {})}, "contract": contract})
    return run(pipeline, reference, list(checks), policy=policy)


def origins(verdict):
    return [f for f in verdict.findings if f.severity is Severity.ERROR and not f.downstream]


def test_a_clean_service_passes_in_every_way_of_answering():
    """Lists, envelopes, single requests, answers without keys and another offset of the same instant are all right."""
    for fault, batch in (("none", "/batch"), ("envelope", "/batch"), ("none", None), ("keyless", "/batch"),
                         ("other-offset", None)):  # fmt: skip
        verdict = validate(fault, batch=batch)
        assert verdict.outcome is Outcome.PASS, (fault, verdict.findings, verdict.not_evaluated)
        assert verdict.path[-1] == "service"
        evaluated = next(j for j in verdict.evaluated if j.stage == "service")
        assert evaluated.compared >= ROWS * 6 * (2 if batch else 1)


@pytest.mark.parametrize(
    ("fault", "column", "cause", "said"),
    [
        ("narrow", "score", "float32-round-trip", "round trip through float32"),
        ("narrow-input", "score", "float32-round-trip", "when the numbers of 'raw' are cast to float32"),
        ("null-input", "score", "null-handling", "when the nulls of 'raw' are replaced by zero"),
        ("round", "score", "rounding", "rounded to 2 decimals"),
        ("null-as-zero", "score", "default-fill", "replaces null"),
        ("text", "count", "dtype-coercion", "string in place of int64"),
        ("bool-as-int", "big", "dtype-coercion", "in place of bool"),
        ("no-offset", "at", "dtype-coercion", "timestamp in place of timestamp[UTC]"),
        ("renamed", "level", "missing-column", "'level' is missing"),
        ("varying", "answered_at", "extra-column", "'answered_at' is new"),
        ("batch", "score", "batch-effect", "The same requests sent one by one match the reference"),
        ("keyless-reordered", "count", "misaligned-rows", "in other rows"),
    ],
)
def test_what_the_wire_does_is_found_placed_and_named(fault, column, cause, said):
    """The finding stands at the service, names the column and the cause, and the path in process is not blamed."""
    verdict = validate(fault)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.first_failing_stage == "service"
    finding = next(f for f in origins(verdict) if f.column == column)
    assert (finding.stage, finding.cause) == ("service", cause)
    assert said in finding.message


def test_a_column_is_reported_once_for_both_request_modes():
    """What is wrong one by one and in batches alike is one finding."""
    assert len([f for f in origins(validate("narrow")) if f.column == "score"]) == 1


def test_integers_beyond_doubles_are_found_sent_or_lost():
    """2^53 + 1 as a JSON number is a finding; the digits lost on the way are another, with their cause."""
    wide = validate("wide", last=with_serial)
    assert [(f.column, f.cause) for f in origins(wide)] == [("serial", "json-integer")]
    allowed = validate("wide", {"wide_integers": ["serial"]}, last=with_serial)
    assert allowed.outcome is Outcome.PASS, allowed.findings
    lost = validate("double", {"wide_integers": ["serial"]}, last=with_serial)
    finding = next(f for f in origins(lost) if f.column == "serial")
    assert "lost digits through float64" in finding.message


def test_declared_fields_may_vary_and_a_misspelt_one_is_reported():
    """What is declared is not compared; a declared field that no answer has is a warning."""
    assert validate("varying", {"varying": ["answered_at"]}).outcome is Outcome.PASS
    verdict = validate("none", {"varying": ["answerd_at"]})
    assert verdict.outcome is Outcome.PASS
    assert [f.column for f in verdict.findings] == ["answerd_at"]


def test_a_batch_in_another_order_is_a_warning_when_answers_carry_their_keys():
    """Rows are matched by key, so the values hold; who reads by position is warned."""
    verdict = validate("reordered")
    assert verdict.outcome is Outcome.PASS
    assert [f.cause for f in verdict.findings] == ["row-order"]


@pytest.mark.parametrize(
    ("fault", "cause", "said"),
    [
        ("crashes", "status-500", "6 of 60 requests (10 %) got no usable answer. The service answered 500"),
        ("refuses", "status-422", "It refuses 'x'"),
        ("nan", "no-answer", "it holds NaN, which JSON does not have"),
        ("short", "no-answer", "gave 15 answers to 16 requests"),
    ],
)
def test_requests_without_a_usable_answer_are_findings(fault, cause, said):
    """A status, broken JSON and a short batch are reported by kind with their keys, and no value of a row."""
    verdict = validate(fault, batch=None if fault in ("crashes", "refuses") else "/batch")
    assert verdict.outcome is Outcome.FAIL
    finding = next(f for f in origins(verdict) if f.cause == cause)
    assert said in finding.message
    assert "secret value" not in verdict.to_json()
    assert finding.evidence["keys"]


def test_a_service_killed_in_the_middle_is_a_finding_and_leaves_nothing():
    """The finding says how it ended and after how many answers."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    verdict = validate("dies", batch=None)
    died = next(f for f in origins(verdict) if f.cause == "service-died")
    assert "The service ended with signal 9 after" in died.message
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("gigabyte", "The answer is 1,073,741,824 bytes long; at most"),
        ("endless", "The answer does not end within|gave no whole answer within 1 s"),
        ("drips", "gave no whole answer within 1 s"),
        ("cut", "The answer is not JSON"),
        ("elsewhere", "redirects to another host, '203.0.113.7'"),
    ],
)
def test_an_answer_that_cannot_be_read_ends_as_a_finding_and_leaves_nothing(fault, said):
    """Golden fails with the words, contract finds nothing that it could probe, and no process is left."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    ends = fault not in ("endless", "drips")  # contract waits for each of its requests by itself
    checks = ("golden", "contract") if ends else ("golden",)
    verdict = validate(fault, {"seconds": 30 if ends else 1}, batch=None, checks=checks)
    assert verdict.outcome is Outcome.FAIL
    found = [f.message for f in origins(verdict) if f.check == "golden"]
    assert found
    assert all(re.search(said, words) for words in found), found
    if ends:
        assert [u.check for u in verdict.not_evaluated] == ["contract"] or "not-json" in {
            f.cause for f in verdict.errors
        }
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


def test_a_service_that_hangs_is_given_up():
    """A few requests run into their deadline and the rest are not waited for."""
    verdict = validate("hangs", {"seconds": 0.3}, batch=None)
    finding = origins(verdict)[0]
    assert finding.cause == "no-answer"
    assert "gave no whole answer within 0.3 s" in finding.message


def test_a_request_answered_degraded_for_a_moment_is_retried_and_reported():
    """A dependency that was slow is no fault of the version: the second answer is compared, the retry recorded."""
    verdict = validate("slow-start")
    assert verdict.outcome is Outcome.PASS
    assert [(f.cause, f.severity) for f in verdict.findings] == [("degraded", Severity.INFO)]
    assert next(m.value for m in verdict.measurements if m.name == "retried in batches") > 0


def test_answers_that_stay_degraded_fail_the_version(monkeypatch):
    """They are reported once as degraded, and not as differences of every column."""
    monkeypatch.setattr("seatrial.checks.serving.comparison.WAITS_SECONDS", (0.01,))
    verdict = validate("degraded")
    assert [f.cause for f in origins(verdict)] == ["degraded"]
    assert "60 of 60 answers (100 %) stay degraded" in origins(verdict)[0].message


def test_a_difference_of_the_path_is_not_blamed_on_the_wire():
    """Where service and path agree and the record differs, the service's finding is downstream."""
    service = Service([sys.executable, str(TINY), "{port}", "none"], predict="/score", ready_seconds=60)
    before = Pipeline("tiny", key="id", raw=parse, response=lambda f: respond(f).assign(score=lambda r: r["score"] * 2))
    after = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    verdict = run(after, capture(before, requests()), ["golden"])
    assert verdict.outcome is Outcome.FAIL
    assert not origins(verdict)
    live = [f for f in verdict.findings if f.stage == "service"]
    assert live
    assert all(f.downstream for f in live)
    assert "The path in process gives the same values" in live[0].message


def test_a_dependency_that_changed_since_is_named(tmp_path):
    """When the path with today's answers gives what the service gives, the finding stands at the dependency."""
    rates = tmp_path / "rates.json"

    class Rates:
        def __init__(self, url):
            self.path = Path(url.removeprefix("file://"))

        def rate(self, name):
            return json.loads(self.path.read_text())[name]

    def respond_with(frame, rates):
        return respond(frame.assign(x=frame["x"] * rates.rate("x")))

    rates.write_text('{"x": 2.0}')
    service = Service([sys.executable, str(TINY), "{port}", "none"], predict="/score", ready_seconds=60)
    pipeline = Pipeline(
        "tiny", key="id", raw=parse, response=respond_with, service=service,
        dependencies=[Dependency("rates", f"file://{rates}", Rates)],
    )  # fmt: skip
    reference = capture(pipeline, requests())
    rates.write_text('{"x": 1.0}')
    verdict = run(pipeline, reference, ["golden"])
    assert verdict.first_failing_stage == "rates"
    assert next(f for f in origins(verdict)).cause == "stale-values"


def test_without_the_model_s_path_the_service_case_is_not_planned():
    """A service that loads a model cannot be started for a model in memory: the case is not planned."""
    service = Service(["nothing", "{port}"], env={"MODEL": "{model.path}"})
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    verdict = run(pipeline, capture(pipeline, requests()), ["golden"])
    assert verdict.outcome is Outcome.PASS
    assert "service" not in verdict.path


def test_a_service_that_cannot_start_is_never_a_pass():
    """One that ends by itself fails the version; one that is not there is inconclusive."""
    for command, outcome in (
        ([sys.executable, "-c", "raise SystemExit(2)", "{port}"], Outcome.FAIL),
        (["not-installed", "{port}"], Outcome.INCONCLUSIVE),
    ):
        pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=Service(command))
        assert run(pipeline, capture(pipeline, requests()), ["golden"]).outcome is outcome
