"""Two dependencies that fail at the same moment: each falls back, and a service that cannot lose both is found."""

import sys

import numpy as np
import pandas as pd
import pytest

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.resilience.check import check
from seatrial.checks.serving.matrix import seconds, together
from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.integration.checks.test_resilience import DECLARED, scales
from tests.support.paths import SUPPORT

__all__ = ["scales"]
QUICK = {**DECLARED, "rate": 20.0, "fault_seconds": 1.0, "recovery_seconds": 5.0, "faults": ["down", "errors"]}


@pytest.fixture(scope="module")
def recorded(scales):
    """A function from a fault of the service to its pipeline, and what the pipeline answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SUPPORT))  # where the service runs
        import two_service as two
        import weather_service as weather
    command = [sys.executable, "-m", "uvicorn", "two_service:app", "--port", "{port}", "--log-level", "warning"]

    def made(fault):
        env = {"SCALES": "{scales.url}", "RATES": "{rates.url}", "FAULT": fault}
        return Pipeline(
            "priced", key="id", weights=two.weigh, response=two.price, service=Service(command, env=env, cwd=SUPPORT),
            dependencies=[Dependency(name, scales, two.Scales, weather.NoScales) for name in ("scales", "rates")],
        )  # fmt: skip

    requests = pd.DataFrame({"id": [f"r{n}" for n in range(20)], "kind": [*"abca"] * 5, "x": np.arange(1, 21) / 8})
    return made, capture(made(""), requests)


def trial(recorded, fault="", **rates):
    made, reference = recorded
    policy = Policy(service=service_settings({"dependencies": {"scales": QUICK, "rates": {**QUICK, **rates}}}))
    return Trial(made(fault), reference, policy=policy)


def both_down(made):
    """The events of the case in which both are broken."""
    with made:
        [case] = [case for _, case in plan([check], made) if case.stage == "service"]
        return run_case(check, made, case)


def test_the_case_is_planned_beside_those_of_each(recorded):
    """Where both can meet the same fault, in requests that show both."""
    made = trial(recorded)
    assert [case.stage for _, case in plan([check], made)] == ["scales", "rates", "service"]
    assert seconds(made, "service") == seconds(made, "scales") - (QUICK["fault_seconds"] + 2)  # one fault of the two
    for apart in ({"faults": ["errors"]}, {"path": "/other"}, {"degraded_field": "lost"}):
        assert together(trial(recorded, **apart)) == ()


def test_a_service_that_falls_back_on_both_has_no_finding(recorded):
    events = both_down(trial(recorded))
    assert [e.message for e in events if isinstance(e, Finding)] == []
    assert [e.reason for e in events if isinstance(e, NotEvaluated)] == []
    assert [e.compared for e in events if isinstance(e, Evaluated)] == [20]


def test_a_service_that_crashes_only_where_both_are_down_is_found(recorded):
    findings = [e for e in both_down(trial(recorded, "both")) if isinstance(e, Finding)]
    assert "down" in next(f for f in findings if f.cause == "no-5xx").evidence["faults"]
    assert {f.stage for f in findings} == {"service"}
    assert any("on 'scales' and 'rates'" in f.message for f in findings)
