"""After a week of validations, failures and killed processes the disk holds what the settings say, and what matters."""

from __future__ import annotations

import ast
import tempfile
import time
from pathlib import Path

import pytest

from seatrial.ledger import Ledger
from seatrial.promotion.attestation import FILE as STATEMENT
from seatrial.sinks import retention
from seatrial.sinks.retention import DAY, MADE
from tests.support.week import HOURS, Week, begin, size

SOURCE = Path(retention.__file__).parents[1]
MEBIBYTE = 2**20
VERDICT_BYTES = 20_000  # of the ledger, with its indices


def test_at_every_hour_of_a_week_the_disk_is_under_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What versions in use need stays; the rest goes by size, number and age, as do leftovers of the killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv("SEATRIAL_LEDGER_URL", raising=False)
    begun = time.time() - HOURS * 3600.0
    project = begin(tmp_path, tmp_path / "tmp", begun, validations=12, days=3.0, total_mb=1)
    week, state = Week(project, tmp_path / "tmp", begun), project.state
    peak = 0
    with Ledger.of(state) as ledger:
        for now in week.hours(ledger):
            stay = week.must_stay()
            assert all((folder / STATEMENT).is_file() for folder in stay), "the evidence of a version in use is gone"
            today = [each for each in (state / "versions").glob("*") if now - each.stat().st_mtime < DAY]
            held = max(MEBIBYTE, sum(map(size, [*stay, *today])))
            assert size(state / "reports") + size(state / "versions") <= held
            results = [f for f in (state / "reports").glob("*/2*") if f not in stay]
            assert len(results) <= 12
            assert all(now - folder.stat().st_mtime <= 3 * DAY for folder in results)
            assert size(state / "environments") <= MEBIBYTE
            assert size(state / "private") <= MEBIBYTE
            left = [*(tmp_path / "tmp").iterdir(), *state.glob("seatrial-*")]
            assert all(now - each.stat().st_mtime <= 2 * DAY for each in left)
            peak = max(peak, size(state / "reports"))
        parents = [parent for kind in ("reports", "private") for parent in (state / kind).iterdir()]
        assert all(any(parent.iterdir()) for parent in parents)
        assert all(link.exists() for link in (state / "reports").glob("*/latest"))
        verdicts = sum(len(ledger.verdicts(f"model-{n}")) for n in range(week.models))
        parked = sum(standing.parked for standing in ledger.standings())
    assert verdicts == len(week.validated), "verdicts are never deleted"
    assert peak > MEBIBYTE // 2, "the week was too quiet to show anything"
    assert (state / "ledger.db").stat().st_size < verdicts * VERDICT_BYTES + (parked + 2) * 3 * week.file_bytes


def test_every_temporary_folder_of_ours_is_known_to_what_deletes_them() -> None:
    """A process that is killed leaves it; whoever names a new kind adds it to the list."""
    named = [
        keyword.value.value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("mkdtemp", "TemporaryDirectory")
        for keyword in node.keywords
        if keyword.arg == "prefix" and isinstance(keyword.value, ast.Constant)
    ]
    ours = {str(name).removeprefix("seatrial-").rstrip("-") for name in named if str(name).startswith("seatrial-")}
    assert "trial" in ours
    assert ours - {""} <= set(MADE)
