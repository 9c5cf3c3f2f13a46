"""The content of a verdict's run in the terms of Weights & Biases, as JSON: nothing is imported, sent or written."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from seatrial.io import strict_json
from seatrial.sinks.files import FILES

PROJECT, ENTITY = "WANDB_PROJECT", "WANDB_ENTITY"
LINK = "SEATRIAL_WANDB_LINK"
"""A collection of the W&B Registry that each report is linked to: ``wandb-registry-NAME/COLLECTION``."""
COLUMNS = ("number", "check", "stage", "column", "origin", "severity", "cause", "message")
REPORT, REFERENCE = "seatrial-report", "seatrial-reference"  # the types of the artifacts
VERDICT, COMPLETE = "verdict", "complete"  # in a run's summary, the second when everything is logged
EXIT_CODES = {"FINISHED": 0, "FAILED": 1}  # by the status of the payload; W&B calls a run of any other code failed
NOTE = "mlflow.note.content"
NAME_LENGTH, TAG_LENGTH = 120, 64


@dataclass(frozen=True)
class LoggedArtifact:
    """An artifact to log: its name, type, metadata and aliases; of a reference, the address where its data is."""

    name: str
    type: str
    metadata: Mapping[str, Any]
    aliases: tuple[str, ...]
    address: str = ""


@dataclass(frozen=True)
class RunContent:
    """What a run holds.

    Attributes:
        id: the same for each verdict's key.
        project: the run's.
        entity: the team or user; empty for the default one of the API key.
        name: shown in the list of runs.
        group: the model.
        tags: the verdict and the version.
        notes: the findings, in Markdown.
        config: parameters and tags by name.
        summary: measurements by name, and the verdict.
        rows: of the findings' table, by ``COLUMNS``.
        report: every file of the verdict.
        reference: the reference it was compared with, without its data; None where the payload has none.
        link: the collection of the Registry that the report is linked to; empty for none.
        exit_code: of the run.
    """

    id: str
    project: str
    entity: str
    name: str
    group: str
    tags: tuple[str, ...]
    notes: str
    config: Mapping[str, str]
    summary: Mapping[str, Any]
    rows: tuple[tuple[Any, ...], ...]
    report: LoggedArtifact
    reference: LoggedArtifact | None
    link: str = ""
    exit_code: int = 2
    job_type: str = "validation"


def run_content(body: Mapping[str, Any], artifacts: Path, key: str = "") -> RunContent:
    """Return the run of a payload.

    Args:
        body: as :func:`seatrial.registry.runs.run_payload` returned it.
        artifacts: the directory with the verdict's files; the findings are read from its ``verdict.json``.
        key: of the verdict; empty for a run that is logged once.

    Example:
        >>> run_content({"model": "m", "tags": {"seatrial.verdict": "pass"}}, Path("nowhere"), "k").id
        'seatrial-8254c329a92850f6'
    """
    model, tags = str(body["model"]), dict(body["tags"])
    verdict, params = tags.get("seatrial.verdict", ""), body.get("params", {})
    version, run_id = params.get("version", ""), run_id_of(key)
    plain = {k: v for k, v in {**params, **tags}.items() if k != NOTE}
    about = {name: plain[name] for name in ("model", "version", "seatrial.subject_digest") if plain.get(name)}
    return RunContent(
        id=run_id,
        project=project_of(model),
        entity=os.environ.get(ENTITY, ""),
        name=str(body.get("name", "")),
        group=model,
        tags=tuple(tag[:TAG_LENGTH] for tag in ("seatrial", verdict, f"version {version}" if version else "") if tag),
        notes=tags.get(NOTE, ""),
        config={config_name(name): str(value) for name, value in plain.items()},
        summary={**body.get("metrics", {}), VERDICT: verdict, **_page(body)},
        rows=finding_rows(artifacts),
        report=LoggedArtifact(
            report_name(model),
            REPORT,
            {**about, "verdict": verdict, "key": key},
            tuple(filter(None, (verdict, run_id))),
        ),
        reference=_reference(model, body),
        link=os.environ.get(LINK, ""),
        exit_code=EXIT_CODES.get(body.get("status", ""), 2),
    )


def _page(body: Mapping[str, Any]) -> dict[str, str]:
    return {"flow_run": body["page"]} if body.get("page") else {}


def run_id_of(key: str) -> str:
    """Return the id of the run of a verdict's key; a new one for an empty key."""
    return f"seatrial-{sha256(key.encode()).hexdigest()[:16] if key else secrets.token_hex(8)}"


def project_of(model: str) -> str:
    """Return the project of a model's runs: ``WANDB_PROJECT``, else the model's name.

    Example:
        >>> project_of("payments")
        'payments'
    """
    return os.environ.get(PROJECT) or accepted(model)


def report_name(model: str) -> str:
    """Return the name of the artifact that holds the reports of a model."""
    return accepted(model, "-report")


def accepted(name: str, suffix: str = "") -> str:
    """Return a name that projects and artifacts may have, with a digest wherever that changed it.

    Example:
        >>> accepted("shop ranker", "-report")
        'shop-ranker-c14c1401-report'
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[: NAME_LENGTH - len(suffix) - 9]
    changed = "" if plain == name else f"-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"{plain}{changed}{suffix}"


def config_name(name: str) -> str:
    """Return the name of an entry of the config; W&B reads a dot as the path to a nested one."""
    return name.replace(".", "_")


def finding_rows(artifacts: Path) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of the findings' table, by ``COLUMNS``; none where the directory has no readable verdict."""
    try:
        findings = strict_json.loads((artifacts / FILES["json"]).read_bytes(), any_text=True)["findings"]
        return tuple(
            (
                number, finding["check"], finding["stage"], finding["column"],
                "downstream" if finding["downstream"] else "origin", finding["severity"], finding["cause"],
                finding["message"],
            )
            for number, finding in enumerate(findings, start=1)
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _reference(model: str, body: Mapping[str, Any]) -> LoggedArtifact | None:
    digest, dataset = body.get("params", {}).get("reference_digest", ""), body.get("dataset") or {}
    if not digest:
        return None
    try:
        address = str(strict_json.loads(dataset.get("source", ""))["uri"])
    except (ValueError, KeyError, TypeError):
        address = f"seatrial:{digest}"
    metadata = {"digest": digest, "name": dataset.get("name", "")}
    alias = digest.rpartition(":")[2][:32]
    return LoggedArtifact(accepted(model, "-reference"), REFERENCE, metadata, (alias,), address)
