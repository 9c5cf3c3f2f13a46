"""What is held ends once, whoever entered it and whenever, and nobody waits for somebody else's begin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from seatrial.process.held import Held


@contextmanager
def noted(log: list[str], name: str) -> Iterator[str]:
    """Note when it begins and ends."""
    log.append(f"{name} begins")
    yield name
    log.append(f"{name} ends")


def test_the_last_ends_first_and_each_once() -> None:
    log, held = list[str](), Held()
    assert [held.enter(noted(log, name)) for name in "ab"] == ["a", "b"]
    held.close()
    held.close()
    assert log == ["a begins", "b begins", "b ends", "a ends"]


def test_one_that_comes_late_ends_at_once() -> None:
    log, held = list[str](), Held()
    held.close()
    held.enter(noted(log, "a"))
    assert log == ["a begins", "a ends"]


def test_one_may_enter_another_and_close_may_close() -> None:
    log, held = list[str](), Held()

    @contextmanager
    def nested() -> Iterator[None]:
        held.enter(noted(log, "inner"))
        yield
        held.close()

    held.enter(nested())
    held.close()
    assert log == ["inner begins", "inner ends"]


def test_close_does_not_wait_for_one_that_is_still_beginning() -> None:
    held, waits, log = Held(), threading.Event(), list[str]()

    @contextmanager
    def slow() -> Iterator[None]:
        waits.wait(30)
        yield
        log.append("ends")

    thread = threading.Thread(target=held.enter, args=(slow(),))
    thread.start()
    held.close()
    assert not log
    waits.set()
    thread.join(30)
    assert log == ["ends"]
