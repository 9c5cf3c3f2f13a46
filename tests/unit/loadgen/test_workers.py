"""How a schedule is divided among workers, and which workers of a cluster are chosen, without any of them."""

import pickle
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import PolicyError, TargetError, UsageError
from seatrial.loadgen.schedule import Schedule
from seatrial.loadgen.workers import offer_by, peers
from seatrial.loadgen.workers.shares import divided, offer_share
from seatrial.orchestration.dask.sending import Sealed, server_reached
from seatrial.pipeline.access import Access
from seatrial.policy.service import service_settings
from seatrial.process.dask import connection

URL = "http://127.0.0.1:8000/"


class FakeClient:
    """A Dask client: workers by address, each with its version, network, and what its clock is ahead."""

    def __init__(self, workers, busy=(), seconds=0.0):
        self.workers, self.busy, self.seconds = workers, busy, seconds

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def processing(self):
        return {address: ["task"] if address in self.busy else [] for address in self.workers}

    def run(self, what, *, workers=None):
        workers = self.workers if workers is None else workers
        if what is connection.about:
            return {address: self.workers[address][:2] for address in workers}
        time.sleep(self.seconds)
        return {address: what() + self.workers[address][2] for address in workers}


@given(
    count=st.integers(1, 60), workers=st.integers(1, 5), bodies=st.integers(1, 8), seed=st.integers(0, 99),
    ordered=st.booleans(), marked=st.booleans(),
)  # fmt: skip
def test_shares_are_the_whole_and_each_request_keeps_what_it_carries(count, workers, bodies, seed, ordered, marked):
    """Every request is in one share, with the payload, the mark and the place that it has in the whole schedule."""
    schedule = Schedule(np.arange(count) / 10, count / 10, seed)
    order = np.random.default_rng(seed).integers(bodies, size=max(1, count // 2)).tolist() if ordered else None
    payloads, expect = [b"p%d" % n for n in range(bodies)], [b"e%d" % n for n in range(bodies)] if marked else ()
    shares, places = divided(
        workers, URL, schedule, payloads, order=order, keep=range(0, count, 3), expect=expect, connections=7
    )
    assert sorted(np.concatenate(places).tolist()) == list(range(count))
    turns = order or range(bodies)
    for share, place in zip(shares, places, strict=True):
        given_, own = share.options, pickle.loads(pickle.dumps(share))
        assert (own.schedule.at == schedule.at[place]).all()
        for n, index in enumerate(place.tolist()):
            assert given_["payloads"][given_["order"][n]] == payloads[turns[index % len(turns)]]
            assert not marked or given_["expect"][given_["order"][n]] == expect[turns[index % len(turns)]]
        assert [place[n] for n in given_["keep"]] == [index for index in place.tolist() if index % 3 == 0]
        assert len(set(given_["payloads"])) == len(given_["payloads"]) <= len(place)  # and no others


def test_the_text_of_a_share_shows_nothing_of_it():
    """Dask writes the arguments of what fails into its worker's log."""
    schedule = Schedule(np.arange(4) / 10, 0.4, 1)
    (share,), _ = divided(
        1, "http://h/?t=s3cret", schedule, [b"s3cret"], access=Access({"a": "s3cret"}), headers={"b": "s3cret"}
    )
    assert repr(share) == repr(Sealed(share)) == str(Sealed(share)) == "Share(4 requests)"


def test_a_share_that_comes_after_its_start_is_not_sent():
    (share,), _ = divided(1, URL, Schedule(np.arange(4) / 10, 0.4, 1), [b""])
    with pytest.raises(TargetError, match=r"told to start 3\.\d+ s after"):
        offer_share(share, time.monotonic() - 3)


def test_idle_workers_on_many_machines_come_first():
    workers = dict.fromkeys(["tcp://a:1", "tcp://a:2", "tcp://b:1", "tcp://c:1"], (*connection.about(), 0.0))
    assert peers.spread(list(workers), {"tcp://a:1"}) == ["tcp://a:2", "tcp://b:1", "tcp://c:1", "tcp://a:1"]
    found = peers.chosen(FakeClient(workers, {"tcp://c:1"}), "tcp://s:1", 2, "http://staging/")
    assert [peer.address for peer in found] == ["tcp://a:1", "tcp://b:1"]


def test_a_clock_is_known_within_half_a_round_trip():
    """What is unknown of it grows with the way to it, and the truth is within."""
    ahead, unknown = peers.clock(FakeClient({"tcp://a:1": ("", "", 7.5)}, seconds=0.01), "tcp://a:1")
    assert unknown >= 0.005
    assert abs(ahead - 7.5) <= unknown


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost:8000/", "http://[::1]:8000/"])
def test_a_service_on_loopback_is_not_loaded_from_elsewhere(url):
    own, here = connection.about()
    two = {"tcp://a:1": (own, here, 0.0), "tcp://b:1": (own, "another", 0.0)}
    with pytest.raises(UsageError, match=r"another machine for 1 Dask worker \(tcp://b:1\).*--target"):
        peers.chosen(FakeClient(two), "tcp://s:1", 2, url)
    assert len(peers.chosen(FakeClient(two), "tcp://s:1", 1, url)) == 1
    assert len(peers.chosen(FakeClient(two), "tcp://s:1", 2, "https://staging.example/")) == 2


@pytest.mark.parametrize(
    ("server", "networks", "reached"),
    [
        ("http://127.0.0.1:4200/api", ["here"], True),
        ("http://127.0.0.1:4200/api", ["here", "another"], False),
        ("http://prefect.example:4200/api", ["here", "another"], True),
        (None, ["here"], False),
    ],
)
def test_prefect_carries_the_shares_where_workers_reach_its_server(server, networks, reached):
    """Its tasks need the server wherever they run, and that of a command is on this machine alone."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    own, here = connection.about()
    workers = {f"tcp://{n}:1": (own, here if n == "here" else n, 0.0) for n in networks}
    with temporary_settings({PREFECT_API_URL: server}):
        assert server_reached(FakeClient(workers)) is reached


def test_workers_with_another_version_are_refused():
    with pytest.raises(TargetError, match=r"another seatrial than this one.*tcp://a:1: 0\.0\.1"):
        peers.chosen(FakeClient({"tcp://a:1": ("0.0.1", "", 0.0)}), "tcp://s:1", 1, URL)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_workers_are_refused(count):
    workers = dict.fromkeys([f"tcp://a:{n}" for n in range(count)], ("", "", 0.0))
    with pytest.raises(TargetError, match=f"has {count} worker.*needs 2"):
        peers.chosen(FakeClient(workers), "tcp://s:1", 2, URL)


@pytest.mark.parametrize("address", ["10.0.0.5:8786", "http://10.0.0.5:8786", "tcp://10.0.0.5", "tcp://:8786", ""])
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    with pytest.raises(PolicyError, match=r"is like .*tcp://10\.0\.0\.5:8786"):
        service_settings({"load": {"cluster": address}})


def test_cores_of_this_machine_are_not_reserved_for_workers_of_others():
    with pytest.raises(PolicyError, match="with 'cluster' remove it"):
        service_settings({"load": {"cluster": "tcp://10.0.0.5:8786", "reserve_cores": True}})
    assert service_settings({"load": {"cluster": "tls://dask.example:8786", "workers": 4}}).load.workers == 4


def test_without_dask_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'seatrial\[dask\]'"):
        offer_by(2, URL, Schedule(np.arange(4) / 10, 0.4, 1), cluster="tcp://10.0.0.5:8786")
