"""Every fault of the TCP proxy against a real server: it fires, it does what it says, and it is gone afterwards."""

import pytest

from seatrial.errors import UsageError
from seatrial.faults.network import (
    TOXICS,
    Bandwidth,
    Latency,
    Signal,
    Slicer,
    chance,
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Latency(latency=-1),
        lambda: Latency(toxicity=1.5),
        lambda: Latency(stream="sideways"),
        lambda: Bandwidth(rate=0),
        lambda: Slicer(average_size=5, size_variation=5),
    ],
)
def test_attributes_out_of_range_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_the_kinds_are_toxiproxys():
    assert list(TOXICS) == [
        "down", "timeout", "latency", "bandwidth", "slow_close", "reset_peer", "slicer", "limit_data",
    ]  # fmt: skip
    stage = TOXICS["latency"](latency=1).begin(chance(0, 1, 1), lambda: None)
    assert list(stage(0.0, Signal.START)) == []
