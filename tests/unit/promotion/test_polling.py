"""When the registry is looked at, and how far back."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.promotion.triggers.polling import (
    CHANGED,
    FULL_SECONDS,
    LISTED,
    SLACK_SECONDS,
    Look,
    marks_after,
    next_look,
    wanted,
)

NOW = 1_000_000.0


@dataclass(frozen=True)
class Version:
    changed: int
    name: str = "payments"


def test_the_first_look_is_at_everything():
    """Nothing was read yet; what was seen then is where the next look begins, with some slack for clocks."""
    look = next_look({}, NOW)
    assert look == Look(0.0, full=True)
    marks = marks_after(look, [Version(5_000_000), Version(4_000_000)], {}, NOW)
    assert marks == {CHANGED: 5_000_000, LISTED: NOW}
    assert next_look(marks, NOW + 60) == Look(5_000_000 - 1000 * SLACK_SECONDS, full=False)


def test_everything_is_listed_again_after_an_hour():
    """Whatever an incremental look cannot see, such as a version with an old date, waits no longer than that."""
    marks = {CHANGED: 5_000_000.0, LISTED: NOW}
    assert not next_look(marks, NOW + FULL_SECONDS - 1).full
    assert next_look(marks, NOW + FULL_SECONDS).full


def test_a_mark_never_goes_back():
    """A look that saw nothing, or only what is older, changes no mark; only a full one notes when it was."""
    marks = {CHANGED: 5_000_000.0, LISTED: NOW}
    part = next_look(marks, NOW + 60)
    assert marks_after(part, [], marks, NOW + 60) == {CHANGED: 5_000_000.0}
    assert marks_after(part, [Version(1)], marks, NOW + 60) == {CHANGED: 5_000_000.0}


def test_an_empty_registry_is_looked_at_incrementally_too():
    """A mark of nothing does not turn each later look into a full one, nor into none."""
    marks = marks_after(next_look({}, NOW), [], {}, NOW)
    assert next_look(marks, NOW + 60) == Look(1.0, full=False)


def test_only_the_projects_models_are_wanted():
    """Patterns as in a shell, case and all."""
    seen = [Version(1, n) for n in ("payments", "payments-eu", "Payments", "churn")]
    assert [v.name for v in wanted(seen, ["payments", "payments-*"])] == ["payments", "payments-eu"]
    assert wanted(seen, ["*"]) == seen
