"""A service that reads from a real Redis: connection faults are tolerated, needless retries are a finding."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.resilience.check import check
from seatrial.checks.resilience.criteria import under_fault
from seatrial.checks.resilience.experiment import experiment_on
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.together import Proxies
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.checks.serving.service import serve
from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.e2e.trials.redis_server import redis_server
from tests.support import weather_service as weather

pytestmark = pytest.mark.server
FAULTS = ["timeout", "reset_peer"]
DECLARED = {
    "timeout_ms": 500, "deadline_ms": 2_500, "reason_field": "reason", "circuit_breaker": False, "max_connections": 8,
    "rate": 20.0, "fault_seconds": 1.0, "faults": FAULTS,
}  # fmt: skip


@pytest.fixture(scope="module")
def trial():
    """The trial of a service whose weights lie in a Redis of its own, with one fault in it."""
    command = [sys.executable, "-m", "uvicorn", "weather_service:app", "--port", "{port}", "--log-level", "warning"]
    policy = Policy(service=service_settings({"dependencies": {"scales": DECLARED}}))
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


def test_faults_of_a_redis_are_tolerated(trial):
    """A silent and a resetting Redis: there is no finding, each fault was applied, and the progress was reported."""
    progress = []
    with trial("") as made:
        made.on_progress = lambda *at: progress.append(at)
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [e.message for e in events if isinstance(e, Finding)] == []
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    assert (evaluated.stage, evaluated.compared) == ("scales", 40)
    assert {e.name: e.value for e in events if isinstance(e, Measurement)}["timeout: degraded answers"] == 1.0
    assert progress == [(n, len(FAULTS), f"'scales' {fault}") for n, fault in enumerate(FAULTS)]


def test_a_client_that_retries_by_itself_violates_amplification(trial):
    """Eight retries, the default of redis-py 8, call a broken Redis nine times a request."""
    with trial("retries") as made:
        url = made.pipeline.dependencies["scales"].url
        with (
            Proxies({"scales": DependencyProxy(url)}) as between,
            serve(made, urls=between.through) as running,
        ):
            ground = baseline_of(made, ["scales"], expected(made), made.policy.failure_policy("scales"))
            at = experiment_on(made, "scales", between, running, ground)
            (row,) = [r for r in scenarios_of(ground.policy, url) if r.name == "reset_peer"]
            with between.fault(row.fault) as hits:
                seen = at.send(at.steady(1.0))
    found = [b.criterion for b in under_fault(row, replace(seen, hits=hits.count), None) if b.evaluated]
    assert "amplification" in found
