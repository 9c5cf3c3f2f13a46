"""An InferenceGraph whose steps fail: a hard one must be an error, and a router that answers 200 then is found."""

import json
import sys
import urllib.request
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from seatrial import HttpRequest, Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.resilience import criteria
from seatrial.checks.resilience.check import check
from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.faults.graph import read_graph
from seatrial.loadgen.results import ANSWERED, BROKEN
from seatrial.trial import Trial
from tests.integration.checks.test_resilience import baseline, found, row, scales, seen, spread
from tests.support.paths import SUPPORT
from tests.support.serving import in_thread

__all__ = ["baseline", "scales"]
GRAPH = """
kind: InferenceGraph
spec:
  routerTimeouts: {serviceClient: 1}
  nodes:
    root:
      routerType: Ensemble
      steps:
        - {name: score, serviceName: score, dependency: Hard}
        - {name: bonus, serviceName: bonus, dependency: Soft}
"""
SETTINGS = "deadline_ms = 3000\ncircuit_breaker = false\nrate = 8.0\nfault_seconds = 1.0\n"


class Predictor(BaseHTTPRequestHandler):
    """A step that answers the double of each instance, as KServe's V1 protocol does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        instances = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        body = json.dumps({"predictions": [2 * each["x"] for each in instances]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Client:
    """Asks a step for one prediction."""

    def __init__(self, url):
        self.url = url

    def of(self, x):
        body = json.dumps({"instances": [{"x": x}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body)) as answer:
            return json.load(answer)["predictions"][0]


class Nothing:
    def of(self, x):
        return 0.0


def offer(frame, score, bonus):
    bonuses = [bonus.of(x) for x in frame["x"]]
    lost = [each == 0.0 for each in bonuses]
    return frame[["id"]].assign(score=[score.of(x) for x in frame["x"]], bonus=bonuses, degraded=lost)


def asked(rows):
    return HttpRequest.json({"instances": [{"x": x} for x in rows["x"]]})


def answered(answer):
    """A router that lost the hard step has no score, and a client that trusts the status takes what it finds."""
    told = answer.json()
    bonus = told.get("bonus", {}).get("predictions")
    degraded = {"degraded": bonus is None, "degraded_reason": "The bonus is lost." if bonus is None else ""}
    return {"score": told.get("score", {}).get("predictions", [0.0])[0], "bonus": (bonus or [0.0])[0], **degraded}


@pytest.fixture(scope="module")
def predictors():
    """The address of each step; both are one server."""
    server = Server(("127.0.0.1", 0), Predictor)
    with in_thread(server):
        where = f"http://127.0.0.1:{server.server_port}/v1/models/"
        yield {name: f"{where}{name}:predict" for name in ("score", "bonus")}


@pytest.fixture
def broken(predictors, tmp_path):
    """A function that breaks a step of the graph behind a router, and returns the events."""
    (tmp_path / "graph.yaml").write_text(GRAPH)

    def events(step, *faults, router=""):
        graph = read_graph(tmp_path / "graph.yaml")
        command = [sys.executable, str(SUPPORT / "graph_router.py"), "--port", "{port}"]
        service = Service(
            [*command, "--graph-json", graph.router_json], env={"FAULT": router}, ready="/readyz", predict="/",
            openapi=None, request=asked, response=answered,
        )  # fmt: skip
        pipeline = Pipeline(
            "offers", key="id", raw=lambda frame: frame, response=offer, service=service,
            dependencies=graph.dependencies(Client, urls=predictors, fallbacks={"bonus": Nothing}),
        )  # fmt: skip
        chosen = f"faults = {json.dumps(faults)}\n"
        tables = [f"[dependencies.{name}]\n{SETTINGS}{chosen if name == step else ''}" for name in predictors]
        (tmp_path / "service.toml").write_text("".join(tables))
        requests = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "x": np.arange(1, 21) / 8})
        with Trial(pipeline, capture(pipeline, requests), policy=Policy.load(tmp_path, pipeline)) as made:
            (case,) = [case for _, case in plan([check], made) if case.stage == step]
            return run_case(check, made, case)

    return events


def causes(events):
    assert [e.compared > 0 for e in events if isinstance(e, Evaluated)] == [True], events
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    return {e.cause for e in events if isinstance(e, Finding)}


def test_the_router_of_kserve_passes_a_hard_step_that_fails(broken):
    """An error of the step, or one of the router where the step cannot be reached: both are errors."""
    assert causes(broken("score", "errors", "down")) == set()


def test_a_success_after_a_failed_hard_step_is_found(broken):
    """The router drops the status of the step."""
    events = broken("score", "errors", router="swallow")
    assert causes(events) == {"hard-dependency"}
    (finding,) = [e for e in events if isinstance(e, Finding)]
    assert (finding.stage, finding.evidence["statuses"]) == ("score", [200])


def test_a_soft_step_that_is_lost_ends_the_graph_of_kserve(broken):
    """Its router merges the answer of a failed step only where that is a JSON object, and is an error else: found."""
    (finding,) = [e for e in broken("bonus", "errors") if isinstance(e, Finding)]
    assert finding.cause == "no-5xx"
    assert "errors" in finding.evidence["faults"]


RUN = 40


@pytest.fixture
def hard(baseline):
    return replace(baseline, policy=baseline.policy.model_copy(update={"hard": True}))


def test_while_a_hard_dependency_fails_errors_are_right(hard):
    """And a success is wrong: with other values, with the fallback's, and where nothing can be read."""
    users = hard.uses
    assert found("down", seen(hard, degraded=False, status=np.where(users, 503, 200))) == []
    assert found("down", seen(hard, degraded=False, status=np.where(users, 429, 200))) == []
    assert found("down", seen(hard)) == [("hard-dependency", True)]
    unreadable = seen(hard, degraded=False, change=lambda answer: [] if hard.uses[int(answer["id"][1:])] else answer)
    assert found("down", unreadable) == [("hard-dependency", True)]


