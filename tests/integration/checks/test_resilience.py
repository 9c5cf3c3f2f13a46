"""The resilience check: each criterion on an observation, and a live service whose HTTP dependency is broken."""

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
from seatrial.checks.engine import plan, run_case
from seatrial.checks.resilience import criteria
from seatrial.checks.resilience.check import check
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.monitor import ResourceUsage
from seatrial.checks.resilience.observation import Observation
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.checks.serving.service import serve
from seatrial.events import Evaluated, Finding, NotEvaluated, Severity
from seatrial.events.local import LocalEvidence
from seatrial.loadgen.results import ANSWERED, TIMED_OUT, LoadRun, RequestResult
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support.engine import Containers
from tests.support.paths import SUPPORT
from tests.support.serving import in_thread
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
    with in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


def trial(url, fault="", env=None, weights=weigh, **settings):
    service = Service(
        command=[sys.executable, "-m", "uvicorn", "weather_service:app", "--port", "{port}", "--log-level", "warning"],
        env={"SCALES": "{scales.url}", "FAULT": fault} if env is None else env,
        cwd=SUPPORT,
    )
    pipeline = Pipeline(
        "weighed", key="id", weights=weights, response=total, service=service,
        dependencies=[Dependency("scales", url, Scales, NoScales)],
    )  # fmt: skip
    kinds = [*KINDS, None] * 10
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "kind": kinds, "x": np.arange(1, 41) / 8})
    policy = Policy(service=service_settings({"dependencies": {"scales": {**DECLARED, **settings}}}))
    return Trial(pipeline, capture(pipeline, requests), policy=policy)


@pytest.fixture(scope="module")
def baseline(scales):
    """What answers are compared with: ten of the forty requests do not use the scales."""
    made = trial(scales)
    return baseline_of(made, ["scales"], expected(made), made.policy.failure_policy("scales"))


def seen(baseline, *, degraded=True, seconds=0.1, change=lambda answer: answer, hits=1, lag=0.0, status=200, **usage):
    """A phase of forty requests, as a service that falls back as declared would have answered them, then changed."""
    due = np.arange(1, RUN + 1) / 10
    bodies = []
    for row in range(RUN):
        frame = baseline.fallback if degraded and baseline.uses[row] else baseline.expected.frame
        answer = {c: frame[c].iloc[row] for c in ("id", "total", "degraded")}
        answer = {"id": answer["id"], "total": float(answer["total"]), "degraded": bool(answer["degraded"])}
        answer |= {"reason": "Lost."} if answer["degraded"] else {}
        bodies.append(json.dumps(change(answer)).encode())
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
    counted = ResourceUsage(0.0, **({"moments": [0.0, 4.0], "calls": [0, 0], "connections": [1, 1]} | usage))
    return Observation(baseline, run, np.arange(RUN), counted, {}, hits)


def row(name):
    return next(r for r in scenarios_of(FailurePolicy(timeout_ms=500), "redis://127.0.0.1:6379") if r.name == name)


def found(name, what, slo=None):
    return [(v.criterion, v.evaluated) for v in criteria.under_fault(row(name), what, slo)]


def test_the_declared_fallback_is_computed_offline(baseline):
    """The path in process with the fallback's client shows who uses the dependency, and the degraded answers."""
    assert baseline.uses.sum() == 30
    assert (baseline.fallback["total"] != baseline.expected.frame["total"]).sum() == 30


def test_a_service_that_falls_back_as_declared_breaks_nothing(baseline):
    """Flagged, with a reason, the declared values, in time; the other answers match the reference."""
    assert found("down", seen(baseline)) == []
    assert found("latency_within", seen(baseline, degraded=False, seconds=0.5)) == []


def test_a_fault_that_was_never_applied_is_no_pass(baseline):
    """Without a hit nothing is evaluated, whatever the answers were."""
    assert found("down", seen(baseline, hits=0)) == [("fault-applied", False)]


def test_a_fault_that_moves_no_answer_that_needs_the_dependency_is_no_pass(baseline):
    """Only heartbeats met it, or the data is cached; a service that caches may say so."""
    unmoved = seen(baseline, degraded=False)
    assert found("down", unmoved) == [("fault-applied", False)]
    assert found("latency_within", seen(baseline, degraded=False, seconds=0.1)) == [("fault-applied", False)]
    assert found("latency_within", seen(baseline, degraded=False, seconds=0.5)) == []
    assert found("slicer", unmoved) == []
    cached = replace(baseline, policy=baseline.policy.model_copy(update={"cached": True}))
    assert found("down", replace(unmoved, baseline=cached)) == []
    table = criteria.states(row("down"), unmoved, list(criteria.under_fault(row("down"), unmoved, None)))
    assert set(table.values()) == {"not evaluated"}


def unflagged(answer):
    return {**answer, "degraded": False}


