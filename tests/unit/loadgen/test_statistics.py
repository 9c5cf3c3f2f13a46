"""The statistics of load give the published figures, and pass nothing that was not shown."""

import math
from dataclasses import replace

import numpy as np
import pytest

from seatrial.errors import UsageError
from seatrial.loadgen.capacity import find_max_rate
from seatrial.loadgen.comparison import compare_runs, interleaved_order
from seatrial.loadgen.estimates import bounds, miss_share, quantile
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.results import LoadRun, RequestResult, merged
from seatrial.loadgen.statistics import Plan, evaluate, fewest_requests, holds, required_requests
from seatrial.loadgen.validity import Warmup, invalid_reasons, warmup
from tests.bench.bench_load_verdict import NAMES, comparisons, limit_of, verdicts
from tests.support.load_shapes import percentile_seconds


@pytest.mark.parametrize(
    ("percentile", "needed"),
    [
        (0.90, [44, 64, 81, 127, 197, 325, 681, 1246]),
        (0.95, [90, 130, 165, 259, 398, 656, 1372, 2504]),
        (0.99, [459, 662, 838, 1307, 2010, 3304, 6898, 12571]),
        (0.999, [4603, 6636, 8403, 13105, 20140, 33097, 69058, 125826]),
    ],
)
def test_the_rule_needs_the_published_numbers_of_requests(percentile, needed):
    misses = [0, 1, 2, 5, 10, 20, 50, 100]
    assert [required_requests(each, percentile=percentile) for each in misses] == needed
    for each, most in zip(needed, misses, strict=True):
        assert holds(each, most, percentile=percentile)
        assert not holds(each - 1, most, percentile=percentile)


def test_the_rule_is_the_binomial_tail():
    from scipy.stats import binom

    assert not holds(1000, 4)
    assert binom.cdf(4, 1000, 0.01) > 0.01
    assert holds(1000, 3) == (binom.cdf(3, 1000, 0.01) <= 0.01)


def spread(count, requests=2_000):
    """Latencies of which so many, evenly spread, are over a limit of 1."""
    column = np.full(requests, 0.5)
    column[np.linspace(0, requests - 1, count).astype(int)] = 2.0 if count else 0.5
    return column


def decided(*runs, planned=3):
    return evaluate(runs, 1.0, Plan(planned, 2_000))


def test_the_first_look_that_tells_ends_the_plan():
    assert decided(spread(0)).decision == "held"
    assert decided(spread(0), spread(500)).requests == (2_000,)
    assert decided(spread(60)).decision == "violated"
    assert decided(spread(20)).decision == "inconclusive"
    assert decided(spread(18), spread(0), spread(0)).decision == "held"
    assert len(decided(spread(18), spread(0), spread(0)).requests) > 1


def test_one_run_above_its_share_is_no_failure():
    """22 and 15 of 2,000 are within what a service at 0.8 % shows by chance."""
    found = decided(spread(22), spread(15), spread(14))
    assert found.decision == "inconclusive"
    assert found.low < 0.0085 < found.high


@pytest.mark.parametrize("runs", [[], [spread(0, 1_999)], [spread(0, 600)] * 3])
def test_less_than_planned_holds_nothing(runs):
    assert evaluate(runs, 1.0, Plan(3, 2_000)).decision == "inconclusive"


def test_an_inconclusive_result_states_how_many_requests_are_needed():
    """With as many, at the same share, it tells; a service at its limit needs more than can be offered."""
    needed = decided(spread(14), spread(14), spread(14)).needed
    assert 6_000 < needed < 30_000
    many = round(1.02 * needed / 3)
    assert evaluate([spread(int(0.007 * many), many)] * 3, 1.0, Plan(3, many)).decision == "held"
    assert decided(spread(20), spread(20), spread(20)).needed is None
    assert decided().needed == pytest.approx(fewest_requests(0.99, 0.99), abs=2)


def test_consecutive_misses_count_for_less():
    """40 misses in a row tell of one stall, not of 40 slow requests."""
    lump = spread(0)
    lump[500:560] = 2.0
    assert decided(lump).decision == "inconclusive"
    assert decided(lump).found.effect > 30 > 1.5 > decided(spread(60)).found.effect


