"""Malformed tensors against real servers of the Open Inference Protocol: a 500 is a finding, a sound request is not."""

import pandas as pd
import pytest
from linear_steps import pipeline as linear

from seatrial import capture
from seatrial.checks.contract import check
from seatrial.engine import ask, plan, verdict_of
from seatrial.targets.live import Live, target_of
from seatrial.trial import Trial


@pytest.mark.parametrize("kind", ["kserve-rest", "mlserver-rest"])
def test_malformed_tensors_that_end_in_a_500_are_findings(kind, services, started):
    """Both servers answer 500 to some of them; the finding names what was wrong with the tensor."""
    path = linear(services(kind))
    requests = pd.DataFrame({"id": [f"t{n}" for n in range(8)], "a": [n / 3 for n in range(8)], "b": [1.5] * 8})
    running = started(kind)
    with Trial(path, capture(path, requests)) as trial:
        here = Live(path.service, running, trial.hold(target_of(path, running)))
        trial.once("live service", lambda: here)
        ((asked, question),) = plan([check], trial)
        verdict = verdict_of(ask(asked, trial, question), trial, [question])
    broken = [f for f in verdict.errors if f.cause == "status-500"]
    assert broken, (verdict.findings, verdict.unjudged)
    assert any("shape" in f.message or "data" in f.message for f in broken)
    assert "left-behind" not in {f.cause for f in verdict.findings}
    assert verdict.unjudged == ()
    assert "refused" not in {f.cause for f in verdict.findings}
