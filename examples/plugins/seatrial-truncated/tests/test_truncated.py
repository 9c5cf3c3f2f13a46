"""The scenario is registered and keeps its protocol."""

from __future__ import annotations

from seatrial_truncated import Truncated, truncated

from seatrial.faults.messages import HttpResponse
from seatrial.testing import fault_conforms, registered


def test_it_is_registered() -> None:
    registered("faults", "truncated", truncated)


def test_it_conforms() -> None:
    fault_conforms("truncated", truncated)


def test_half_a_body_is_left() -> None:
    cut = Truncated().change(HttpResponse(200, (), b'{"a": 1}'), seed=0, number=1)
    assert cut is not None
    assert cut.body == b'{"a"'
