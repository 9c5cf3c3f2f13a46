"""Wrong inputs are told in one message, with what to type next, before anything slow is imported or started."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import TargetError
from seatrial.orchestration import runner
from seatrial.project import Project
from tests.support.refusals import REFUSALS, Refusal, environment, make_project

MANY = 25
NOBODY = "http://127.0.0.1:1/api"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], dict[str, Any]]:
    """What every command said, without and with ``--debug``: one process for all of them."""
    root = tmp_path_factory.mktemp("refusals") / "project"
    root.mkdir()
    make_project(root)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.refused", str(root)], capture_output=True, text=True, check=False,
        env=environment(), cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {(line["name"], line["debug"]): line for line in lines}


def test_there_are_many() -> None:
    """Over all commands, each under a name of its own."""
    assert len({case.name for case in REFUSALS}) == len(REFUSALS) >= MANY
    assert {case.words[0] for case in REFUSALS} >= {
        "validate", "stress", "capture", "verify", "mutate", "fixtures", "reconcile", "deploy", "up", "diff", "schema"
    }  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_it_is_refused_at_once(case: Refusal, said: dict[tuple[str, bool], dict[str, Any]]) -> None:
    """One message, exit code 2, nothing slow; what was found, what there is, what to type; no secret, nothing cut."""
    told = said[case.name, False]
    assert told["code"] == 2, told
    assert told["slow"] == [], told
    assert "Traceback" not in told["out"] + told["err"]
    message = told["err"].strip()
    assert [line for line in message.splitlines() if not line.startswith("  ")] == message.splitlines()[:1]
    assert message.startswith("seatrial: ")
    assert all(part in message for part in case.says), message
    assert "secret" not in message
    assert "internal error" not in message


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_debug_changes_neither_code_nor_message(case: Refusal, said: dict[tuple[str, bool], dict[str, Any]]) -> None:
    """``--debug`` puts the traceback above the message."""
    plain, debug = said[case.name, False], said[case.name, True]
    assert debug["code"] == plain["code"]
    last = [re.sub(r"\d{4,5}", "PORT", told["err"].strip().splitlines()[-1]) for told in (plain, debug)]
    assert last[0] == last[1]


def test_a_prefect_that_went_away_is_one_clear_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before the flow begins, and while it runs: the address, the variable, and what to type."""
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)
    monkeypatch.setattr(runner, "ANSWER_SECONDS", 0.0)
    project = Project(tmp_path, tmp_path / "pipeline.py", "pipeline", tmp_path, tmp_path, tmp_path)
    with (
        runner.prefect_server(project) as wait,
        pytest.raises(TargetError, match=r"Prefect does not answer at http://127.0.0.1:1/api.*prefect server start"),
    ):
        wait()

    def gone(**_: object) -> None:
        raise RuntimeError("Failed to reach API at http://127.0.0.1:1/api/")

    monkeypatch.setattr(runner, "load_flow", lambda *_: gone)
    with pytest.raises(TargetError, match=r"it stopped answering.*prefect server start"):
        runner.run_flow(project, "validate", {}, lambda: NOBODY, ())
