"""A service whose predictions are not at the port of its readiness path: each of its runs goes to them."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load.check import check
from seatrial.checks.resilience.experiment import experiment_on
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.serving.expected import expected
from seatrial.events import Finding, Measurement
from seatrial.loadgen import validity
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support.grpc_service import score
from tests.support.paths import SUPPORT

PAIRS = 5
SETTINGS = {
    "slo": {"limit_ms": 2_000, "rate": 100, "percentile": 0.5},
    "load": {
        "runs": 1, "requests": 250, "samples": 20, "timeout_seconds": 5.0, "find_max_rate": False, "margin": 99.0,
        "pairs": PAIRS, "pair_requests": 10,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    for name, most in (("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01), ("_STEP", 1e9)):
        monkeypatch.setattr(validity, name, most)


def trial(tmp_path, **more):
    service = Service(
        [sys.executable, "grpc_service.py", "{port}", "{grpc_port}", "none"], predict="oip+grpc://127.0.0.1:{grpc_port}/m",
        env={"MODEL": "{model.path}"}, cwd=SUPPORT, openapi=None,
    )  # fmt: skip
    pipeline = Pipeline(
        "behind", key="id", raw=lambda frame: frame, prediction=lambda frame: frame[["id"]].assign(y=score(frame["x"])),
        service=service, **more,
    )  # fmt: skip
    reference = capture(pipeline, pd.DataFrame({"id": [f"r{n}" for n in range(20)], "x": np.arange(20) / 7}))
    (tmp_path / "model").write_text("")
    path = str(tmp_path / "model")
    policy = Policy(service=service_settings(SETTINGS))
    return Trial(pipeline, reference, policy=policy, model_path=path, champion_path=path)


def test_the_champion_is_loaded_where_its_predictions_are(tmp_path):
    with trial(tmp_path) as made:
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [e.message for e in events if isinstance(e, Finding)] == []
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["pairs compared"]) == (20, PAIRS)
    assert 0.01 < measured["latency relative to the champion"] < 100


def test_faults_are_watched_where_the_predictions_are(tmp_path):
    made = trial(tmp_path, dependencies=[Dependency("store", "http://127.0.0.1:1", lambda url: url)])
    policy = FailurePolicy(timeout_ms=100)
    running = SimpleNamespace(url="http://127.0.0.1:1", values={"port": "1", "grpc_port": "2"})
    baseline = baseline_of(made, ["store"], expected(made), policy)
    experiment = experiment_on(made, "store", SimpleNamespace(names=["store"]), running, baseline)
    assert experiment.url == "grpc://127.0.0.1:2"
