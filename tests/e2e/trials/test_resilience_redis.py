"""A service that looks things up in a real Redis: what breaks between them is borne, and needless retries are named."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.checks.resilience.check import check
from seatrial.checks.resilience.criteria import under_fault
from seatrial.checks.resilience.experiment import Experiment, fallback_of
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.checks.serving.service import serve
from seatrial.engine import plan, run_case
from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.trial import Trial
from tests.e2e.trials.redis_server import redis_server
from tests.support import weather_service as weather

pytestmark = pytest.mark.server
FAULTS = ["timeout", "reset_peer"]
DECLARED = {
    "timeout_ms": 500, "deadline_ms": 2_500, "reason": "reason", "breaker": False, "connections": 8, "rate": 20.0,
    "seconds": 1.0, "faults": FAULTS,
}  # fmt: skip


@pytest.fixture(scope="module")
def trial():
    """The trial of a service whose weights lie in a Redis of its own, with one fault in it."""
    command = [sys.executable, "-m", "uvicorn", "weather_service:app", "--port", "{port}", "--log-level", "warning"]
    policy = Policy(service={"dependencies": {"scales": DECLARED}})
    requests = {"id": [f"r{n}" for n in range(40)], "kind": [*"abc", None] * 10, "x": np.arange(1, 41) / 8}
    with redis_server() as client:
        client.mset({"a": 2.0, "b": 3.0, "c": 5.0})
        url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0"

        def made(fault):
            env = {"SCALES": "{scales.url}", "FAULT": fault}
            pipeline = Pipeline(
                "weighed", key="id", weights=weather.weigh, response=weather.total,
                service=Service(command=command, env=env, cwd=Path(weather.__file__).parent),
                dependencies=[Dependency("scales", url, weather.RedisScales, weather.NoScales)],
            )  # fmt: skip
            return Trial(pipeline, capture(pipeline, pd.DataFrame(requests)), policy=policy)

        yield made


def test_the_loss_of_a_redis_is_borne(trial):
    """A silent and a resetting Redis: nothing is found, each fault fired, and how far it is was told."""
    told = []
    with trial("") as made:
        made.on_progress = lambda *how_far: told.append(how_far)
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [e.message for e in events if isinstance(e, Finding)] == []
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    assert (evaluated.stage, evaluated.compared) == ("scales", 40)
    assert {e.name: e.value for e in events if isinstance(e, Measurement)}["timeout: degraded"] == 1.0
    assert told == [(n, len(FAULTS), f"'scales' {fault}") for n, fault in enumerate(FAULTS)]


def test_a_client_that_tries_again_by_itself_is_a_storm(trial):
    """Eight retries, the default of redis-py 8, call a broken Redis nine times a request."""
    with trial("retries") as made:
        url = made.pipeline.dependencies["scales"].url
        with (
            DependencyProxy(url) as between,
            serve(made.pipeline, urls={"scales": between.through}) as running,
        ):
            ground = fallback_of(made, "scales", expected(made))
            at = Experiment("resilience", "scales", between, running, f"{running.url}/predict", ground)
            (row,) = [r for r in scenarios_of(ground.loss, url) if r.name == "reset_peer"]
            with between.fault(row.fault) as hits:
                seen = at.offered(at.steady(1.0))
    found = [b.criterion for b in under_fault(row, replace(seen, hits=hits.count), None) if b.evaluated]
    assert "amplification" in found
