"""Schedules are seeded, follow their profile, and can be divided among workers without changing what is sent."""

import numpy as np
import pytest

from seatrial.errors import UsageError
from seatrial.loadgen.schedule import Profile, constant, poisson
from tests.support.load_shapes import burst, ramp, recorded


def test_the_same_seed_gives_the_same_schedule():
    first, again, other = (poisson(constant(100, 10), seed) for seed in (1, 1, 2))
    assert (first.at == again.at).all()
    assert len(first) != len(other) or (first.at != other.at).any()
    assert (np.diff(first.at) >= 0).all()
    assert first.at[0] >= 0
    assert first.at[-1] <= 10


def test_gaps_of_a_constant_rate_are_exponential():
    from scipy.stats import kstest

    gaps = np.diff(poisson(constant(1000, 20), 5).at)
    assert kstest(gaps, "expon", args=(0, 1 / 1000)).pvalue > 0.01
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.03


def test_counts_vary_like_poisson_and_a_fixed_count_is_exact():
    counts = [len(poisson(constant(50, 10), seed)) for seed in range(300)]
    assert np.mean(counts) == pytest.approx(500, rel=0.02)
    assert np.var(counts) == pytest.approx(500, rel=0.3)
    assert len(poisson(constant(50, 10), 0, requests=321)) == 321


@pytest.mark.parametrize(
    ("profile", "share_in_first_half"),
    [
        (constant(100, 10), 0.5),
        (ramp(0, 200, 10), 0.25),
        (ramp(200, 0, 10), 0.75),
        (ramp(100, 100 + 1e-9, 10), 0.5),
        (Profile(((0, 10), (5, 10), (5, 90), (10, 90))), 0.1),
        (Profile(((0, 0), (5, 0), (5, 90), (10, 90))), 0.0),
    ],
)
def test_arrivals_follow_the_profile(profile, share_in_first_half):
    at = poisson(profile, 11, requests=20_000).at
    assert (at < 5).mean() == pytest.approx(share_in_first_half, abs=0.012)
    assert np.isfinite(at).all()


def test_a_profile_is_scaled_to_its_peak_and_repeated():
    """Another highest rate and several turns keep the shape, steps included."""
    recorded_ = Profile(((0, 2), (4, 2), (4, 8), (6, 8)))
    made = recorded_.scaled(40).repeated(3)
    assert (made.peak, made.seconds, made.expected) == (40, 18, 3 * (40 + 80))
    at = poisson(made, 3, requests=10_000).at
    assert ((at % 6) >= 4).mean() == pytest.approx(80 / 120, abs=0.02)


def test_a_burst_has_its_peak_at_the_end_of_each_period():
    profile = burst(10, 100, every=5, lasting=1, seconds=10)
    assert profile.expected == 2 * (40 + 100)
    at = poisson(profile, 3, requests=10_000).at
    assert ((at % 5) >= 4).mean() == pytest.approx(100 / 140, abs=0.02)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_shares_are_disjoint_and_together_the_whole(workers):
    whole = poisson(ramp(10, 500, 10), 4)
    parts = [whole.share(worker, workers) for worker in range(workers)]
    assert (np.sort(np.concatenate([part.at for part in parts])) == whole.at).all()
    assert [len(part) for part in parts] == pytest.approx([len(whole) / workers] * workers, rel=0.12)


def test_a_share_is_itself_a_poisson_process():
    from scipy.stats import kstest

    part = poisson(constant(2000, 20), 6).share(1, 4)
    assert kstest(np.diff(part.at), "expon", args=(0, 1 / 500)).pvalue > 0.01


def test_recorded_arrivals_are_replayed_as_they_were_or_faster():
    assert recorded([100.0, 100.5, 103.0]).at.tolist() == [0.0, 0.5, 3.0]
    assert recorded([103.0, 100.0, 100.5], speed=2).at.tolist() == [0.0, 0.25, 1.5]


def test_the_peak_counts_the_fullest_window():
    assert recorded([0, 1, 1.1, 1.2, 5]).peak(0.5) == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: constant(0, 10),
        lambda: constant(-1, 10),
        lambda: constant(float("nan"), 10),
        lambda: Profile(((1, 1), (2, 1))),
        lambda: Profile(((0, 1), (2, 1), (1, 1))),
        lambda: burst(1, 2, every=1, lasting=1, seconds=10),
        lambda: poisson(constant(1, 1), 0, requests=0),
        lambda: recorded([1.0]),
        lambda: recorded([1.0, 1.0]),
        lambda: poisson(constant(10, 10), 0).share(2, 2),
    ],
)
def test_a_schedule_without_load_is_refused(make):
    with pytest.raises(UsageError):
        make()
