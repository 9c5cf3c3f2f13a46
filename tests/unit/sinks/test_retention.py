"""What is deleted of a project's state, and what never is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from seatrial.sinks import retention
from seatrial.sinks.retention import DAY, Pruned, Retention, prune_files

KEEP = {"validations": 100, "days": 30.0, "total_bytes": 10**9}


def pruned(state: Path, *, dry: bool = False, **limits: float) -> Pruned:
    """Prune a state whose latest results are in use."""
    kept = KEEP | limits
    limit = Retention(int(kept["validations"]), kept["days"] * DAY, int(kept["total_bytes"]))
    used = [latest.resolve() for latest in state.glob("reports/*/latest")]
    return prune_files(state, limit, environment_bytes=10**9, cache_bytes=10**9, used=used, dry=dry)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state with nine results of three versions, a day apart; a temporary directory of its own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(retention.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    for version in "123":
        for age in range(3):
            made = tmp_path / "reports" / f"payments-{version}" / f"run-{age}"
            made.mkdir(parents=True)
            (made / "report.html").write_bytes(b"x" * 1000)
            aged(made, age + int(version) / 10)
        (made.parent / "latest").symlink_to("run-2")  # made last, whatever its clock said
    return tmp_path


def aged(path: Path, days: float) -> None:
    """Let a folder be last changed so many days ago."""
    at = time.time() - days * DAY
    os.utime(path, (at, at))


def left(state: Path) -> list[str]:
    """Return what results are left."""
    return sorted(f"{path.parent.name[-1]}/{path.name[-1]}" for path in state.glob("reports/*/run-*"))


def test_what_is_young_and_little_stays(state: Path) -> None:
    """Nothing is deleted, and that is what is said."""
    assert pruned(state) == Pruned()
    assert len(left(state)) == 9


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        ({"days": 1.25}, ["1/0", "1/1", "1/2", "2/0", "2/1", "2/2", "3/0", "3/2"]),
        ({"validations": 2}, ["1/0", "1/2", "2/0", "2/2", "3/2"]),
        ({"total_bytes": 4_500}, ["1/0", "1/2", "2/2", "3/2"]),
        ({"days": 0.01, "validations": 1, "total_bytes": 1}, ["1/2", "2/2", "3/2"]),
    ],
)
def test_the_oldest_go_first_and_what_is_in_use_stays(limit: dict[str, float], kept: list[str], state: Path) -> None:
    """By age, by number, by size, and by all of them."""
    told = pruned(state, **limit, dry=True)
    assert len(left(state)) == 9, "nothing is deleted when only asked"
    assert pruned(state, **limit) == told
    assert left(state) == kept
    assert told.results == 9 - len(kept)
    assert told.size == 1000 * told.results


def test_downloads_and_leftovers_of_ours_go_when_they_are_old(state: Path) -> None:
    """Those of other programs, and those that may still be in use, stay."""
    places = {
        "old": state / "versions" / "payments-1", "new": state / "versions" / "payments-2",
        "left": state / "tmp" / "seatrial-trial-a", "used": state / "tmp" / "seatrial-trial-b",
        "theirs": state / "tmp" / "other-trial", "unknown": state / "tmp" / "seatrial-unknown-c",
    }  # fmt: skip
    for name, folder in places.items():
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "weights").write_bytes(b"w" * 10)
        aged(folder, 40 if name in ("old", "left", "theirs", "unknown") else 1)
    (state / "tmp" / "seatrial-trial-link").symlink_to(places["theirs"])
    assert pruned(state) == Pruned(downloads=1, leftovers=1, size=20)
    assert {name for name, folder in places.items() if folder.exists()} == {"new", "used", "theirs", "unknown"}


def test_a_state_that_is_not_there_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reconcile of a project deletes nothing and does not fail."""
    monkeypatch.setattr(retention.tempfile, "gettempdir", lambda: str(tmp_path))
    assert str(pruned(tmp_path / "none")) == "0 results, 0 downloads, 0 cached, 0 leftovers; 0.0 MiB"
