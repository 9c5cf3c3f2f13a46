"""The resilience check: each criterion on what was seen, and a live service whose HTTP dependency is broken."""

import json
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import psutil
import pytest

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.checks.resilience import criteria
from seatrial.checks.resilience.check import check
from seatrial.checks.resilience.experiment import fallback_of
from seatrial.checks.resilience.observation import Observation, Watched
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.engine import plan, run_case
from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.loadgen.results import ANSWERED, TIMED_OUT, LoadRun, RequestResult
from seatrial.policy.service import FailurePolicy, service_settings
from seatrial.trial import Trial
from tests.support.paths import SUPPORT
from tests.support.weather_service import NoScales, Scales, total, weigh

KINDS = {"a": 2.0, "b": 3.0, "c": 5.0}
DECLARED = {
    "timeout_ms": 500,
    "deadline_ms": 2_000,
    "reason_field": "reason",
    "circuit_breaker": False,
    "max_connections": 8,
}
RUN = 40


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"weight": KINDS[self.path[1:]]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def scales():
    """The address of a dependency that answers over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def trial(url, fault="", env=None, **settings):
    service = Service(
        command=[sys.executable, "-m", "uvicorn", "weather_service:app", "--port", "{port}", "--log-level", "warning"],
        env={"SCALES": "{scales.url}", "FAULT": fault} if env is None else env,
        cwd=SUPPORT,
    )
    pipeline = Pipeline(
        "weighed", key="id", weights=weigh, response=total, service=service,
        dependencies=[Dependency("scales", url, Scales, NoScales)],
    )  # fmt: skip
    kinds = [*KINDS, None] * 10
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "kind": kinds, "x": np.arange(1, 41) / 8})
    policy = Policy(service=service_settings({"dependencies": {"scales": {**DECLARED, **settings}}}))
    return Trial(pipeline, capture(pipeline, requests), policy=policy)


@pytest.fixture(scope="module")
def ground(scales):
    """What answers are held against: ten of the forty requests do not ask the scales."""
    made = trial(scales)
    return fallback_of(made, "scales", expected(made))


def seen(ground, *, degraded=True, seconds=0.1, change=lambda told: told, hits=1, lag=0.0, status=200, **watched):
    """A phase of forty requests, as a service that falls back as declared would have answered them, then changed."""
    due = np.arange(1, RUN + 1) / 10
    bodies = []
    for row in range(RUN):
        frame = ground.fallback if degraded and ground.uses[row] else ground.expected.frame
        told = {c: frame[c].iloc[row] for c in ("id", "total", "degraded")}
        told = {"id": told["id"], "total": float(told["total"]), "degraded": bool(told["degraded"])}
        told |= {"reason": "Lost."} if told["degraded"] else {}
        bodies.append(json.dumps(change(told)).encode())
    seconds = np.broadcast_to(seconds, RUN)
    lost = np.isinf(seconds)
    run = LoadRun(
        due, due + lag, np.where(lost, 99, due + lag + np.where(lost, 0, seconds)),
        np.broadcast_to(np.where(lost, 0, status), RUN).astype(np.int16),
        np.where(lost, TIMED_OUT, ANSWERED).astype(np.uint8), connections=80,
        answers=[
            RequestResult(n, int(np.broadcast_to(status, RUN)[n]), b) for n, b in enumerate(bodies) if not lost[n]
        ],
    )  # fmt: skip
    counted = Watched(0.0, **({"moments": [0.0, 4.0], "calls": [0, 0], "connections": [1, 1]} | watched))
    return Observation(ground, run, np.arange(RUN), counted, {}, hits)


def row(name):
    return next(r for r in scenarios_of(FailurePolicy(timeout_ms=500), "redis://127.0.0.1:6379") if r.name == name)


def found(name, what, slo=None):
    return [(b.criterion, b.evaluated) for b in criteria.under_fault(row(name), what, slo)]


def test_the_declared_fallback_is_computed_offline(ground):
    """The path in process with the fallback's client tells who asks the dependency, and what they must get."""
    assert ground.uses.sum() == 30
    assert (ground.fallback["total"] != ground.expected.frame["total"]).sum() == 30


def test_a_service_that_falls_back_as_declared_breaks_nothing(ground):
    """Labelled, with a reason, the declared values, in time, the others whole."""
    assert found("down", seen(ground)) == []
    assert found("latency_within", seen(ground, degraded=False)) == []


def test_a_fault_that_did_not_fire_is_never_a_pass(ground):
    """No hit, no judgement, whatever the answers were."""
    assert found("down", seen(ground, hits=0)) == [("fired", False)]


def unflagged(told):
    return {**told, "degraded": False}


