"""The content of a run of Weights & Biases, and the environment of the process that logs it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from seatrial.events import Outcome
from seatrial.registry.protocol import Fetched, Version
from seatrial.registry.runs import run_payload
from seatrial.registry.wandb import process
from seatrial.registry.wandb.content import accepted, run_content
from seatrial.registry.wandb.tracker import mode
from seatrial.sinks.files import write_results
from seatrial.testing.samples import sample_reference, sample_verdict

HOSTILE = "\x00<script>/../\ud800" + "x" * 300


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE", "SEATRIAL_WANDB_LINK"):
        monkeypatch.delenv(name, raising=False)


def test_a_run_is_json_whatever_an_author_wrote(tmp_path: Path) -> None:
    """It is sent to another process; names are those that W&B accepts, and stay apart."""
    verdict = sample_verdict(Outcome.FAIL, HOSTILE)
    version = Version(HOSTILE, "1", 1, "run", "")
    body = run_payload(verdict, Fetched(version, tmp_path, "sha256:0", sample_reference()))
    content = run_content(body, write_results(verdict, [], tmp_path / "files"), "key")
    assert json.loads(json.dumps(asdict(content)))["rows"][0][0] == 1
    assert content.project == accepted(HOSTILE) != accepted(HOSTILE + "y")
    for name in (content.project, content.report.name, content.reference.name if content.reference else ""):
        assert 0 < len(name) <= 128
        assert not set(name) & set("/\\#?%:\r\n")
    assert all(len(tag) <= 64 for tag in content.tags)


def test_the_environment_says_where_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Project, team and the collection that reports are linked to."""
    monkeypatch.setenv("WANDB_PROJECT", "gates")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("SEATRIAL_WANDB_LINK", "wandb-registry-reports/payments")
    content = run_content({"model": "payments", "tags": {}}, tmp_path)
    assert (content.project, content.entity, content.link) == ("gates", "team", "wandb-registry-reports/payments")
    assert content.rows == ()
    assert content.reference is None


def test_the_process_sees_no_run_around_the_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And sends nothing of the machine, whatever the environment says."""
    given = {"WANDB_RUN_ID": "a", "WANDB_SERVICE": "b", "WANDB_ERROR_REPORTING": "true", "WANDB_API_KEY": "c"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    seen = process.environ(tmp_path)
    assert "WANDB_RUN_ID" not in seen
    assert "WANDB_SERVICE" not in seen
    assert (seen["WANDB_ERROR_REPORTING"], seen["WANDB_API_KEY"], seen["WANDB_DISABLE_GIT"]) == ("false", "c", "true")


def test_no_error_shows_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server or the package said."""
    monkeypatch.setenv("WANDB_API_KEY", "very-secret-key")
    monkeypatch.setenv("WANDB_BASE_URL", "https://ann:pass@wandb.example")
    told = str(process.refused("401 for very-secret-key at https://ann:pass@wandb.example/graphql"))
    assert "very-secret" not in told
    assert "pass@" not in told


@pytest.mark.parametrize(
    ("given", "means"),
    [("", ""), ("online", "online"), ("Offline", "offline"), ("dryrun", "offline"), ("run", "online")],
)
def test_the_modes_that_log(given: str, means: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old names too."""
    monkeypatch.setenv("WANDB_MODE", given)
    assert mode() == means
