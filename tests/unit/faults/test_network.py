"""Faults of a connection refuse attributes out of range, and do what they state to the bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.faults.base import Signal, seeded_random
from seatrial.faults.network import Bandwidth, Drip, Latency, ResetPeer, Slicer, Timeout
from seatrial.faults.partial import Partial


@pytest.mark.parametrize(
    "make",
    [
        lambda: Latency(latency=-1),
        lambda: Latency(toxicity=1.5),
        lambda: Latency(stream="sideways"),
        lambda: Bandwidth(rate=0),
        lambda: Slicer(average_size=5, size_variation=5),
        lambda: Drip(spread=5, pieces=0),
        lambda: Drip(spread=-5),
    ],
)
def test_attributes_out_of_range_are_refused(make):
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_partial_fault_hits_a_share_and_not_all_or_none(share):
    with pytest.raises(UsageError):
        Partial(fault=ResetPeer(), share=share)


def passed(fault, items, seed=1):
    """What comes of items, each of them (seconds, item), and how often the fault did something."""
    hits = []
    transform = fault.begin(seeded_random(seed, 1, 1), lambda: hits.append(1))
    return [list(transform(*each)) for each in [(0.0, Signal.START), *items]][1:], len(hits)


def test_a_partial_fault_draws_for_each_request_and_counts_it_once():
    """A request that comes in two pieces draws once; a pause of 20 ms begins the next one."""
    requests = [(n + piece, b"x") for n in range(2_000) for piece in (0.0, 0.01)]
    got, hits = passed(Partial(fault=Latency(latency=500), share=0.3), requests)
    late = [bool(out[0][0] > at) for out, (at, _) in zip(got, requests, strict=True)]
    assert late[::2] == late[1::2]
    assert sum(late[::2]) == hits
    assert 0.25 < hits / 2_000 < 0.35


def test_a_request_that_loses_bytes_takes_its_connection_with_it():
    """After one request that is never answered the connection is out of step, and nothing more passes on it."""
    got, hits = passed(Partial(fault=Timeout(), share=0.5), [(float(n), b"x") for n in range(50)])
    first = next(n for n, out in enumerate(got) if not out)
    assert hits == 1
    assert not any(got[first:])


@given(st.binary(min_size=1, max_size=300), st.integers(1, 20), st.floats(0, 1_000))
def test_drips_lose_nothing_and_end_in_time(data, pieces, spread):
    [got], hits = passed(Drip(spread=spread, pieces=pieces), [(1.0, data)])
    assert b"".join(piece for _, piece in got) == data
    assert len(got) <= pieces
    assert hits == 1
    assert got[-1][0] <= 1.0 + spread / 1e3 + 1e-9
