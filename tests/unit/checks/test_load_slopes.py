"""What a service uses more of with every request is a leak; what it uses at first, or gives back, is none."""

import os

import numpy as np
import pytest

from seatrial.checks.load import slopes
from seatrial.checks.load.slopes import Usage, judged
from seatrial.events import Finding, Measurement

REQUESTS = 2_000


def usage(memory=None, *, sockets=None, rest=None, noise=0.0, samples=200):
    """Samples of one run of 2,000 requests; each argument is a function of the requests sent."""
    at = np.linspace(0, 100, samples)
    sent = at / 100 * REQUESTS
    rng = np.random.default_rng(3)
    columns = np.column_stack(
        [
            300 + (memory(sent) if memory else 0 * sent) + rng.normal(0, noise, samples),
            20 + (sockets(sent) if sockets else 0 * sent),
            np.full(samples, 44.0),
            np.full(samples, 9.0),
        ]
    )
    last = columns[-1] if rest is None else np.asarray(rest)
    return Usage(at.tolist(), [tuple(row) for row in columns], [(0.0, 100.0, REQUESTS)], tuple(last))


def findings(found, *, settled=True):
    return [e for e in judged("load", found, settled=settled) if isinstance(e, Finding)]


def test_two_megabytes_a_request_are_a_leak():
    (found,) = findings(usage(lambda sent: 2 * sent, noise=5))
    assert (found.cause, found.column) == ("leak", "memory")
    assert "2,000" in found.message
    measured = {e.name: e.value for e in judged("load", usage(lambda sent: 2 * sent), settled=True)
                if isinstance(e, Measurement)}  # fmt: skip
    assert measured["memory per thousand requests"] == pytest.approx(2_000, rel=0.05)
    assert measured["threads per thousand requests"] == 0


def test_ten_kilobytes_a_request_are_a_leak_in_spite_of_noise():
    assert findings(usage(lambda sent: 0.01 * sent, noise=0.5))


@pytest.mark.parametrize(
    "memory",
    [
        None,
        lambda sent: 400 * (1 - np.exp(-sent / 200)),  # warms up
        lambda sent: np.minimum(sent, 900) * 0.5,  # a cache that fills
        lambda sent: np.where(sent > 1_200, 200.0, 0.0),  # one step
        lambda sent: 50 * (sent // 40 % 2),  # a garbage collector's saw
        lambda sent: np.where(sent > 1_900, 400.0, 0.0),  # one large request at the end
    ],
)
def test_a_service_that_warms_up_does_not_leak(memory):
    assert not findings(usage(memory, noise=1.0))


@pytest.mark.parametrize(("each", "found"), [(0.2, 0), (2.0, 1)])
def test_few_requests_tell_a_leak_from_a_worker_that_warms_up_late_only_where_it_is_large(each, found):
    few = usage(lambda sent: each * sent / 4)
    few = Usage(few.moments, few.values, [(0.0, 100.0, REQUESTS // 4)], few.rest)
    assert len(findings(few)) == found


def test_sockets_that_are_closed_after_the_load_were_in_use():
    """As many connections as requests wait for an answer, or one kept open for each: only those kept are a leak."""
    grow = lambda sent: sent / 20  # noqa: E731
    assert not findings(usage(sockets=grow, rest=(300, 20, 44, 9)))
    (found,) = findings(usage(sockets=grow))
    assert found.column == "sockets"


def test_a_growing_queue_is_no_leak():
    """Where the latency does not settle, what waits is held in memory; that the service is slow is told elsewhere."""
    assert not findings(usage(lambda sent: 2 * sent), settled=False)


def test_too_few_samples_tell_nothing():
    assert not list(judged("load", usage(lambda sent: 2 * sent, samples=8), settled=True))


def test_the_resources_of_this_process_are_counted():
    before = slopes.resources([os.getpid()])
    with open(os.devnull):
        after = slopes.resources([os.getpid(), 2**22 + 1])
    assert before[0] > 10
    assert before[2] >= 1
    assert after[3] == before[3] + 1
