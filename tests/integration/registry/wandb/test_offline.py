"""Offline runs of Weights & Biases, read back in the package's own format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.events import Outcome
from seatrial.registry.capabilities import HandedOver
from seatrial.registry.protocol import Fetched, Version
from seatrial.registry.runs import run_payload
from seatrial.registry.wandb import process
from seatrial.registry.wandb.content import COLUMNS, run_content
from seatrial.registry.wandb.tracker import WandbTracker
from seatrial.sinks.files import write_results
from seatrial.testing.samples import sample_reference, sample_verdict
from tests.support import wandb_log

KEY = "0123456789abcdef0123456789abcdef01234567"  # of the form of an API key


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "WANDB_SERVICE", "SEATRIAL_WANDB_LINK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_RUN_ID", "of-a-run-around-the-judge")


def payload(outcome: Outcome, tmp_path: Path) -> tuple[dict, Path]:
    """Return the payload and the files of a verdict."""
    verdict = sample_verdict(outcome)
    version = Version("sample", "1", 1_700_000_000_000, "run-1", "")
    fetched = Fetched(version, tmp_path, "sha256:" + "0" * 64, sample_reference())
    return run_payload(verdict, fetched), write_results(verdict, [], tmp_path / outcome.value)


@pytest.mark.parametrize(
    ("outcome", "exit_code"), [(Outcome.PASS, 0), (Outcome.FAIL, 1), (Outcome.INCONCLUSIVE, 2)], ids=str
)
def test_everything_that_was_logged_is_in_the_file(outcome: Outcome, exit_code: int, tmp_path: Path) -> None:
    """Config, summary, findings, the report's files, the reference's digest and the verdict, once for each key."""
    body, artifacts = payload(outcome, tmp_path)
    died = tmp_path / "state" / "wandb" / f"offline-run-20260101_000000-{run_content(body, artifacts, 'key-1').id}"
    died.mkdir(parents=True)  # of an attempt before: no half of a run is uploaded
    tracker = WandbTracker(tmp_path / "state")
    run_id = tracker.log_run(body, artifacts, "key-1")
    assert tracker.log_run(body, artifacts, "key-1") == run_id
    (folder,) = (tmp_path / "state" / "wandb").glob("offline-run-*")
    assert folder != died
    wanted, found = run_content(body, artifacts, "key-1"), wandb_log.read(folder)

    run = found.run
    assert (run.run_id, run.project, run.display_name) == (run_id, "sample", body["name"])
    assert (run.run_group, run.job_type) == ("sample", "validation")
    assert list(run.tags) == ["seatrial", outcome.value, "version 1"]
    assert run.notes == body["tags"]["mlflow.note.content"]
    assert {k: v for k, v in found.config.items() if k != "_wandb"} == dict(wanted.config)
    assert found.config["seatrial_verdict"] == found.summary["verdict"] == outcome.value
    assert {name: found.summary[name] for name in body["metrics"]} == body["metrics"]
    assert found.summary["complete"] is True
    assert found.exit_code == exit_code

    table = json.loads((folder / "files" / found.summary["findings"]["path"]).read_text())
    findings = json.loads((artifacts / "verdict.json").read_text())["findings"]
    assert table["columns"] == list(COLUMNS)
    assert [row[-1] for row in table["data"]] == [finding["message"] for finding in findings]
    assert [row[:5] for row in table["data"]] == [
        [n, f["check"], f["stage"], f["column"], "origin"] for n, f in enumerate(findings, start=1)
    ]

    report = found.artifacts["sample-report"]
    files = {entry.path: Path(entry.local_path).read_bytes() for entry in report.manifest.contents}
    assert files == {p.name: p.read_bytes() for p in artifacts.iterdir()}
    assert {outcome.value, run_id} <= set(report.aliases)
    assert json.loads(report.metadata)["verdict"] == outcome.value
    reference = found.artifacts["sample-reference"]
    assert json.loads(reference.metadata)["digest"] == body["params"]["reference_digest"]
    (entry,) = reference.manifest.contents
    assert entry.ref == json.loads(body["dataset"]["source"])["uri"]
    assert not entry.local_path, "the reference's data was copied"

    assert not {"environment", "stats", "output", "output_raw", "metric"} & found.kinds
    assert not run.host
    kept = [p for p in (tmp_path / "state").rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]
    assert not kept, "the API key was written to disk"


def test_offline_runs_wait_for_their_upload(tmp_path: Path) -> None:
    """``sync`` says what to set; without any it does nothing."""
    tracker = WandbTracker(tmp_path)
    assert tracker.sync() == HandedOver([], [])
    (tmp_path / "wandb" / "pending").mkdir(parents=True)
    (tmp_path / "wandb" / "pending" / "seatrial-1.json").write_text(json.dumps({"folder": "x"}))
    (waits,) = tracker.sync().waiting
    assert "WANDB_API_KEY" in waits


def test_a_mode_that_logs_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict would be missing, and nobody would know."""
    body, artifacts = payload(Outcome.PASS, tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(UsageError, match="'disabled' is not known"):
        WandbTracker(tmp_path).log_run(body, artifacts, "key-1")


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with the command."""
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'seatrial\[wandb\]'"):
        WandbTracker(tmp_path)
