"""A generator with a core of its own: it and its workers are on it, the service and its threads are not."""

import os

import pytest

from seatrial.errors import UsageError
from seatrial.events import NotEvaluated
from seatrial.loadgen.affinity import UNRESTRICTED, pinned_to, reserve_cores
from tests.integration.checks.test_load import SMALL, run_check, trial

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this platform does not list its cores")
ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def test_too_few_cores_are_reported_before_the_service_starts():
    """As many workers as there are cores leave none for the service."""
    with pytest.raises(UsageError, match=rf"takes {len(ALL)} .* there are {len(ALL)}"):
        reserve_cores(len(ALL))
    slo = {"limit_ms": 100, "rate": 100, "percentile": 0.9}
    (event,) = run_check(trial("", slo=slo, load={**SMALL, "reserve_cores": True, "workers": len(ALL)}))
    assert isinstance(event, NotEvaluated)
    assert "reserve_cores" in event.reason


def test_without_the_setting_nobody_is_moved():
    """The default leaves every core to both."""
    with pinned_to(UNRESTRICTED.generator):
        assert os.sched_getaffinity(0) == ALL
