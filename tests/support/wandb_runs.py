"""Verdicts to log to Weights & Biases, and what is expected of their runs, wherever they are read back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seatrial.events import Outcome
from seatrial.registry.protocol import Fetched, Version
from seatrial.registry.runs import run_payload
from seatrial.registry.wandb.content import COLUMNS
from seatrial.sinks.files import write_results
from seatrial.testing.samples import sample_reference, sample_verdict

KEY = "0123456789abcdef0123456789abcdef01234567"  # of the form of an API key
LINK = "wandb-registry-model/reports"
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 2}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """An environment with an API key, a run around the judge, and nothing else of W&B."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "WANDB_MODE", "WANDB_SERVICE"):
            patch.delenv(name, raising=False)
        patch.setenv("WANDB_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        patch.setenv("WANDB_API_KEY", KEY)
        patch.setenv("WANDB_RUN_ID", "of-a-run-around-the-judge")
        patch.setenv("SEATRIAL_WANDB_LINK", LINK)
        yield patch


def payload(outcome: Outcome, folder: Path) -> tuple[dict[str, Any], Path]:
    """Return the payload and the files of a verdict."""
    verdict = sample_verdict(outcome)
    version = Version("sample", "1", 1_700_000_000_000, "run-1", "")
    fetched = Fetched(version, folder, "sha256:" + "0" * 64, sample_reference())
    return run_payload(verdict, fetched), write_results(verdict, [], folder / outcome.value)


@dataclass(frozen=True)
class Found:
    """A run as it is read back: by field, and its artifacts with metadata, aliases and files."""

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    tags: list[str]
    notes: str
    group: str
    job_type: str
    exit_code: int | None
    table: Mapping[str, Any]
    report: tuple[Mapping[str, Any], set[str], Mapping[str, bytes]]
    reference: tuple[Mapping[str, Any], set[str], Mapping[str, bytes]]


def check(found: Found, run_id: str, body: Mapping[str, Any], artifacts: Path | None = None) -> None:
    """Compare a run with the payload, and with the files that it was logged from."""
    verdict = body["tags"]["seatrial.verdict"]
    given = {**body["params"], **body["tags"]}
    notes = given.pop("mlflow.note.content")
    assert {k: v for k, v in found.config.items() if k != "_wandb"} == {
        k.replace(".", "_"): v for k, v in given.items()
    }
    assert {name: found.summary[name] for name in body["metrics"]} == body["metrics"]
    assert (found.summary["verdict"], found.summary["complete"]) == (verdict, True)
    assert found.tags == ["seatrial", verdict, f"version {given['version']}"]
    assert (found.notes, found.group, found.job_type) == (notes, body["model"], "validation")
    assert found.exit_code == EXIT_CODES[verdict]
    metadata, aliases, _ = found.report
    assert metadata["verdict"] == verdict
    assert {verdict, run_id} <= aliases
    metadata, aliases, addresses = found.reference
    digest = body["params"]["reference_digest"]
    assert metadata["digest"] == digest
    assert digest.removeprefix("sha256:")[:32] in aliases
    assert addresses == {"reference": json.loads(body["dataset"]["source"])["uri"].encode()}, "data was copied"
    assert found.table["columns"] == list(COLUMNS)
    if artifacts:
        assert found.report[2] == {p.relative_to(artifacts).as_posix(): p.read_bytes() for p in artifacts.rglob("*")}
        findings = json.loads((artifacts / "verdict.json").read_text())["findings"]
        assert findings
        assert found.table["data"] == [
            [n, f["check"], f["stage"], f["column"], "origin", f["severity"], f["cause"], f["message"]]
            for n, f in enumerate(findings, start=1)
        ]
