"""Dask workers offer one schedule: together they measure what one generator would; whatever fails is no result."""

import os
import signal
import threading

import numpy as np
import pytest

from seatrial.errors import TargetError, UsageError
from seatrial.events import Evaluated, Measurement, NotEvaluated
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.schedule import constant, poisson
from seatrial.loadgen.workers import cluster as dask
from seatrial.loadgen.workers import offer_by, peers
from tests.integration.checks.test_load import SMALL, run_check, trial
from tests.integration.loadgen.test_workers import stub  # noqa: F401  a fixture
from tests.support.dask_cluster import two_workers
from tests.support.waiting import until

SCHEDULE = poisson(constant(300, 1.5), 5)
DELAYS = np.random.default_rng(5).integers(30, 60, len(SCHEDULE)) / 1000
PAYLOADS = [b"d%.3f" % each for each in DELAYS]


@pytest.fixture(scope="module")
def scheduler():
    """The address of a Dask cluster of two workers."""
    with two_workers() as address:
        yield address


@pytest.fixture(autouse=True)
def _however_slow(monkeypatch):
    """A busy machine is no reason to void a test."""
    monkeypatch.setattr(dask, "MAX_APART_SECONDS", 5.0)
    monkeypatch.setattr(dask, "HEAD_START", 2.0)


def test_two_dask_workers_send_every_request_once(stub, scheduler):  # noqa: F811
    """Same schedule, each request with its own payload, and the histograms of the shares add up."""
    run = offer_by(2, stub, SCHEDULE, PAYLOADS, cluster=scheduler, keep=range(0, len(SCHEDULE), 7), connections=300)
    assert run.counts() == {"status 200": len(SCHEDULE)}
    assert (run.scheduled == SCHEDULE.at).all()
    assert (run.latencies >= DELAYS).all()
    assert [answer.index for answer in run.answers] == list(range(0, len(SCHEDULE), 7))
    assert (run.connections, 0 < run.apart_seconds < 5) == (300, True)
    owners = SCHEDULE.owners(2)
    parts = merge(histogram(run.latencies[owners == n]).encode() for n in range(2))
    assert parts.get_total_count() == len(SCHEDULE)
    assert parts.encode() == histogram(run.latencies).encode()


def test_fewer_workers_than_shares_are_refused(stub, scheduler):  # noqa: F811
    """Shares that are sent one after the other are another load; the check says so and evaluates nothing."""
    with pytest.raises(TargetError, match="has 2 workers, and the load needs 3"):
        offer_by(3, stub, SCHEDULE, PAYLOADS, cluster=scheduler)
    load = {**SMALL, "requests": 60, "workers": 3, "cluster": scheduler}
    events = run_check(trial("", slo={"limit_ms": 2_000, "rate": 60, "percentile": 0.5}, load=load))
    (found,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(found, NotEvaluated)
    assert "[load] workers = 2" in found.reason


def test_the_check_sends_its_load_from_the_cluster(scheduler):
    """Without Prefect too; how far apart the workers may have started is measured."""
    load = {**SMALL, "requests": 150, "workers": 2, "cluster": scheduler}
    events = run_check(trial("", slo={"limit_ms": 2_000, "rate": 150, "percentile": 0.5}, load=load))
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["error share"]) == (60, 0)
    assert 0 < measured["workers started apart by at most"] < 5


def test_a_loopback_address_is_another_machine_for_a_remote_worker(stub, scheduler, monkeypatch):  # noqa: F811
    """Its own loopback address answers there, or nothing does: neither is the service."""
    monkeypatch.setattr(peers, "network", lambda: "this machine")
    with pytest.raises(UsageError, match="another machine for 2 Dask workers"):
        offer_by(2, stub, SCHEDULE, PAYLOADS, cluster=scheduler)


def test_clocks_that_move_void_the_run(stub, scheduler, monkeypatch):  # noqa: F811
    """A clock that was set during the run: nobody knows when the shares began."""
    monkeypatch.setattr(dask, "clock", lambda *at: (peers.clock(*at)[0] + 3.0, 0.0))
    with pytest.raises(TargetError, match="may have started up to 6"):
        offer_by(2, stub, poisson(constant(100, 0.3), 1), cluster=scheduler)


def test_a_share_that_is_told_its_start_too_late_is_not_sent(stub, scheduler, monkeypatch):  # noqa: F811
    """As it would be by a worker whose clock is taken to be an hour behind."""
    monkeypatch.setattr(peers, "clock", lambda *_: (-3_600.0, 0.001))
    with pytest.raises(TargetError, match="told to start"):
        offer_by(2, stub, poisson(constant(100, 0.3), 1), cluster=scheduler)


def test_errors_of_a_worker_are_those_of_a_generator(scheduler):
    with pytest.raises(TargetError, match="Nothing listens"):
        offer_by(2, "http://127.0.0.1:1/", poisson(constant(100, 0.3), 1), cluster=scheduler)


def test_no_scheduler_is_an_error_that_says_what_to_start():
    with pytest.raises(TargetError, match=r"No Dask scheduler answers at tcp://127.0.0.1:1 .*'dask scheduler'"):
        offer_by(2, "http://127.0.0.1:1/", poisson(constant(100, 0.3), 1), cluster="tcp://127.0.0.1:1")


def test_a_worker_that_is_busy_never_starts(stub, scheduler, monkeypatch):  # noqa: F811
    """Both are held by other work: the wait ends, and nothing was measured."""
    from distributed import Client, Event

    monkeypatch.setattr(dask, "START_SECONDS", 1.0)
    with Client(scheduler, set_as_default=False) as client:
        go = Event("go", client=client)
        others = client.map(lambda _: Event("go").wait(60), range(2), pure=False)
        until(lambda: sum(map(len, client.processing().values())) == 2)
        try:
            with pytest.raises(TargetError, match="did not begin with the load within 1 s"):
                offer_by(2, stub, SCHEDULE, PAYLOADS, cluster=scheduler)
        finally:
            go.set()
            client.gather(others)


def test_a_worker_that_dies_is_no_result(stub, scheduler):  # noqa: F811
    """Its share is sent by no other, whatever the scheduler does with tasks that were lost."""
    from distributed import Client

    ended = []

    def run():
        try:
            offer_by(2, stub, poisson(constant(100, 20), 1), cluster=scheduler)
        except TargetError as error:
            ended.append(str(error))

    with Client(scheduler, set_as_default=False) as client:
        until(lambda: not any(client.processing().values()))
        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: sum(map(len, client.processing().values())) == 2)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        thread.join(60)
    assert "ended before the load was sent" in ended[0]