def test_correlation_is_seen_where_nothing_misses():
    """No request is late, but latencies come in waves: fewer requests than 2,000 independent ones were seen."""
    waves = 0.3 + 0.2 * np.sin(np.arange(2_000) / 100)
    assert miss_share([waves], 1.0, 0.01).effect > 10
    assert decided(waves).decision == "inconclusive"


def test_bounds_of_independent_requests_are_the_exact_binomial_ones():
    """As many batches as there is no doubt about the effect: Clopper and Pearson's bounds."""
    from scipy.stats import binomtest

    found = replace(miss_share([spread(20)], 1.0, 0.01), effect=1.0, batches=10_000)
    exact = binomtest(20, 2_000).proportion_ci(0.98)
    assert found.bounds(0.01) == pytest.approx((exact.low, exact.high), rel=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_verdicts_are_rare_in_queues_of_known_truth(name):
    """A quick form of tests/bench/bench_load_verdict.py: 100 trials each, of which 1 may be wrong by chance, not 4."""
    plan = Plan(3, 1_650)
    found = verdicts(name, plan, 100, limit=limit_of(name, 0.99, draws=1), factors=(1.0, 0.9, 0.3, 1.5))
    assert found[1.0]["held"] <= 3
    assert found[1.0]["violated"] <= 3
    assert found[0.9]["violated"] == 0
    assert found[0.3]["held"] >= (50 if name.startswith("M/M/1") else 85)
    assert found[1.5]["violated"] >= 95


def test_versions_alike_are_told_to_be_and_slower_ones_found():
    """The default plan of the comparison, on the service that varies most: a quick form of the same script."""
    alike, ratio = comparisons(NAMES[0], 1.0, 60)
    assert alike["no regression"] >= 50
    assert alike["regression"] == 0
    assert ratio == pytest.approx(1, abs=0.02)
    assert comparisons(NAMES[0], 1.2, 30)[0]["regression"] >= 29


def test_a_plan_too_small_to_show_anything_is_refused():
    least = fewest_requests(0.99, 0.99, 3)
    assert 459 < least < 700
    with pytest.raises(UsageError, match=str(least)):
        Plan(3, 150)
    assert Plan(3, math.ceil(least / 3)).levels == pytest.approx((0.0006, 0.0006, 0.0028))
    assert Plan(1, 800).levels == pytest.approx((0.0028,))


def test_a_p99_has_no_upper_bound_in_a_small_sample():
    values = np.arange(1.0, 460.0)
    assert bounds(values[:458], 0.99)[1] == math.inf
    assert bounds(values, 0.99)[1] == 459.0
    assert bounds(values[:298], 0.99, confidence=0.95)[1] == math.inf
    assert bounds(values[:299], 0.99, confidence=0.95)[1] == 299.0
    assert bounds([], 0.99) == (-math.inf, math.inf)


def test_bounds_cover_the_truth_as_often_as_their_confidence_states():
    rng = np.random.default_rng(8)
    truth = -math.log(0.05)
    found = np.array([bounds(rng.exponential(size=400), 0.95, confidence=0.9) for _ in range(1500)])
    assert 0.88 <= (found[:, 0] <= truth).mean() <= 0.94
    assert 0.88 <= (found[:, 1] >= truth).mean() <= 0.94


def test_a_quantile_takes_infinite_values():
    assert quantile([1, 2, 3, 4], 0.5) == 2
    assert quantile([1.0] * 98 + [math.inf] * 2, 0.99) == math.inf
    assert quantile(np.arange(1, 101), 0.99) == 99
    assert math.isnan(quantile([], 0.5))


def stable_latencies(count, rng):
    return rng.gamma(4, 0.01, count)


@pytest.mark.parametrize("slow", [400, 2_000, 4_000])
def test_warm_up_is_found_where_it_ends(slow):
    rng = np.random.default_rng(2)
    found = warmup(np.concatenate([3 * stable_latencies(slow, rng), stable_latencies(10_000 - slow, rng)]))
    assert found.requests == pytest.approx(slow, abs=200)
    assert found.factor == pytest.approx(3, rel=0.1)
    assert found.stable


def test_a_stable_run_has_no_warm_up():
    rng = np.random.default_rng(3)
    found = [warmup(stable_latencies(10_000, rng)) for _ in range(200)]
    assert sum(each.requests > 0 or not each.stable for each in found) <= 2


@pytest.mark.parametrize("trend", [np.linspace(1, 3, 8_000), np.linspace(3, 1, 8_000)])
def test_a_run_that_keeps_changing_is_not_stable(trend):
    assert not warmup(stable_latencies(8_000, np.random.default_rng(4)) * trend).stable


def test_a_change_that_is_small_beside_the_limit_counts_for_nothing():
    """From 1 to 2 ms matters for a limit of 10 ms, and for none of a second; a growing queue does not stay small."""
    rng = np.random.default_rng(5)
    slower = np.concatenate(
        [stable_latencies(2_000, rng) * k / np.median(stable_latencies(2_000, rng)) for k in (1e-3, 2e-3)]
    )
    assert not warmup(slower, least_seconds=0.05 * 0.01).stable
    assert warmup(slower, least_seconds=0.05 * 1.0) == Warmup(0, 1.0, stable=True)
    growing = np.linspace(1e-3, 0.3, 4_000)
    assert not warmup(growing, least_seconds=0.05 * 1.0).stable


def test_too_few_requests_are_not_stable():
    assert not warmup([0.1] * 49).stable


def offered(lag=0.0, rate=1000.0, count=2000, **changes):
    scheduled = np.arange(count) / rate
    sent = scheduled + lag
    columns = {"scheduled": scheduled, "sent": sent, "done": sent + 0.01, "status": np.full(count, 200, np.int16)}
    return LoadRun(**{**columns, "outcome": np.zeros(count, np.uint8), "connections": 64, **changes})


def test_a_run_of_a_punctual_generator_is_valid():
    assert invalid_reasons(offered(), 0.1) == ()


@pytest.mark.parametrize(("lag", "limit"), [(0.051, 1.0), (0.0006, 0.01)])
def test_a_late_generator_makes_the_run_invalid(lag, limit):
    assert "late" in " ".join(invalid_reasons(offered(lag=lag), limit))


def test_a_slow_generator_makes_the_run_invalid():
    slow = np.arange(2000) / 1000 * 1.02
    assert "of the scheduled rate" in " ".join(invalid_reasons(offered(sent=slow), 0.1))
    unsent = np.where(np.arange(2000) < 1900, np.arange(2000) / 1000, np.nan)
    assert "of the scheduled rate" in " ".join(invalid_reasons(offered(sent=unsent), 0.1))
    assert invalid_reasons(offered(count=0), 0.1) == ("nothing was sent",)


def test_too_few_connections_make_the_run_invalid_only_where_they_were_the_bottleneck():
    assert "connections busy" in " ".join(invalid_reasons(offered(waited=3), 0.1))
    assert invalid_reasons(offered(waited=3), 0.05) == ()


def test_latency_counts_from_when_the_request_was_due():
    assert offered(lag=0.5).latencies == pytest.approx(0.51)


def test_failures_count_as_misses_and_every_request_is_counted():
    status = np.full(2000, 200, np.int16)
    status[:3], status[3] = 503, 0
    outcome = np.zeros(2000, np.uint8)
    outcome[3] = 1
    run = offered(status=status, outcome=outcome)
    assert run.misses(0.1).sum() == 4
    assert run.counts() == {"status 200": 1996, "status 503": 3, "timed out": 1}


def test_the_runs_of_workers_merge_in_the_order_of_the_schedule():
    odd, even = np.arange(1, 20, 2), np.arange(0, 20, 2)
    late = replace(offered(lag=0.5, count=10), answers=[RequestResult(3, 200, b"x")])
    whole = merged([offered(count=10), late], [odd, even])
    assert len(whole) == 20
    assert (whole.lags[odd] == 0).all()
    assert whole.lags[even] == pytest.approx(0.5)
    assert whole.connections == 128
    assert [answer.index for answer in whole.answers] == [6]
    with pytest.raises(UsageError, match="every request"):
        merged([offered(count=10)], [even + 1])


@pytest.mark.parametrize("capacity", [3.0, 100.0, 777.0])
def test_the_maximum_rate_is_found_within_its_precision(capacity):
    found = find_max_rate(lambda rate: "held" if rate <= capacity else "violated", 50)
    assert found.bounded
    assert found.rate <= capacity < found.above <= found.rate * 1.051


def test_the_maximum_rate_is_never_below_what_is_known_to_hold():
    """A service that held its objective and nothing above it: the known rate is the result, not run again."""
    found = find_max_rate(lambda rate: "held" if rate <= 16 else "violated", 32, known=16)
    assert found.rate == 16
    assert 16 < found.above <= 16 * 1.051
    assert min(p.rate for p in found.probes) > 16
    with pytest.raises(UsageError, match="what is known"):
        find_max_rate(lambda _: "held", 16, known=16)


def test_a_bound_from_above_was_shown():
    """A probe that shows nothing ends the doubling and is no rate that the service does not hold."""
    found = find_max_rate(lambda rate: "held" if rate <= 60 else "inconclusive", 50)
    assert 50 < found.rate <= 60
    assert not found.bounded


def test_what_could_not_be_shown_is_no_capacity():
    assert find_max_rate(lambda _: "inconclusive", 50).rate == 0
    endless = find_max_rate(lambda _: "held", 50, most=1000)
    assert endless.rate == 1000
    assert not endless.bounded


def pairs(seed, factor=1.0, count=10, noise=0.04):
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.2, count)
    draw = lambda: np.exp(luck + rng.normal(0, noise, count))  # noqa: E731
    return draw(), factor * draw()


