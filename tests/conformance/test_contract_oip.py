"""Malformed tensors on real servers of the Open Inference Protocol: a 500 is a finding, a valid request is not."""

import subprocess

import pandas as pd
import pytest
from linear_steps import pipeline as linear

from seatrial import capture
from seatrial.checks import environment
from seatrial.checks.contract import check as contract
from seatrial.checks.engine import run_case, verdict_of
from seatrial.checks.serving.service import LiveService
from seatrial.checks.serving.target import target_of
from seatrial.events import Case
from seatrial.trial import Trial


def verdict_on(check, path, running):
    """The verdict of one check on the running server."""
    requests = pd.DataFrame({"id": [f"t{n}" for n in range(8)], "a": [n / 3 for n in range(8)], "b": [1.5] * 8})
    case = Case(check.name, "service")
    with Trial(path, capture(path, requests)) as trial:
        here = LiveService(path.service, running, trial.hold(target_of(path, running)))
        trial.once("live service", lambda: here)
        return verdict_of(run_case(check, trial, case), trial, [case])


@pytest.mark.parametrize("kind", ["kserve-rest", "kserve-grpc", "mlserver-rest", "mlserver-grpc"])
def test_malformed_tensors_that_end_in_a_500_are_findings(kind, services, started):
    """Both servers fail on some of them, in both protocols; the finding names the error in the tensor."""
    verdict = verdict_on(contract.check, linear(services(kind)), started(kind))
    broken = [f for f in verdict.errors if f.cause == "status-500"]
    assert broken, (verdict.findings, verdict.not_evaluated)
    assert any("shape" in f.message or "data" in f.message for f in broken)
    assert "left-behind" not in {f.cause for f in verdict.findings}
    assert verdict.not_evaluated == ()
    assert "refused" not in {f.cause for f in verdict.findings}


def test_libraries_of_a_server_in_an_environment_of_its_own_are_named(services, started, mlserver_python):
    """The versions are those of MLServer's interpreter: a finding has both versions of a library."""
    verdict = verdict_on(environment.check, linear(services("mlserver-rest")), started("mlserver-rest"))
    assert verdict.not_evaluated == ()
    version = "import importlib.metadata as m; print(m.version('pandas'))"
    served = subprocess.run([mlserver_python, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
    by_library = {f.message.partition(" ")[0]: f for f in verdict.findings if f.cause == "library-skew"}
    assert "mlflow is not installed in the service" in by_library["mlflow"].message
    if served != pd.__version__:
        assert (
            f"pandas is {served} in the service; the reference was captured with pandas {pd.__version__}."
            in by_library["pandas"].message
        )
    assert {f.stage for f in verdict.findings} == {"service"}