def silent(answer):
    return {k: v for k, v in answer.items() if k != "reason"}


def other(answer):
    return {**answer, "total": answer["total"] + answer["degraded"]}


def spread(answer):
    return {**answer, "total": answer["total"] + (not answer["degraded"])}


@pytest.mark.parametrize(
    ("name", "change", "criterion"),
    [
        ("down", {"change": unflagged}, "degraded-flag"),
        ("down", {"change": silent}, "degraded-flag"),
        ("down", {"change": other}, "fallback-value"),
        ("down", {"change": spread}, "unaffected"),
        ("down", {"status": np.where(np.arange(RUN) == 7, 500, 200)}, "no-5xx"),
        ("down", {"status": np.where(np.arange(RUN) == 7, 429, 200)}, "no-5xx"),
        ("down", {"seconds": np.where(np.arange(RUN) % 8 == 0, 3.0, 0.1)}, "deadline"),
        ("down", {"seconds": np.where(np.arange(RUN) == 8, np.inf, 0.1)}, "deadline"),
        ("down", {"connections": [1, 9]}, "pool"),
        ("reset_peer", {"moments": [0.0, 0.5, 4.0], "calls": [0, 30, 30], "connections": [1] * 3}, "amplification"),
        ("latency_within", {}, "needless-fallback"),
    ],
)  # fmt: skip
def test_each_criterion_detects_its_own_violation(baseline, name, change, criterion):
    """One thing wrong violates one criterion and no other."""
    assert found(name, seen(baseline, **change)) == [(criterion, True)]


def test_what_a_stall_of_the_machine_can_violate_is_told_apart(baseline):
    """A stall makes all answers late, also where the dependency is not used; no stall changes a value."""
    stalled = criteria.under_fault(row("down"), seen(baseline, seconds=3.3), None)
    assert {v.criterion: v.timed for v in stalled} == {"deadline": True, "unaffected": True}
    changed = criteria.under_fault(row("down"), seen(baseline, change=spread), None)
    assert {v.criterion: v.timed for v in changed} == {"unaffected": False}


def test_a_lasting_fault_must_open_a_circuit_breaker(baseline):
    """Answers that wait for the whole time-out to the end show that none opened; early answers may wait."""
    baseline = replace(baseline, policy=baseline.policy.model_copy(update={"circuit_breaker": True}))
    assert found("timeout", seen(baseline, seconds=0.5)) == [("circuit-breaker", True)]
    assert found("timeout", seen(baseline, seconds=np.where(np.arange(RUN) < 12, 0.5, 0.1))) == []
    assert found("down", seen(baseline, seconds=0.5)) == []
    slow = replace(seen(baseline, seconds=0.9), usual_seconds=0.9)  # it takes as long without a fault
    assert found("timeout", slow) == [("circuit-breaker", False)]


def test_a_late_generator_makes_times_not_evaluated(baseline):
    """Times are not evaluated when the generator itself was late; values still are."""
    assert found("down", seen(baseline, seconds=3.0, lag=0.5)) == [("deadline", False), ("unaffected", False)]
    assert found("down", seen(baseline, lag=0.5, change=unflagged)) == [("degraded-flag", True)]


def test_a_service_that_is_slow_without_a_fault_makes_a_needless_fallback_not_evaluated(baseline):
    """A fifth of the time-out is left for its own work; where that never was enough, the fault shows nothing."""
    assert found("latency_within", replace(seen(baseline), usual_seconds=0.05)) == [("needless-fallback", True)]
    assert found("latency_within", replace(seen(baseline), usual_seconds=0.2)) == [("needless-fallback", False)]


def test_without_a_declared_fallback_degraded_answers_are_not_evaluated(baseline):
    """There is nothing to compare them with, and the reason is given."""
    bare = replace(baseline, fallback=None, uses=np.ones(RUN, dtype=bool))
    phase = replace(seen(baseline), baseline=bare)
    assert ("fallback-value", False) in found("down", phase)


def evaluate(made):
    with made:
        ((_, case),) = plan([check], made)
        return run_case(check, made, case)


def test_faults_on_answers_of_an_http_dependency(scales):
    """Errors and nulls are refused by a service that validates them, and it falls back as declared."""
    events = evaluate(trial(scales, faults=["errors", "nulls"], rate=20.0, fault_seconds=1.0))
    assert [e.message for e in events if isinstance(e, Finding)] == []
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    assert (evaluated.stage, evaluated.compared) == ("scales", 40)


RUN_IT = ["docker", "run", "--name", "{name}", "-p", "127.0.0.1:{port}:80", "-e", "SCALES={scales.url}", "weather"]


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """An engine with an image of the service, which reads its address of the scales."""
    serve = f"import os, sys; sys.path[:0] = [{str(SUPPORT)!r}]; import uvicorn; print('scales', os.environ['SCALES'])"
    run = "uvicorn.run('weather_service:app', port=int(os.environ['PORT']), log_level='warning')"
    with Containers(tmp_path, {"weather": [sys.executable, "-u", "-c", f"{serve}; {run}"]}) as made:
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        yield made


