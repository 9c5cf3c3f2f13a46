"""Times to and between tokens, goodput and the length guard: against a plain computation, and at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.loadgen.tokens import between_tokens, goodput, length_guard, time_per_output_token, time_to_first_token

GAPS = st.lists(st.floats(0, 10), max_size=6)


@given(st.lists(st.tuples(st.floats(0, 100), GAPS), max_size=6))
def test_times_are_those_of_a_plain_loop(requests):
    """First token from the request, then the mean of the gaps."""
    sent = [begin for begin, _ in requests]
    events = [[begin + sum(gaps[: n + 1]) for n in range(len(gaps))] for begin, gaps in requests]
    first, per = time_to_first_token(sent, events), time_per_output_token(events)
    gaps = between_tokens(events)
    assert len(gaps) == sum(max(0, len(e) - 1) for e in events)
    for n, row in enumerate(events):
        assert math.isnan(first[n]) if not row else first[n] == pytest.approx(row[0] - sent[n])
        if len(row) < 2:
            assert math.isnan(per[n])
        else:
            assert per[n] == pytest.approx(np.mean(np.diff(row)))


def test_an_event_may_carry_several_tokens():
    """The number of tokens that the service counts is what the time is divided by."""
    assert time_per_output_token([[0.0, 1.0]], [11]).tolist() == [0.1]
    assert math.isnan(time_per_output_token([[0.0]], [11])[0])  # all at once: nothing was seen between


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), max_size=8))
def test_goodput_needs_both_limits(times):
    """Each request by itself."""
    found = goodput(
        np.array([f for f, _ in times]), np.array([p for _, p in times]), first_limit=1, per_token_limit=0.5
    )
    assert found.good == sum(f <= 1 and p <= 0.5 for f, p in times)
    assert found.requests == len(times)
    assert math.isnan(found.share) == (not times)


def test_a_request_without_tokens_is_no_good_one():
    """NaN never keeps a limit on the first token."""
    assert goodput(np.array([np.nan]), np.array([np.nan]), first_limit=9, per_token_limit=9).share == 0.0


@pytest.mark.parametrize(
    ("tokens", "reference", "holds"),
    [([90], [100], True), ([89], [100], False), ([0, 180], [100, 100], True), ([], [], False), ([5], [0], False)],
)
def test_short_answers_are_not_taken_for_fast_ones(tokens, reference, holds):
    """90 % of all tokens, and nothing compared is nothing guarded."""
    assert length_guard(tokens, reference).holds is holds


def test_what_cannot_be_is_refused():
    """Lengths that differ, and times that run backwards."""
    for wrong in (
        lambda: time_to_first_token([0.0], []),
        lambda: time_to_first_token([1.0], [[0.5]]),
        lambda: time_per_output_token([[1.0, 0.5]]),
        lambda: time_per_output_token([[1.0]], [1, 2]),
        lambda: goodput(np.array([1.0]), np.array([]), first_limit=1, per_token_limit=1),
        lambda: length_guard([1], []),
        lambda: length_guard([1], [1], at_least=0),
    ):
        with pytest.raises(UsageError):
            wrong()
