"""Faults of a connection have Toxiproxy's names, and refuse attributes out of range."""

import pytest

from seatrial.errors import UsageError
from seatrial.faults.base import Signal, seeded_random
from seatrial.faults.network import Bandwidth, Latency, Slicer
from seatrial.faults.toxiproxy import TOXICS


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


def test_the_faults_are_those_of_toxiproxy():
    assert list(TOXICS) == [
        "down", "timeout", "latency", "bandwidth", "slow_close", "reset_peer", "slicer", "limit_data",
    ]  # fmt: skip
    transform = TOXICS["latency"](latency=1).begin(seeded_random(0, 1, 1), lambda: None)
    assert list(transform(0.0, Signal.START)) == []
