"""What is read ahead is of the time before a worker starts, and of one validation alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.isolation.launch import Launch
from seatrial.orchestration.results import ahead
from seatrial.orchestration.results.ahead import reading_ahead, taken
from seatrial.orchestration.results.asked import asked
from seatrial.orchestration.results.inputs import Inputs
from seatrial.project import Project
from seatrial.sinks.retention import CACHE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose surroundings are what its file says."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    (tmp_path / "pipeline.py").write_text("1")
    monkeypatch.setattr(ahead, "launch_of", lambda _: Launch())
    monkeypatch.setattr(ahead, "surroundings", lambda *_, **__: now(tmp_path))
    return Project.find(tmp_path)


def now(root: Path) -> Inputs:
    return Inputs({"project": (root / "pipeline.py").read_text()})


def test_a_validation_takes_what_was_read_before_its_worker_started(project: Project) -> None:
    """A file that changed after that is another input; the next validation reads anew."""
    with reading_ahead(project) as known:
        assert known is not None
        assert not known()
        (project.root / "pipeline.py").write_text("2")
        assert taken(project, Launch()).parts == {"project": "1"}
        assert taken(project, Launch()).parts == {"project": "2"}


def test_what_no_validation_took_is_forgotten(project: Project) -> None:
    """One that ended before it was loaded leaves nothing to a later one."""
    with reading_ahead(project):
        pass
    (project.root / "pipeline.py").write_text("2")
    assert taken(project, Launch()).parts == {"project": "2"}


def test_no_worker_is_needed_only_where_results_are_kept_and_used(project: Project) -> None:
    """A schedule and --no-cache start one, whatever is kept."""
    (project.state / CACHE / now(project.root).digest).mkdir(parents=True)
    with reading_ahead(project) as known:
        assert known is not None
        assert not known()
    for reused in (True, False):
        with asked(reused), reading_ahead(project) as known:
            assert known is not None
            assert known() is reused
    (project.root / "pipeline.py").write_text("2")
    with asked(True), reading_ahead(project) as known:
        assert known is not None
        assert not known()


def test_nothing_is_read_for_what_uses_and_keeps_nothing(project: Project) -> None:
    """A stress test, a service elsewhere, and a project that wants no cache."""
    with reading_ahead(project, wanted=False) as known:
        assert known is None
    with reading_ahead(replace(project, cache="never")) as known:
        assert known is None
