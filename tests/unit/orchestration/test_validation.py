"""A validation that was interrupted has no verdict, whatever was found until then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from seatrial.errors import Interrupted
from seatrial.events import Case, Evaluated, Event, NotEvaluated, Subject, total
from seatrial.io import files
from seatrial.orchestration.validation import LEAVING_OUT, Validation
from seatrial.promotion.code import Code
from seatrial.registry.unavailable import is_unavailable

CASES = [Case("golden", "features"), Case("golden", "score")]
RAN: list[Event] = [Evaluated("golden", "features", compared=5), Evaluated("golden", "score", compared=5)]
CRASHED: list[Event] = [RAN[0], NotEvaluated("golden", "score", "The check crashed: OSError.", crashed=True)]


def validated(folder: Path, events: list[Event]) -> Validation:
    """Return a validation whose cases had these events."""

    class Judge:
        """Sums events up, as the real one does."""

        trial = None

        def verdict(self, events: list[Event], planned: list[Case], *, subject: Subject, seconds: float) -> Any:
            """Return the verdict."""
            return total(events, subject=subject, path=["features", "score"], planned=planned, seconds=seconds)

    options = {**dict.fromkeys(LEAVING_OUT), "in_process": False}
    made = Validation(
        cast(Any, None), cast(Any, Judge()), folder, "validate", options, cast(Any, Code({"pipeline.py": "00" * 32}))
    )
    version = SimpleNamespace(uri="models:/payments/1")
    made._fetched = cast(Any, SimpleNamespace(version=version, subject=Subject("payments", "1")))
    made.cases, made.events = list(CASES), list(events)
    return made


def test_a_case_that_prefect_did_not_run_leaves_no_verdict(tmp_path: Path) -> None:
    """It would be inconclusive, for ever, because a server was away for a moment."""
    with pytest.raises(Interrupted, match="Prefect did not run score · golden") as caught:
        validated(tmp_path, RAN[:1]).sum_up()
    assert is_unavailable(caught.value)


@pytest.mark.parametrize(("events", "full", "outcome"), [(CRASHED, False, "error"), (RAN, True, "pass")])
def test_a_verdict_stands(
    events: list[Event], full: bool, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A crash with space on every disk is an error, and a pass is one on a full disk too."""
    if full:
        monkeypatch.setattr(files, "LEAST_BYTES", 2**63)
    made = validated(tmp_path, events)
    made.sum_up()
    assert made.verdict.outcome.value == outcome


def test_what_crashed_on_a_full_disk_leaves_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which disk, and what was found."""
    monkeypatch.setattr(files, "LEAST_BYTES", 2**63)
    with pytest.raises(Interrupted, match=f"The disk of '{tmp_path}' is full: error: ") as caught:
        validated(tmp_path, CRASHED).sum_up()
    assert is_unavailable(caught.value)
