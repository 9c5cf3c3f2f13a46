"""The rate that a service takes, learned from its answers and a clock of the test's own."""

import time
from types import SimpleNamespace

import pytest

from seatrial.targets import pacing
from seatrial.targets.messages import Response
from seatrial.targets.pacing import Pace

OK = Response(200, {}, b"{}", 0.01)
LATER = Response(429, {"retry-after": "1"}, b"", 0.01)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved: ``clock.now += 1``."""
    found = SimpleNamespace(now=1_000.0, monotonic=lambda: found.now, time=time.time)
    monkeypatch.setattr(pacing, "time", found)
    return found


def answered(pace, clock, count, seconds):
    """Answer so many requests, one after another, in so many seconds."""
    for _ in range(count):
        with pace.active():
            clock.now += seconds / count
            pace.must_wait(OK, 1)


def limited(pace, clock):
    """Refuse a request, and wait as long as it asks for."""
    with pace.active():
        pace.must_wait(LATER, 1)
        clock.now += 1


@pytest.mark.parametrize("idle", [0.0, 100.0])
def test_the_rate_is_learned_without_the_time_in_which_nothing_was_sent(clock, idle):
    """Between golden and contract minutes may pass: 40 requests in 2 s and a wait of 1 s are 13.3 in a second."""
    pace = Pace(8)
    limited(pace, clock)
    assert pace.per_second is None
    clock.now += idle
    answered(pace, clock, 20, 1.0)
    clock.now += idle
    answered(pace, clock, 20, 1.0)
    limited(pace, clock)
    assert pace.per_second == pytest.approx(0.9 * 40 / 3)


def test_the_time_in_which_requests_wait_for_their_turn_counts(clock):
    """A rate that is too high is lowered again: 10 requests in 1 s, and a wait of 1 s, are 5 a second."""
    pace = Pace(8)
    limited(pace, clock)
    answered(pace, clock, 20, 1.0)
    limited(pace, clock)
    with pace.active():  # it waits for its turn, while those before it are answered at once
        for _ in range(10):
            clock.now += 0.1
            pace.must_wait(OK, 1)
    limited(pace, clock)
    assert pace.per_second == pytest.approx(0.9 * 10 / 2)


def test_one_slow_request_is_not_idle_time(clock):
    """It was under way all the time; others begin and end meanwhile."""
    pace = Pace(8)
    limited(pace, clock)
    with pace.active():
        answered(pace, clock, 2, 1.0)
        clock.now += 8
        pace.must_wait(OK, 1)
    limited(pace, clock)
    assert pace.per_second == pytest.approx(0.9 * 3 / 10)


def test_a_declared_rate_is_kept_whatever_is_found(clock):
    """[service] requests_per_second comes first."""
    pace = Pace(8, per_second=20)
    for _ in range(3):
        limited(pace, clock)
        answered(pace, clock, 5, 1.0)
    assert pace.per_second == 20
