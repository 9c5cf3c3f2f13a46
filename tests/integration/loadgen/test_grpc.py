"""gRPC calls on a schedule, to a real server, and the load check of a model behind the Open Inference Protocol."""

import sys

import numpy as np
import pandas as pd
import pytest

from seatrial import Outcome, Pipeline, Policy, Service, capture, run
from seatrial.checks.load.check import check as load
from seatrial.errors import TargetError
from seatrial.loadgen import validity
from seatrial.loadgen.client import offer
from seatrial.loadgen.schedule import constant, poisson
from seatrial.loadgen.workers import offer_by
from seatrial.pipeline import HttpRequest
from seatrial.policy.service import service_settings
from seatrial.targets.oip.grpc import INFER, OipGrpc
from seatrial.targets.oip.messages import message
from tests.support.grpc_service import score, server
from tests.support.load_shapes import passes_or_lacks_a_core, recorded
from tests.support.paths import SUPPORT
from tests.support.ports import free_port


@pytest.fixture
def started():
    made = []

    def start(fault):
        made.append(server(fault))
        return f"grpc://127.0.0.1:{made[-1][1]}"

    yield start
    for each, _ in made:
        each.stop(None)


def calls(*values):
    made = []
    for x in values:
        request = message("ModelInferRequest", model_name="m")
        told = request.inputs.add(name="x", datatype="FP64", shape=[1, 1])
        told.contents.fp64_contents.append(x)
        made.append(HttpRequest(request.SerializeToString(), "application/grpc", INFER))
    return made


def answered(each):
    told = type(message("ModelInferResponse")).FromString(each.body)
    return told.outputs[0].contents.fp64_contents[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_call_gets_its_own_answer(started, workers):
    """Each message in its turn; the schedule is kept whatever the number of processes."""
    schedule, order = poisson(constant(100, 1.0), 3, requests=100), np.arange(100) % 7
    made = offer_by(workers, started(""), schedule, calls(*range(7)), order=order.tolist(), keep=range(100))
    assert made.counts() == {"status 200": 100}
    assert [answered(each) for each in made.answers] == pytest.approx([score(x) for x in order])
    assert (made.lags >= 0).all()


def test_latency_counts_from_when_a_call_was_due_and_a_late_one_times_out(started):
    url = started("late")
    made = offer(url, recorded([0, 0.01, 0.02]), calls(1.0))
    assert (made.latencies >= 0.3).all()
    assert offer(url, recorded([0, 0.01]), calls(1.0), timeout_seconds=0.05).counts() == {"timed out": 2}


def test_a_code_of_grpc_is_the_status_that_gateways_give_it(started):
    made = offer(started("refuses"), recorded([0, 0.01]), calls(1.0), keep=[0])
    assert made.counts() == {"status 429": 2}
    assert made.answers[0].headers == {"grpc-status": "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize(("fault", "status"), [("without-store", 503), ("impatient", 504)])
def test_what_a_server_says_of_its_own_connections_is_its_answer(started, fault, status):
    """Neither its connection to us nor our time is over."""
    url = started(fault)
    assert offer(url, recorded([0, 0.01]), calls(1.0)).counts() == {f"status {status}": 2}
    if fault == "without-store":
        with OipGrpc(url.replace("grpc://", "//") + "/m") as target:
            assert target.send(calls(1.0)[0].body).status == status


def test_no_server_is_no_run():
    with pytest.raises(TargetError, match="Nothing listens"):
        offer(f"grpc://127.0.0.1:{free_port()}", recorded([0, 0.01]), calls(1.0))


def path(frame):
    return pd.DataFrame({"id": frame["id"], "score": score(frame["x"])})


def verdict_on(fault):
    command = [sys.executable, str(SUPPORT / "grpc_service.py"), "{port}", "{grpc_port}", fault]
    service = Service(command, predict="oip+grpc://127.0.0.1:{grpc_port}/m", ready="/", openapi=None)
    pipeline = Pipeline("grpc", key="id", raw=lambda frame: frame, response=path, service=service)
    reference = capture(pipeline, pd.DataFrame({"id": [f"r{n}" for n in range(9)], "x": np.arange(9) / 7}))
    slo = {"limit_ms": 200 if fault == "late" else 2_000, "rate": 40, "percentile": 0.5}
    settings = {"slo": slo, "load": {"runs": 1, "requests": 100, "samples": 40, "find_max_rate": False}}
    return run(pipeline, reference, [load], policy=Policy(service=service_settings(settings)))


def test_a_model_behind_grpc_is_loaded_and_its_answers_are_compared():
    verdict = verdict_on("")
    assert passes_or_lacks_a_core(verdict), (verdict.findings, verdict.not_evaluated)
    assert {m.name: m.value for m in verdict.measurements}["answers compared"] == 40


@pytest.mark.parametrize(("fault", "cause"), [("wrong", "load-changes-answers"), ("late", "slow")])
def test_wrong_and_late_answers_over_grpc_are_found(fault, cause, monkeypatch):
    monkeypatch.setattr(validity, "MAX_LAG_SHARE", 60)  # a busy machine is no part of it
    verdict = verdict_on(fault)
    assert verdict.outcome is Outcome.FAIL, verdict.not_evaluated
    assert cause in {finding.cause for finding in verdict.findings}
