"""Progress without a terminal: one line whenever nothing was said for ten seconds, and no flood."""

from __future__ import annotations

from seatrial.events import Case, Evaluated, Subject, total
from seatrial.sinks.progress.log import EVERY_SECONDS, ProgressLog


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        """Return its seconds."""
        return self.now


def logged(**options: bool) -> tuple[ProgressLog, Clock, list[str]]:
    """Return a log, its clock, and what it has written."""
    clock, lines = Clock(), list[str]()
    return ProgressLog(lines.append, clock=clock, **options), clock, lines


def test_it_is_never_silent_for_more_than_ten_seconds() -> None:
    """A line each ten seconds, however often it is asked, from the start of the servers to their end."""
    log, clock, lines = logged()
    for second in range(1, 41):
        clock.now = float(second)
        log.tick()
    assert len(lines) == 40 / EVERY_SECONDS
    assert lines[0] == "[10 s] starting the servers and the worker"


def test_a_line_says_what_runs_and_how_much_is_done() -> None:
    """The cases that run now, with their progress; those that ended are counted; names are made visible."""
    log, clock, lines = logged()
    log.planned([Case("golden", "features"), Case("load", "service"), Case("contract")])
    log.started("features · golden")
    log.event(Evaluated("golden", "features", 5))
    log.started("service · load\x1b[2J")
    log.progress(200, 1_500, "requests")
    clock.now = 12.0
    log.tick()
    assert lines == ["[12 s] 1 of 3 cases done, now service · load\\x1b[2J (200 of 1,500: requests)"]


def test_many_that_run_side_by_side_are_counted() -> None:
    """Three are named."""
    log, clock, lines = logged()
    log.planned([Case("golden", f"s{n}") for n in range(9)])
    for n in range(5):
        log.started(f"s{n} · golden")
    clock.now = 10.0
    log.tick()
    assert lines[0].endswith("now s0 · golden, s1 · golden, s2 · golden, 2 more")


def test_versions_are_named_until_they_have_their_result() -> None:
    """As 'reconcile' has one after the other."""
    log, clock, lines = logged()
    log.started("models:/churn/2")
    clock.now = 10.0
    log.tick()
    log.note("models:/churn/2: pass.")
    clock.now = 21.0
    log.tick()
    assert lines == [
        "[10 s] models:/churn/2",
        "[21 s] starting the servers and the worker",
    ]


def test_beside_a_terminal_only_the_time_before_the_cases_is_logged() -> None:
    """The terminal shows the cases itself; after the verdict the servers end."""
    log, clock, lines = logged(beside=True)
    log.planned([Case("contract")])
    clock.now = 60.0
    log.tick()
    assert lines == []
    log.verdict(total([], subject=Subject("m", "1"), path=(), planned=[], seed=0, seconds=1.0))
    clock.now = 75.0
    log.tick()
    assert lines == ["[75 s] stopping the servers"]
