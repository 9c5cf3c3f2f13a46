"""What the project's code raises in a worker: events name it, and the local evidence has its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import ProjectError
from seatrial.events import Case, Finding, Outcome, Subject
from seatrial.events.local import Raised
from seatrial.orchestration.judge import judging
from seatrial.project import Project
from seatrial.reference.snapshot import Reference
from tests.support.small_shop import make


def broken(root: Path, *changes: tuple[str, str]) -> Project:
    """Make the shop, and change its pipeline after the capture."""
    made = make(root)
    file = made.folder / "pipeline.py"
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    made.reference.save(root / "reference")
    for folder in ("model", "expectations"):
        (root / folder).mkdir()
    return Project.find(root)


LOADS = (
    ("def respond(frame):", "def respond(frame, model):"),
    ("    dependencies=", "    model=lambda path: {}['CANARY'],\n    dependencies="),
)


def raised(records: object) -> list[Raised]:
    return [r for r in records if isinstance(r, Raised)]  # type: ignore[attr-defined]


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The verdict has type and line; the record of the run has the text."""
    project = broken(tmp_path / "shop", *LOADS)
    with judging(project) as judge:
        reason = judge.load(project.root / "model", Reference.load(project.root / "reference"))
        verdict = judge.verdict([], [Case("golden", "raw")], subject=Subject("shop", "1"))
    assert reason is not None
    assert "KeyError" in reason
    assert verdict.outcome is Outcome.ERROR
    assert "CANARY" not in verdict.to_json()
    [record] = raised(judge.local.records)
    assert record.place is None
    assert record.text.endswith("KeyError: 'CANARY'\n")


def test_a_stage_that_raises(tmp_path: Path) -> None:
    """The finding names type and line, and its traceback begins in the project's file."""
    raises = ('    return frame.assign(total=frame["total"].round(1))', '    raise ValueError(f"CANARY {frame.shape}")')
    project = broken(tmp_path / "shop", raises)
    with judging(project) as judge:
        assert judge.load(project.root / "model", Reference.load(project.root / "reference"), only=["golden"]) is None
        findings = [e for case in judge.planned for e in judge.run(case) if isinstance(e, Finding)]
    assert any("ValueError" in f.message for f in findings)
    assert not any("CANARY" in f.message for f in findings)
    [record] = raised(judge.local.records)
    assert record.place == "response"
    assert record.text.splitlines()[1].startswith('  File "')
    assert "pipeline.py" in record.text.splitlines()[1]
    assert "ValueError: CANARY (60, " in record.text


def test_nothing_is_kept_where_the_project_says_so(tmp_path: Path) -> None:
    """validations = 0 switches it off."""
    project = broken(tmp_path / "shop", *LOADS)
    settings = project.root / "pyproject.toml"
    settings.write_text(settings.read_text() + "[tool.seatrial.local_evidence]\nvalidations = 0\n")
    with judging(Project.find(project.root)) as judge:
        assert judge.load(project.root / "model", Reference.load(project.root / "reference")) is not None
    assert judge.local.records == ()


def test_a_pipeline_that_cannot_be_read_has_its_traceback_with_the_error(tmp_path: Path) -> None:
    """The command prints it above its message."""
    project = broken(tmp_path / "shop", ("LIMIT = 40", "LIMIT = int('CANARY')"))
    with judging(project) as judge, pytest.raises(ProjectError) as error:
        _ = judge.policy
    assert "invalid literal for int() with base 10: 'CANARY'" in error.value.details
