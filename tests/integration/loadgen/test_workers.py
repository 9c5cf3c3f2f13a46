"""Several processes offer one schedule: together they send every request once, and measure what one would have."""

import subprocess
import sys

import numpy as np
import pytest

from seatrial.errors import TargetError, UsageError
from seatrial.loadgen.client import offer
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.schedule import poisson
from seatrial.loadgen.workers import offer_by
from tests.support.load_shapes import ramp, recorded
from tests.support.paths import SUPPORT

STUB = SUPPORT / "stub.py"


@pytest.fixture(scope="module")
def stub():
    """The URL of a server whose requests state how long they take, in a process of its own."""
    with subprocess.Popen([sys.executable, STUB], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        process.stdin.close()


def test_two_workers_measure_the_distribution_of_one(stub):
    """Same schedule, same latencies, whoever sends: every request once, and the histograms of the parts add up."""
    schedule = poisson(ramp(50, 250, 2), 5)
    delays = np.random.default_rng(5).integers(30, 60, len(schedule)) / 1000
    payloads = [b"d%.3f" % each for each in delays]
    run = offer_by(2, stub, schedule, payloads, keep=range(0, len(schedule), 7), connections=300)
    assert run.counts() == {"status 200": len(schedule)}
    assert (run.scheduled == schedule.at).all()
    assert (run.latencies >= delays).all()  # each request was given its own payload
    assert [answer.index for answer in run.answers] == list(range(0, len(schedule), 7))
    owners = schedule.owners(2)
    assert 0.4 < owners.mean() < 0.6
    parts = merge(histogram(run.latencies[owners == n]).encode() for n in range(2))
    whole = histogram(run.latencies)
    for percentile in (50, 90, 99, 100):
        assert parts.get_value_at_percentile(percentile) == whole.get_value_at_percentile(percentile)
    one = offer(stub, schedule, payloads, connections=300)
    for each in (run, one):  # what a busy machine adds, it does not add to every request
        added = each.latencies - delays
        assert quantile(added, 0.1) < 0.25 * quantile(delays, 0.5)  # what a busy machine adds


def test_errors_of_workers_are_those_of_one_generator():
    """Nothing listens, or there are more workers than requests."""
    with pytest.raises(TargetError, match="Nothing listens"):
        offer_by(2, "http://127.0.0.1:1/", recorded(np.arange(20) / 100))
    with pytest.raises(UsageError, match="1 to 2"):
        offer_by(3, "http://127.0.0.1:1/", recorded([0, 1]))
