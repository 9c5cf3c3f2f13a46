"""The action runs the real command: a fail, and a version that is not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seatrial.project import Project
from tests.support.ci_steps import run_action

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_api")]
PART = "--only expectations --quiet"


@pytest.fixture
def path() -> dict[str, str]:
    """The commands of this environment, and no system that is not there."""
    scripts = Path(sys.executable).parent
    return {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "GITHUB_ACTIONS": "true"}


def test_a_version_with_skew_fails_the_step(payments: Project, tmp_path: Path, path: dict[str, str]) -> None:
    """Verdict, exit code, both reports and the annotation."""
    inputs = {"version": "models:/payments/2", "project": str(payments.root), "args": PART}
    ended = run_action(inputs, tmp_path, path | {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    assert (ended.code, ended.outputs["verdict"], ended.outputs["exit-code"]) == (1, "fail", "1"), ended.said
    assert "::error " in ended.said
    assert "hour" in Path(ended.outputs["report"]).read_text(encoding="utf-8")
    assert ElementTree.parse(ended.outputs["junit"]).getroot().get("failures") != "0"


def test_a_version_that_is_not_there_is_an_error(payments: Project, tmp_path: Path, path: dict[str, str]) -> None:
    """And no report is named."""
    ended = run_action({"version": "models:/payments/99", "project": str(payments.root)}, tmp_path, path)
    assert (ended.code, ended.outputs["verdict"], ended.outputs["report"]) == (2, "error", ""), ended.said
    assert "has no version '99'" in ended.said
