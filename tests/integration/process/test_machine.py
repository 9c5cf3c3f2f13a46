"""One measurement at a time on a machine: others wait, are told so, and measure nothing where it takes too long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from seatrial import Pipeline, Trial, capture, checks, run
from seatrial.checks.base import Check
from seatrial.errors import UsageError
from seatrial.events import Evaluated, Event
from seatrial.policy.policy import Policy
from seatrial.policy.service import service_settings
from seatrial.process import machine
from tests.support.waiting import until

HOLDS = """
import sys, time
from seatrial.process import machine

with machine.held(60) as mine:
    print("held" if mine else "refused", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of this test's own."""
    monkeypatch.setenv(machine.LOCK, str(tmp_path / "lock"))
    return tmp_path / "lock"


def test_a_holder_that_is_killed_frees_it() -> None:
    """Nobody has to wait for a lease."""
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with machine.held(0) as mine:
            assert not mine
        holder.kill()
        holder.wait()
    with machine.held(0) as mine:
        assert mine


def test_whoever_waits_is_told_and_gets_it_in_the_end() -> None:
    """The next holder begins when the one before ends."""
    told, order = list[float](), list[str]()

    def second() -> None:
        with machine.held(600, told.append) as mine:
            order.append(f"second {mine}")

    with machine.held(0) as mine:
        assert mine
        other = threading.Thread(target=second)
        other.start()
        until(lambda: told)
        order.append("first")
    other.join()
    assert order == ["first", "second True"]
    assert len(told) == 1


def test_a_lock_of_another_user_will_do(lock: Path) -> None:
    """It is only read; a link is not followed, and what cannot be opened is said with what to set."""
    lock.touch(mode=0o444)
    with machine.held(0) as mine:
        assert mine
    lock.unlink()
    lock.symlink_to(lock.with_name("elsewhere"))
    with pytest.raises(UsageError, match=rf"cannot be opened: .*Have {machine.LOCK} name a file"), machine.held(0):
        pass


@pytest.mark.parametrize("alone", [True, False])
def test_what_measures_is_not_run_beside_another(alone: bool) -> None:
    """It is inconclusive, with the reason and what to do; checks that measure nothing wait for nobody."""
    ran = list[str | None]()

    def measure(_: Trial, stage: str | None) -> Iterator[Event]:
        ran.append(stage)
        yield Evaluated("measures", stage, compared=1)

    pipeline = Pipeline("shop", key="id", raw=lambda frame: frame, score=lambda frame: frame)
    reference = capture(pipeline, pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0]}))
    check = Check("measures", measure, lambda _: ["raw", None], alone=alone)
    policy = Policy(service=service_settings({"stress": {"wait_seconds": 0}}))
    with machine.held(0) as mine:
        assert mine
        verdict = run(pipeline, reference, [check], policy=policy)
    assert verdict.outcome.value == ("inconclusive" if alone else "pass")
    assert ran == ([] if alone else ["raw", None])
    assert ("Raise wait_seconds of [stress]" in verdict.summary) == alone
    assert run(pipeline, reference, [check], policy=policy).outcome.value == "pass", "the machine is free again"


def test_load_and_resilience_measure() -> None:
    """And no other check of ours."""
    assert {check.name for check in checks.named(None) if check.alone} == {"load", "resilience"}
