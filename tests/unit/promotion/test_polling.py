"""When the registry is listed, and how far back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from seatrial.errors import UsageError
from seatrial.promotion.triggers.polling import (
    CHANGED,
    FULL_SECONDS,
    LISTED,
    SLACK_SECONDS,
    START,
    ScanPlan,
    matching_models,
    plan_scan,
    start_from,
    started,
    watermarks_after,
)

NOW = 1_000_000.0


@dataclass(frozen=True)
class Version:
    changed: int
    name: str = "payments"
    created: int = 0


def test_the_first_scan_lists_everything():
    """Nothing was read yet; the next scan begins at the newest change, with some slack for clocks."""
    plan = plan_scan({}, NOW)
    assert plan == ScanPlan(0.0, full=True)
    watermarks = watermarks_after(plan, [Version(5_000_000), Version(4_000_000)], {}, NOW)
    assert watermarks == {CHANGED: 5_000_000, LISTED: NOW}
    assert plan_scan(watermarks, NOW + 60) == ScanPlan(5_000_000 - 1000 * SLACK_SECONDS, full=False)


def test_everything_is_listed_again_after_an_hour():
    """What an incremental scan cannot list, such as a version with an old date, waits no longer than that."""
    watermarks = {CHANGED: 5_000_000.0, LISTED: NOW}
    assert not plan_scan(watermarks, NOW + FULL_SECONDS - 1).full
    assert plan_scan(watermarks, NOW + FULL_SECONDS).full


def test_a_watermark_never_decreases():
    """A scan that lists nothing, or only older changes, changes no watermark; only a full one records its time."""
    watermarks = {CHANGED: 5_000_000.0, LISTED: NOW}
    part = plan_scan(watermarks, NOW + 60)
    assert watermarks_after(part, [], watermarks, NOW + 60) == {CHANGED: 5_000_000.0}
    assert watermarks_after(part, [Version(1)], watermarks, NOW + 60) == {CHANGED: 5_000_000.0}


def test_an_empty_registry_is_scanned_incrementally_too():
    """A watermark of nothing does not turn each later scan into a full one, nor into none."""
    watermarks = watermarks_after(plan_scan({}, NOW), [], {}, NOW)
    assert plan_scan(watermarks, NOW + 60) == ScanPlan(1.0, full=False)


def test_only_the_projects_models_match():
    """Patterns as in a shell, case and all."""
    seen = [Version(1, n) for n in ("payments", "payments-eu", "Payments", "churn")]
    assert [v.name for v in matching_models(seen, ["payments", "payments-*"])] == ["payments", "payments-eu"]
    assert matching_models(seen, ["*"]) == seen


@pytest.mark.parametrize(
    ("since", "milliseconds"),
    [
        ("all", 0.0), ("now", 400_000.0), ("1970-01-02", 86_400_000.0), ("1970-01-01T01:00", 3_600_000.0),
        ("1970-01-01T01:00+01:00", 0.0),
    ],
)  # fmt: skip
def test_what_was_registered_before_the_start_is_left_alone(since, milliseconds):
    """Everything is listed again, and what is older than the start is not validated."""
    after = start_from(since, 1_000.0)
    assert after == {START: milliseconds, LISTED: 0.0}
    listed = [Version(1, created=created) for created in (0, int(milliseconds), 10**12)]
    assert started(listed, after) == listed[1 if milliseconds else 0 :]
    assert started(listed, {}) == listed, "a ledger that knows no start validates everything"
    assert plan_scan({CHANGED: 5.0, **after}, 10**6).full


def test_a_start_that_is_no_date_is_refused():
    """With what is allowed."""
    with pytest.raises(UsageError, match="'yesterday' is no date"):
        start_from("yesterday", 0.0)
