"""Several processes offer one schedule: together they send every request once, and measure what one would have."""

import os
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from seatrial.errors import TargetError, UsageError
from seatrial.loadgen.client import offer
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.schedule import poisson
from seatrial.loadgen.workers import offer_by
from tests.support.load_shapes import ramp, recorded
from tests.support.paths import SUPPORT
from tests.support.waiting import until

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


def test_a_process_that_is_killed_is_no_result(stub):
    """Nobody sends its share again, and nothing waits for it."""
    ended = []

    def run():
        try:
            offer_by(2, stub, recorded(np.arange(2_000) / 100))
        except TargetError as error:
            ended.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    started = until(lambda: [p for p in psutil.Process().children() if "popen_loky" in " ".join(p.cmdline())])
    started[0].kill()
    thread.join(60)
    assert "ended before it was done" in ended[0]


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(stub, tmp_path):
    """As most scripts are written; a process pool of the standard library imports the script in each worker."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\nfrom seatrial.loadgen.workers import offer_by\nfrom tests.support.load_shapes import recorded\n"
        f"print(offer_by(2, '{stub}', recorded([0, 0.01, 0.02, 0.03])).counts())\n"
    )
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(SUPPORT.parent.parent)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "once\n{'status 200': 4}\n"
