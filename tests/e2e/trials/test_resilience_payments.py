"""The payments service over a real PostgreSQL: faults are tolerated, and each missing protection is a finding."""

from dataclasses import replace

import pytest

from seatrial import Dependency, Pipeline, Policy
from seatrial.checks.engine import plan, run_case
from seatrial.checks.resilience.check import check
from seatrial.checks.resilience.criteria import under_fault
from seatrial.checks.resilience.experiment import experiment_on
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.matrix import run_burst
from seatrial.checks.resilience.together import Proxies
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of, why_not
from seatrial.checks.serving.service import serve
from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.service import service_settings
from seatrial.targets.http import Http
from seatrial.trial import Trial
from tests.e2e.trials.weather import STORE, payments_over_postgres

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """The payments pipeline over a PostgreSQL of its own."""
    with payments_over_postgres(tmp_path_factory.mktemp("weather")) as made:
        yield made


FEW = ["latency_within", "down", "timeout"]  # all of them: tests/bench/bench_resilience.py


def test_every_fault_is_tolerated(ground):
    """With deadline, breaker, flag, pool and fallback in place there is no finding, and each fault was applied."""
    with ground.trial(faults=FEW) as made:
        ((_, case),) = plan([check], made)
        events = run_case(check, made, case)
    assert [e.message for e in events if isinstance(e, Finding)] == []
    starved = "without a fault answers took"  # the machine left the service no time of its own
    assert [e.reason for e in events if isinstance(e, NotEvaluated) and starved not in e.reason] == []
    (evaluated,) = [e for e in events if isinstance(e, Evaluated)]
    assert evaluated.stage == "store"
    assert evaluated.compared == len(FEW) * 25
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert measured["down: degraded answers"] == 1.0


@pytest.fixture(scope="module")
def experiment(ground):
    """The started service behind a proxy, its protections in place, and a way to take one of them away."""
    loss = FailurePolicy(**STORE)
    with (
        ground.trial() as made,
        Proxies({"store": DependencyProxy(ground.pipeline.dependencies["store"].url)}) as between,
        serve(made, model_path=ground.path, urls=between.through) as running,
        Http(running.url, seconds=30) as http,
    ):
        baseline = baseline_of(made, ["store"], expected(made), made.policy.failure_policy("store"))
        at = experiment_on(made, "store", between, running, baseline)
        scenarios = {each.name: each for each in scenarios_of(loss, between.url)}

        def broken(what, fault):
            assert http.send(path=f"/break/{what}").ok
            at.send(at.steady(1.0))
            if fault == "burst":
                return run_burst(at)[1]
            with between.fault(scenarios[fault].fault) as hits:
                seen = at.send(at.steady(loss.fault_seconds), unaffected=True)
            return list(under_fault(scenarios[fault], replace(seen, hits=hits.count), None))

        yield broken


@pytest.mark.parametrize(
    ("what", "fault", "criterion"),
    [
        ("deadline", "timeout", "deadline"),
        ("breaker", "timeout", "circuit-breaker"),
        ("flag", "down", "degraded-flag"),
        ("value", "down", "fallback-value"),
        ("retries", "reset_peer", "amplification"),
        ("pool", "burst", "pool"),
    ],
)
def test_a_missing_protection_is_detected_by_its_own_criterion(experiment, what, fault, criterion):
    """One protection away, one fault: the criterion meant for it does not hold."""
    for _ in range(3):
        found = experiment(what, fault)
        if all(b.evaluated for b in found):  # else the machine stalled, and it is asked again
            break
    assert criterion in {b.criterion for b in found if b.evaluated}, [b.clause for b in found]


def test_the_check_does_not_run_on_a_store_in_a_file(ground):
    """SQLite is reached through no port: there is no case, and the reason is given."""
    made = ground.pipeline
    stages = {name: made.stage(name).function for name in made.stages}
    store = Dependency("store", "sqlite:///payments.db", str)
    pipeline = Pipeline(
        "payments", key=made.key, model=made.model, service=made.service, dependencies=[store], **stages
    )
    policy = Policy(service=service_settings({"dependencies": {"store": STORE}}))
    tried_ = Trial(pipeline, ground.reference, policy=policy, model=ground.model, model_path=ground.path)
    assert check.stages(tried_) == []
    assert "not reached over TCP (sqlite)" in why_not(tried_, "store")