def test_equal_services_are_seldom_a_regression():
    conclusions = [compare_runs(*pairs(seed)).conclusion for seed in range(400)]
    assert conclusions.count("regression") <= 24
    assert conclusions.count("no regression") >= 200


def test_a_slower_challenger_is_a_regression():
    conclusions = [compare_runs(*pairs(seed, 1.15)).conclusion for seed in range(200)]
    assert conclusions.count("regression") >= 190
    assert conclusions.count("no regression") <= 2


def test_a_challenger_that_stands_on_the_margin_is_seldom_decided():
    """Neither slower beyond the margin nor within it: each is concluded wrongly in at most 5 of 100."""
    conclusions = [compare_runs(*pairs(seed, 1.05)).conclusion for seed in range(400)]
    assert conclusions.count("regression") <= 32
    assert conclusions.count("no regression") <= 32


def test_few_or_noisy_runs_are_not_enough():
    assert compare_runs([1, 1, 1, 1], [1, 1, 1, 1]).conclusion == "not enough runs"
    assert compare_runs(*pairs(1, noise=0.5)).conclusion == "not enough runs"
    assert compare_runs([], []).conclusion == "not enough runs"


def test_a_challenger_that_fails_its_requests_is_a_regression():
    assert compare_runs([1.0] * 10, [1.0] * 8 + [math.inf] * 2).conclusion == "regression"
    assert compare_runs([1.0] * 10, [1.0] * 9 + [math.inf]).conclusion == "not enough runs"
    assert compare_runs([math.inf] * 10, [1.0] * 10).conclusion == "not enough runs"


def test_pairs_are_interleaved_half_each_way():
    first = [each[0] for each in interleaved_order(10, 4)]
    assert first.count("champion") == 5
    assert interleaved_order(10, 4) == interleaved_order(10, 4) != interleaved_order(10, 5)


def test_figures_that_cannot_be_paired_are_refused():
    with pytest.raises(UsageError):
        compare_runs([1.0], [1.0, 2.0])
    with pytest.raises(UsageError):
        compare_runs([0.0] * 5, [1.0] * 5)


def test_histograms_of_parts_sum_to_the_histogram_of_the_whole():
    values = np.random.default_rng(1).exponential(0.05, 5_000)
    values[:10] = math.inf
    parts = merge([histogram(values[:2_000]), histogram(values[2_000:]).encode()])
    whole = histogram(values)
    for percentile in (0.5, 0.99, 0.999):
        assert percentile_seconds(parts, percentile) == percentile_seconds(whole, percentile)
    assert parts.get_total_count() == 5_000
    assert percentile_seconds(whole, 0.9) == pytest.approx(quantile(values, 0.9), rel=0.002)
    assert percentile_seconds(whole, 0.999) == math.inf
    with pytest.raises(ValueError, match="not a number"):
        histogram([math.nan])
