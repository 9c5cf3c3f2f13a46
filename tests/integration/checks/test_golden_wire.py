"""Golden over the wire: what a live service does to its answers is found, placed at the service, and named."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from seatrial import Dependency, Outcome, Pipeline, Service, capture, run
from seatrial.events import Severity
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets.inprocess import InProcessService
from tests.support import tiny
from tests.support.tiny import ROWS, in_process, parse, requests, respond


def with_serial(frame):
    return respond(frame).assign(serial=lambda f: tiny.service.FIRST + f["count"].astype("int64"))


def validate(fault, golden=None, *, last=respond, batch="/batch"):
    """Capture a clean reference, and return the verdict of golden on the service with a fault."""
    pipeline = Pipeline("tiny", key="id", raw=parse, response=last)
    policy = Policy(service=service_settings({"golden": {"batch_size": 16, **(golden or {})}}))
    return run(
        pipeline, capture(pipeline, requests()), ["golden"], policy=policy, service=in_process(fault, batch=batch)
    )


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
        ("renamed", "level", "renamed-column", "'level' is called 'grade'"),
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


class LazyStore:
    """A client that connects with its first call, as many do."""

    down = False

    def __init__(self, url):
        pass

    def rate(self):
        if self.down:
            raise ConnectionRefusedError("no store here")
        return 1.0


@pytest.mark.parametrize("down", [False, True])
def test_answers_that_stay_degraded_without_a_dependency_are_not_evaluated(down, monkeypatch):
    """The dependency is asked what it was asked at capture: that a client could be made says nothing."""
    monkeypatch.setattr("seatrial.checks.serving.comparison.WAITS_SECONDS", (0.01,))

    def last(frame, store):
        store.rate()
        return respond(frame)

    store = Dependency("store", url="tcp://127.0.0.1:1", connect=LazyStore)
    pipeline = Pipeline("tiny", key="id", raw=parse, response=last, dependencies=[store])
    reference = capture(pipeline, requests())
    monkeypatch.setattr(LazyStore, "down", down)
    verdict = run(pipeline, reference, ["golden"], service=in_process("degraded", batch="/batch"))
    assert verdict.outcome is (Outcome.INCONCLUSIVE if down else Outcome.FAIL)
    assert [f.cause for f in origins(verdict)] == ([] if down else ["degraded"])
    assert ("stay degraded" in verdict.summary) is True


def test_a_difference_of_the_path_is_not_blamed_on_the_wire():
    """Where service and path agree and the record differs, the service's finding is downstream."""
    before = Pipeline("tiny", key="id", raw=parse, response=lambda f: respond(f).assign(score=lambda r: r["score"] * 2))
    after = Pipeline("tiny", key="id", raw=parse, response=respond)
    verdict = run(after, capture(before, requests()), ["golden"], service=in_process("none"))
    assert verdict.outcome is Outcome.FAIL
    assert {f.stage for f in origins(verdict)} == {"response"}
    assert all(f.downstream for f in verdict.errors if f.stage == "service")
    live = [f for f in verdict.findings if f.stage == "service"]
    assert live
    assert all(f.downstream for f in live)
    assert "The path in process gives the same values" in live[0].message


class Sharing(httpx.AsyncBaseTransport):
    """A service whose requests share a variable across an ``await``; ``wrong`` makes every answer wrong besides."""

    def __init__(self, *, wrong: float = 0.0):
        self.record, self.wrong = {}, wrong

    async def handle_async_request(self, request):
        if request.method == "GET":
            return httpx.Response(200, json={"status": "ok"})
        own = self.record = json.loads(await request.aread())
        for _ in range(3):
            await asyncio.sleep(0)
        if isinstance(own, list):
            shared = self.record if isinstance(self.record, list) else [self.record]
            return httpx.Response(200, json=[self.answer(one, shared[n % len(shared)]) for n, one in enumerate(own)])
        return httpx.Response(200, json=self.answer(own, self.record))

    def answer(self, own, shared):
        answer = tiny.service.answer({**own, "x": shared["x"]})
        if answer["score"] is not None:
            answer["score"] += self.wrong
        return answer


@pytest.mark.parametrize("batch", [None, "/scores"])
@pytest.mark.parametrize(("wrong", "concurrency"), [(0.0, True), (0.25, False)])
def test_state_that_concurrent_requests_share_is_told_from_a_wrong_value(wrong, concurrency, batch):
    """Right when it is sent again alone, one request or the same batch, means concurrency; wrong again does not."""
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond)
    target = InProcessService(Sharing(wrong=wrong), path="/score", key="id", batch=batch)
    policy = Policy(service=service_settings({"golden": {"batch_size": 4}}))
    verdict = run(pipeline, capture(pipeline, requests()), ["golden"], service=target, policy=policy)
    finding = next(f for f in origins(verdict) if f.column == "score")
    assert finding.stage == "service"
    assert (finding.cause == "concurrency") is concurrency
    assert ("sent again, one at a time, match the reference" in finding.message) is concurrency


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
    pipeline = Pipeline(
        "tiny", key="id", raw=parse, response=respond_with,
        dependencies=[Dependency("rates", f"file://{rates}", Rates)],
    )  # fmt: skip
    reference = capture(pipeline, requests())
    rates.write_text('{"x": 1.0}')
    verdict = run(pipeline, reference, ["golden"], service=in_process("none"))
    assert verdict.first_failing_stage == "rates"
    assert next(f for f in origins(verdict)).cause == "stale-values"


def test_without_the_model_s_path_the_service_case_is_not_planned():
    """A service that loads a model cannot be started for a model in memory: the case is not planned."""
    service = Service(["nothing", "{port}"], env={"MODEL": "{model.path}"})
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=service)
    verdict = run(pipeline, capture(pipeline, requests()), ["golden"])
    assert verdict.outcome is Outcome.PASS
    assert "service" not in verdict.path
