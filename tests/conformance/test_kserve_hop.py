"""A KServe transformer and its predictor, two processes, and faults on the hop between them."""

import json
import urllib.request
from functools import partial

import numpy as np
import pandas as pd
import pytest
from conftest import READY_SECONDS, SERVERS

from seatrial import Dependency, Pipeline, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.golden.check import check as golden
from seatrial.checks.resilience.check import check as resilience
from seatrial.events import Evaluated, Finding, NotEvaluated, Severity
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.targets.launch import start
from seatrial.trial import Trial

pytestmark = pytest.mark.server
HARD = {
    "hard": True, "timeout_ms": 1_000, "deadline_ms": 3_000, "circuit_breaker": False, "rate": 8.0,
    "fault_seconds": 1.0,
}  # fmt: skip


class Predictor:
    """Asks the predictor as the transformer does."""

    def __init__(self, url):
        self.url = f"{url}/v2/models/linear/infer"

    def of(self, a, b):
        tensor = {"name": "points", "shape": [1, 2], "datatype": "FP64", "data": [a, b]}
        sent = urllib.request.Request(
            self.url, json.dumps({"inputs": [tensor]}).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(sent) as answer:
            return json.load(answer)["outputs"][0]["data"][0]


def features(frame):
    return frame[["id"]].assign(a=frame["km"] * 1.5, b=frame["minutes"] / 60)


def prediction(frame, predictor):
    return frame[["id"]].assign(y=[predictor.of(a, b) for a, b in zip(frame["a"], frame["b"], strict=True)])


@pytest.fixture(scope="module")
def judged(kserve_python):
    """A function from a fault of the transformer to the events of a check; the predictor runs all the while."""

    def process(script, *arguments, **more):
        command = [str(kserve_python), str(SERVERS / script), "{port}", "{grpc_port}", *arguments]
        return Service(command, ready="/v1/models/linear", openapi=None, ready_seconds=READY_SECONDS, **more)

    with start(process("linear_kserve.py")) as running:
        yield partial(events_of, process, running.url)


def events_of(process, predictor, check, fault="", *faults):
    def made(fault):
        service = process(
            "transformer_kserve.py", "{predictor.url}", env={"FAULT": fault}, predict="/v1/models/linear:predict",
            envelope="instances",
        )  # fmt: skip
        return Pipeline(
            "trips", key="id", raw=lambda frame: frame, features=features, prediction=prediction, service=service,
            dependencies=[Dependency("predictor", predictor, Predictor)],
        )  # fmt: skip

    trips = {"id": [f"t{n}" for n in range(20)], "km": np.arange(1, 21) / 4, "minutes": np.arange(20, 40) * 2}
    policy = Policy(service=service_settings({"dependencies": {"predictor": {**HARD, "faults": list(faults)}}}))
    with Trial(made(fault), capture(made(""), pd.DataFrame(trips)), policy=policy) as trial:
        cases = [case for _, case in plan([check], trial) if case.stage in {"service", "predictor"}]
        return [event for case in cases for event in run_case(check, trial, case)]


def errors(events):
    assert any(e.compared for e in events if isinstance(e, Evaluated)), events
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    return {(e.cause, e.stage) for e in events if isinstance(e, Finding) and e.severity is Severity.ERROR}


def test_a_clean_pair_passes(judged):
    """While the predictor is lost, KServe's transformer answers with an error, in time, and recovers."""
    assert errors(judged(golden)) == set()
    assert errors(judged(resilience, "", "down", "errors")) == set()


def test_a_default_in_the_place_of_a_lost_prediction_is_found(judged):
    """The transformer answers 200 while its predictor fails."""
    assert errors(judged(resilience, "swallow", "errors")) == {("hard-dependency", "predictor")}


def test_features_that_change_on_the_hop_are_found(judged):
    """In process the predictor gets them in their order; the service answers otherwise."""
    (found,) = errors(judged(golden, "swap"))
    assert found[1] == "service"