def contained(url, resilience):
    made = trial(url, faults=["down"], rate=20.0, fault_seconds=1.0)
    service = Service(RUN_IT, stop=["docker", "rm", "-f", "{name}"])
    object.__setattr__(made.pipeline, "service", service)
    settings = {"dependencies": {"scales": made.policy.service.dependencies["scales"].model_dump(exclude_unset=True)}}
    made.policy = Policy(service=service_settings({**settings, "resilience": resilience}))
    return made


@pytest.mark.usefixtures("engine")
def test_a_service_in_a_container_reaches_the_proxy_where_it_is_said(scales):
    """By name and bind address; its connections are counted at the proxy, and its threads are said not to be."""
    events = evaluate(contained(scales, {"bind": "127.0.0.2", "host": "127.0.0.2"}))
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    assert [e.compared for e in events if isinstance(e, Evaluated)] == [20]
    (finding,) = [e for e in events if isinstance(e, Finding)]
    assert (finding.cause, finding.severity) == ("not-seen", Severity.INFO)


def test_every_check_reaches_a_dependency_on_the_loopback(scales, engine):
    """Without a fault too: the address in the container is the one that is said."""
    with contained(scales, {"host": "localhost"}) as made, serve(made) as running:
        assert "scales http://localhost:" in running.log.read_text()
        assert scales not in running.log.read_text()


def test_the_loopback_of_a_container_is_not_taken_for_the_dependency(scales, engine):
    """Its answers would be degraded by us: not evaluated, with what to write."""
    events = evaluate(contained(scales, {}))
    (reason,) = [e.reason for e in events if isinstance(e, NotEvaluated)]
    assert "there, that is the container itself" in reason
    assert 'host = "host.docker.internal"' in reason
    assert not engine.asked


def test_a_fallback_without_its_flag_is_a_finding_on_the_dependency(scales):
    """The service falls back without the flag: the finding names the dependency, the fault and the criterion."""
    before = set(psutil.Process().children(recursive=True))
    made = trial(scales, fault="flag", faults=["errors"], rate=20.0, fault_seconds=1.0)
    made.local = LocalEvidence()
    findings = [e for e in evaluate(made) if isinstance(e, Finding)]
    assert not made.local.records, "no request failed, and the service printed nothing"
    assert {(f.stage, f.cause) for f in findings} == {("scales", "degraded-flag")}
    assert findings[0].evidence["fault"] == "errors"
    assert set(psutil.Process().children(recursive=True)) <= before  # nothing is left behind
    ours = ("wire", "reverse proxy", "resource monitor", "to 127.0.0.1")
    assert [t.name for t in threading.enumerate() if t.name.startswith(ours)] == []


def unguarded(frame, scales):
    """Training and serving share this stage: without the dependency the path fails in process as in the service."""
    weights = [1.0 if pd.isna(kind) else float(scales.of(kind)) for kind in frame["kind"]]
    return frame[["id", "x"]].assign(weight=weights, degraded=False)


def test_a_path_that_raises_with_its_fallback_fails_for_what_users_get(scales):
    """The 5xx of the service are judged; what the fallback's answers should be is what was not evaluated."""
    events = evaluate(trial(scales, "unhandled", weights=unguarded, faults=["errors"], rate=20.0, fault_seconds=1.0))
    assert "no-5xx" in {f.cause for f in events if isinstance(f, Finding) and f.severity is Severity.ERROR}
    (missing,) = [e for e in events if isinstance(e, NotEvaluated)]
    assert "The declared fallback could not be computed" in missing.reason
    assert not missing.crashed


def test_a_service_that_ignores_its_dependencys_address_is_not_evaluated(scales):
    """Its calls bypass the proxy, so no fault would be applied; the reason says where the address belongs."""
    events = evaluate(trial(scales, env={"SCALES": scales}, faults=["errors"], rate=20.0))
    (result,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(result, NotEvaluated)
    assert "{scales.url}" in result.reason


def test_data_that_comes_from_an_advertised_address_is_not_evaluated(scales):
    """The service pings the given address and reads from another, so every fault fires and moves nothing."""
    env = {"SCALES": "{scales.url}", "ADVERTISED": scales, "FAULT": "advertised"}
    events = evaluate(
        trial(scales, env=env, faults=["errors", "timeout"], rate=10.0, fault_seconds=1.0, deadline_ms=4_000)
    )
    assert [e.message for e in events if isinstance(e, Finding)] == []
    (reason,) = [e.reason for e in events if isinstance(e, NotEvaluated)]
    assert reason.count("and met no request") == 2
    assert "advertises" in reason