def silent(told):
    return {k: v for k, v in told.items() if k != "reason"}


def other(told):
    return {**told, "total": told["total"] + told["degraded"]}


def spread(told):
    return {**told, "total": told["total"] + (not told["degraded"])}


@pytest.mark.parametrize(
    ("name", "change", "criterion"),
    [
        ("down", {"change": unflagged}, "labelled"),
        ("down", {"change": silent}, "labelled"),
        ("down", {"change": other}, "fallback-value"),
        ("down", {"change": spread}, "bystanders"),
        ("down", {"status": np.where(np.arange(RUN) == 7, 500, 200)}, "no-5xx"),
        ("down", {"status": np.where(np.arange(RUN) == 7, 429, 200)}, "no-5xx"),
        ("down", {"seconds": np.where(np.arange(RUN) % 8 == 0, 3.0, 0.1)}, "deadline"),
        ("down", {"seconds": np.where(np.arange(RUN) == 8, np.inf, 0.1)}, "deadline"),
        ("down", {"connections": [1, 9]}, "pool"),
        ("reset_peer", {"moments": [0.0, 0.5, 4.0], "calls": [0, 30, 30], "connections": [1] * 3}, "amplification"),
        ("latency_within", {}, "whole"),
    ],
)  # fmt: skip
def test_each_criterion_sees_its_own_fault(ground, name, change, criterion):
    """One thing wrong is one criterion broken, and no other."""
    assert found(name, seen(ground, **change)) == [(criterion, True)]


def test_a_lasting_fault_must_be_left_alone(ground):
    """Answers that wait for the whole time-out to the end show that nothing opened; early ones may."""
    ground = replace(ground, loss=ground.loss.model_copy(update={"circuit_breaker": True}))
    assert found("timeout", seen(ground, seconds=0.5)) == [("breaker", True)]
    assert found("timeout", seen(ground, seconds=np.where(np.arange(RUN) < 12, 0.5, 0.1))) == []
    assert found("down", seen(ground, seconds=0.5)) == []


def test_a_late_generator_blames_nobody_for_time(ground):
    """What would be a miss is not judged when the generator was late itself; values are judged all the same."""
    assert found("down", seen(ground, seconds=3.0, lag=0.5)) == [("deadline", False), ("bystanders", False)]
    assert found("down", seen(ground, lag=0.5, change=unflagged)) == [("labelled", True)]


def test_a_service_that_is_slow_by_itself_is_not_blamed_for_a_deadline_used_up(ground):
    """A fifth of the time-out is left for its own work; where that never was enough, nothing is shown."""
    assert found("latency_within", replace(seen(ground), usual=0.05)) == [("whole", True)]
    assert found("latency_within", replace(seen(ground), usual=0.2)) == [("whole", False)]


def test_without_a_declared_fallback_degraded_answers_are_not_judged(ground):
    """There is nothing to compare them with, and that is said."""
    bare = replace(ground, fallback=None, uses=np.ones(RUN, dtype=bool))
    phase = replace(seen(ground), ground=bare)
    assert ("fallback-value", False) in found("down", phase)


def asked(made):
    with made:
        ((_, case),) = plan([check], made)
        return run_case(check, made, case)


def test_answers_of_an_http_dependency_are_broken_too(scales):
    """Errors and nulls are refused by a service that looks, and it falls back as declared."""
    events = asked(trial(scales, faults=["errors", "nulls"], rate=20.0, fault_seconds=1.0))
    assert [e.message for e in events if isinstance(e, Finding)] == []
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    assert (evaluated.stage, evaluated.compared) == ("scales", 40)


def test_a_fallback_without_its_flag_is_found_and_placed(scales):
    """The service falls back and says nothing: found at the dependency, with the fault and the criterion."""
    before = set(psutil.Process().children(recursive=True))
    events = asked(trial(scales, fault="flag", faults=["errors"], rate=20.0, fault_seconds=1.0))
    findings = [e for e in events if isinstance(e, Finding)]
    assert {(f.stage, f.cause) for f in findings} == {("scales", "labelled")}
    assert findings[0].evidence["fault"] == "errors"
    assert set(psutil.Process().children(recursive=True)) <= before  # nothing is left behind
    ours = ("wire", "reverse proxy", "watch", "to 127.0.0.1")
    assert [t.name for t in threading.enumerate() if t.name.startswith(ours)] == []


def test_a_service_that_ignores_its_dependencys_address_is_not_judged(scales):
    """Its calls pass the proxy by, so no fault would fire, and it is said where the address belongs."""
    events = asked(trial(scales, env={"SCALES": scales}, faults=["errors"], rate=20.0))
    (told,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(told, NotEvaluated)
    assert "{scales.url}" in told.reason
