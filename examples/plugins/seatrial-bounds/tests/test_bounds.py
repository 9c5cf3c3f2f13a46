"""The check is registered, keeps its protocol, and finds what it is for."""

from __future__ import annotations

import pytest
from seatrial_bounds import NAME, check

from seatrial import Policy, Trial
from seatrial.errors import PolicyError
from seatrial.testing import check_conforms, registered, sample_pipeline, sample_reference


def trial(bounds: object, *, skewed: bool = False) -> Trial:
    policy = Policy(service={"checks": {NAME: {"features": {"log_amount": bounds}}}})
    return Trial(sample_pipeline(skewed=skewed), sample_reference(), policy=policy)


def test_it_is_registered() -> None:
    registered("checks", NAME, check)


def test_it_conforms() -> None:
    check_conforms(check, trial([0, 7]), broken=trial([0, 7], skewed=True))


@pytest.mark.parametrize("bounds", [3, [1], [2, 1], ["0", "1"], [True, False]])
def test_bounds_that_are_none_are_refused(bounds: object) -> None:
    with pytest.raises(PolicyError, match="it is a pair of numbers"):
        list(check.run(trial(bounds), "features"))
