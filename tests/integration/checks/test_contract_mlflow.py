"""The contract check on MLflow's own scoring server: a truncated value is found, with its column."""

import pytest

from seatrial import Outcome, Policy, capture
from seatrial.checks.contract.check import check
from seatrial.checks.engine import plan, run_case, verdict_of
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial
from tests.support import seven


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    """The verdict of the whole check on the real server."""
    path, pipeline = seven.save(tmp_path_factory.mktemp("long") / "model"), seven.pipeline()
    model = seven.load(path)
    reference = capture(pipeline, seven.REQUESTS, model=model)
    with Trial(pipeline, reference, policy=Policy(), model=model, model_path=path) as trial:
        ((planned, case),) = plan([check], trial)
        return verdict_of(run_case(planned, trial, case), trial, [case])


def test_a_fraction_truncated_to_an_integer_is_found_with_its_column(verdict):
    """The answer to 1.5 for a long is that to 1, and the model in process refuses it: the finding has both."""
    assert verdict.outcome is Outcome.FAIL
    (finding,) = (f for f in verdict.errors if f.cause == "truncation")
    assert (finding.stage, finding.column) == (SERVICE, "n")
    assert "the answer is the same for the truncated value" in finding.message
    assert "the path in process refuses it" in finding.message


def test_text_read_as_an_integer_is_found_with_its_column(verdict):
    """The answer to text for a long is that to the number."""
    (finding,) = (f for f in verdict.findings if f.cause == "dtype-coercion" and f.column == "n")
    assert "the number sent as text" in finding.message
    assert "the answer is the same for the value of the declared type" in finding.message


def test_an_unknown_field_and_a_status_500_are_findings_too(verdict):
    """The server drops columns that the signature does not name, and fails on bodies that it cannot read."""
    assert {"unknown-field", "status-500"} <= {f.cause for f in verdict.findings}
    assert verdict.not_evaluated == ()