def test_a_connection_that_ends_is_an_error_too(hard):
    """A request that is never answered is none."""
    lost = seen(hard, degraded=False, status=np.where(hard.uses, 503, 200), seconds=np.where(hard.uses, np.inf, 0.1))
    assert found("down", lost) == [("deadline", True)]
    ended = replace(lost, run=replace(lost.run, outcome=np.where(hard.uses, BROKEN, ANSWERED).astype(np.uint8)))
    assert found("down", ended) == []
    assert found("latency_within", ended) == [("no-5xx", True), ("deadline", True)]


def test_what_does_not_use_a_hard_dependency_is_judged_as_ever(hard):
    """Its errors are errors; so is an error where the dependency answers in time."""
    assert found("down", seen(hard, degraded=False, status=503)) == [("no-5xx", True)]
    users = np.where(hard.uses, 503, 200)
    assert found("down", seen(hard, degraded=False, status=users, change=spread)) == [("unaffected", True)]
    assert found("latency_within", seen(hard, degraded=False, seconds=0.5, status=users)) == [("no-5xx", True)]


def test_a_hard_dependency_may_have_answered_before_the_fault(hard):
    """The recorded values are right; where all answers have them, the fault met no request."""
    status = np.where(hard.uses & (np.arange(RUN) > 7), 503, 200)
    assert found("down", seen(hard, degraded=False, status=status)) == []
    assert found("down", seen(hard, degraded=False)) == [("fault-applied", False)]


def test_the_table_says_which_criteria_were_evaluated(hard, baseline):
    """Those of a fallback, or that of a hard dependency."""
    for given, out in ((hard, {"degraded-flag", "fallback-value"}), (baseline, {"hard-dependency"})):
        what = seen(given)
        table = criteria.states(row("down"), what, list(criteria.under_fault(row("down"), what, None)))
        names = {"degraded-flag", "fallback-value", "hard-dependency"}
        assert {name for name in names if table[name] == "not evaluated"} == out
