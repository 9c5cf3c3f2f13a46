"""Faults that hit a share of the requests: a clean service degrades where it is hit, and retries show."""

from dataclasses import replace

import pytest

from seatrial.checks.resilience import criteria
from seatrial.checks.resilience.calls import calls_per_request
from seatrial.checks.resilience.experiment import experiment_on
from seatrial.checks.resilience.fallback import baseline_of
from seatrial.checks.resilience.together import Proxies
from seatrial.checks.resilience.unmet import moves
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import scenarios_of
from seatrial.checks.serving.service import serve
from seatrial.faults.proxy.dependency import DependencyProxy
from tests.integration.checks.test_resilience import found, row, scales, seen, trial, unflagged

__all__ = ["scales"]
PARTIAL = ["jitter", "drip", "some_timeouts", "some_resets", "some_errors"]


@pytest.fixture(scope="module")
def baseline(scales):
    made = trial(scales)
    return baseline_of(made, ["scales"], expected(made), made.policy.failure_policy("scales"))


def partly(baseline, users, hits, change=lambda answer: answer, **more):
    """A phase in which the last of the 30 answers that need the dependency are degraded, all but ``users`` of them."""
    every = [n for n in range(40) if baseline.uses[n]]
    lost = {f"r{n}" for n in every[users:]}
    fallback = baseline.fallback.copy()
    whole = [n for n in range(40) if f"r{n}" not in lost]
    fallback.loc[whole] = baseline.expected.frame.loc[whole, fallback.columns]
    made = seen(replace(baseline, fallback=fallback), change=change, hits=hits)
    return replace(made, baseline=baseline, **more)


def test_calls_are_not_counted_where_answers_come_from_a_cache(baseline):
    """A complete answer may have taken none, so that hits beside it are no retries."""
    cached = replace(baseline, policy=baseline.policy.model_copy(update={"cached": True}))
    what = replace(partly(baseline, 30, hits=45), baseline=cached)
    assert found("some_resets", what) == []
    assert criteria.states(row("some_resets"), what, [])["amplification"] == "not evaluated"


@pytest.mark.parametrize("name", ["some_timeouts", "some_resets"])
def test_requests_that_were_hit_degrade_and_the_others_are_right(baseline, name):
    """Each request is judged by itself: one retry is allowed, and a degraded answer needs its flag."""
    assert found(name, partly(baseline, 12, hits=18)) == []  # no retry
    assert found(name, partly(baseline, 19, hits=29)) == []  # one retry
    assert found(name, partly(baseline, 12, hits=18, change=unflagged)) == [("degraded-flag", True)]


def test_a_retry_storm_is_told_with_its_factor(baseline):
    """Three retries of each call: 2.2 calls a request, even where few answers show it."""
    storm = partly(baseline, 26, hits=39)
    assert found("some_resets", storm) == [("amplification", True)]
    assert calls_per_request(row("some_resets"), storm) == pytest.approx(65 / 30)


def test_answers_that_are_all_complete_show_retries_or_nothing(baseline):
    """Whether requests were hit at all is known from a fault of all of them, run before."""
    hidden = partly(baseline, 30, hits=45)
    assert found("some_resets", hidden) == [("fault-applied", False)]
    assert found("some_resets", replace(hidden, reached=True)) == [("amplification", True)]


def broken(made, names):
    """What is violated under each fault, by its name, of one service that is started for all of them."""
    url, told, moved = made.pipeline.dependencies["scales"].url, {}, False
    tls = made.policy.failure_policy("scales").tls == "proxy"
    with (
        made,
        Proxies({"scales": DependencyProxy(url, tls=tls)}) as proxy,
        serve(made, urls=proxy.through) as running,
    ):
        baseline = baseline_of(made, ["scales"], expected(made), made.policy.failure_policy("scales"))
        at = experiment_on(made, "scales", proxy, running, baseline)
        for each in (s for s in scenarios_of(baseline.policy, url) if s.name in names):
            with proxy.fault(each.fault) as hits:
                what = at.send(at.steady(2.0))
            what = replace(what, hits=hits.count, reached=moved, usual_seconds=0.01)
            moved = moved or moves(what)
            told[each.name] = list(criteria.under_fault(each, what, None))
    return told


def test_a_clean_service_that_retries_once_has_no_finding(scales):
    """And every scenario is evaluated."""
    told = broken(trial(scales, "retry", rate=20.0, deadline_ms=3_000), PARTIAL)
    assert told == {name: [] for name in PARTIAL}


def test_a_service_that_retries_eight_times_has_the_finding(scales):
    """Nearly all of its answers are complete; what gives it away is the number of calls."""
    names = ["reset_peer", "some_resets", "some_errors"]
    told = broken(trial(scales, "retries", rate=20.0), names)
    assert {name: [v.criterion for v in found] for name, found in told.items()} == {n: ["amplification"] for n in names}
    assert "one retry of each" in told["some_errors"][0].message
