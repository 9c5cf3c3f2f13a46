"""Two workers behind gunicorn and behind uvicorn: the whole tree of processes is watched under load."""

import sys

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load.check import check
from seatrial.events import Evaluated, Finding, Measurement
from seatrial.loadgen import validity
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support.load_service import answer
from tests.support.paths import SUPPORT

LOAD = {"runs": 1, "requests": 200, "samples": 20, "timeout_seconds": 5.0, "find_max_rate": False}
SERVERS = {
    "gunicorn": ["-m", "gunicorn", "load_service:app", "-k", "asgi", "-w", "2", "-b", "127.0.0.1:{port}"],
    "uvicorn": ["-m", "uvicorn", "load_service:app", "--workers", "2", "--port", "{port}", "--log-level", "warning"],
}


@pytest.fixture(autouse=True)
def _even_when_late(monkeypatch):
    """Evaluate also on a machine that keeps the generator waiting."""
    for name, most in (("MAX_LAG_SHARE", 60), ("MIN_RATE_SHARE", 0.01), ("_STEP", 1e9)):
        monkeypatch.setattr(validity, name, most)


def path(frame):
    return pd.DataFrame([answer(r) for r in frame.to_dict(orient="records")])


def events(server, fault, rate, limit_ms, **load):
    pipeline = Pipeline(
        "loaded", key="id", raw=lambda frame: frame, response=path,
        service=Service(command=[sys.executable, *SERVERS[server]], env={"FAULT": fault}, cwd=SUPPORT),
    )  # fmt: skip
    requests = pd.DataFrame({"id": [f"r{n}" for n in range(40)], "x": np.arange(40) / 7})
    settings = {"slo": {"limit_ms": limit_ms, "rate": rate, "percentile": 0.9}, "load": {**LOAD, **load}}
    made = Trial(pipeline, capture(pipeline, requests), policy=Policy(service=service_settings(settings)))
    with made:
        ((chosen, case),) = plan([check], made)
        return run_case(chosen, made, case)


@pytest.mark.parametrize(
    ("server", "fault", "cause"),
    [("gunicorn", "blocks", "blocking-call"), ("uvicorn", "blocks", "blocking-call"), ("gunicorn", "works", "slow")],
)
def test_the_diagnosis_looks_at_the_workers(server, fault, cause):
    """80 ms asleep in the event loop is a blocking call; 60 ms of work is slow, while the master sleeps."""
    found = events(server, fault, 60, 50)
    assert [e.cause for e in found if isinstance(e, Finding)] == [cause]
    assert isinstance(found[-1], Evaluated)


@pytest.mark.parametrize(
    ("server", "fault", "columns"),
    [("gunicorn", "leaks", ["memory"]), ("uvicorn", "leaks", ["memory"]), ("gunicorn", "warms", [])],
)
def test_memory_that_the_workers_keep_is_a_leak(server, fault, columns):
    """2 MB a request, in two workers, to the end; or 60 MB of a cache in each, and then no more."""
    found = events(server, fault, 80, 5_000, requests=480)
    assert [e.column for e in found if isinstance(e, Finding) and e.cause == "leak"] == columns
    slope = {e.name: e.value for e in found if isinstance(e, Measurement)}["memory per thousand requests"]
    assert (slope > 1_000) is bool(columns)
