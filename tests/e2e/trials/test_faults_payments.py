"""Each fault, put into the payments pipeline, fails the version and is placed where it was born."""

from dataclasses import replace

import pytest

from seatrial import Outcome
from tests.e2e.trials.faults import FAULTS, Attempt, other_library


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_where_it_was_born(fault, request, tmp_path):
    """The verdict is fail, its first failing place is the fault's, and the column and cause are named there."""
    verdict = fault.inject(request.getfixturevalue(fault.ground), tmp_path).run()
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    assert verdict.first_failing_stage == fault.place, verdict.summary
    born = [f for f in verdict.errors if f.stage == fault.place and not f.downstream]
    assert fault.column is None or fault.column in {f.column for f in born}, born
    assert fault.cause is None or fault.cause in {f.cause for f in born if f.column == fault.column}, born


@pytest.mark.parametrize("ground", ["payments", "array_path"])
def test_without_a_fault_the_same_set_up_passes(ground, request):
    """Every check passes without even a warning; also when the store is asked live."""
    verdict = Attempt(request.getfixturevalue(ground), live=("store",)).run(checks=None)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert [f for f in verdict.findings if f.severity != "info"] == []


@pytest.mark.parametrize(("version", "severity"), [("0.24.2", "warning"), ("patch", "info")])
def test_another_library_alone_fails_nothing(payments, tmp_path, version, severity):
    """Another release is a warning that names both versions, a patch is only told; the version passes."""
    now = payments.reference.manifest["environment"]["libraries"]["scikit-learn"]
    then = ".".join([*now.split(".")[:2], "99"]) if version == "patch" else version
    verdict = other_library(payments, tmp_path, "scikit-learn", then).run()
    assert verdict.outcome is Outcome.PASS
    (finding,) = (f for f in verdict.findings if f.check == "environment")
    assert (finding.severity, finding.cause) == (severity, "library-skew")
    assert now in finding.message
    assert then in finding.message


def test_another_library_is_named_beside_the_predictions_that_moved(payments, tmp_path):
    """The version fails where the numbers moved, and the warning says that the library may be why."""
    fault = next(f for f in FAULTS if f.name == "35-model-library-skew")
    verdict = fault.inject(payments, tmp_path).run()
    (finding,) = (f for f in verdict.findings if f.check == "environment")
    assert "'prediction'" in finding.message
    assert finding.severity == "warning"


def test_a_library_that_is_gone_is_told(payments, tmp_path):
    """What training had and this process has not is a warning; a stage that needs it breaks by itself."""
    verdict = other_library(payments, tmp_path, "no-such-library", "1.0").run(checks=["environment"])
    (finding,) = verdict.findings
    assert "not installed" in finding.message
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["25-store-stale", "27-store-feature-version", "29-store-evicted"])
def test_a_faulty_store_is_seen_only_when_it_is_asked(payments, tmp_path, name):
    """The recorded answers stand in for the store in every replay: without asking it live, nothing is compared."""
    fault = next(f for f in FAULTS if f.name == name)
    attempt = replace(fault.inject(payments, tmp_path), live=())
    verdict = attempt.run(checks=["expectations"])
    assert verdict.outcome is Outcome.PASS
    assert "store" not in {j.stage for j in verdict.evaluated}
