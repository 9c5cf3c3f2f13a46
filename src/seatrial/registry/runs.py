"""The content of a verdict's run and of its version's description, as JSON that every tracker can store."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from seatrial.events import Finding, Measurement, Outcome, Verdict
from seatrial.registry.protocol import MLFLOW, Fetched, Version
from seatrial.sinks.markdown import findings_markdown, headline, where
from seatrial.sinks.outline import decisive
from seatrial.sinks.text import neutral

STATUS = {Outcome.PASS: "FINISHED", Outcome.FAIL: "FAILED"}
PARAM_LENGTH, NAME_LENGTH = 500, 250
BLOCK_LENGTHS = (4700, 2500, 800, 200)  # tried in turn until one fits beside the text of people


def run_payload(verdict: Verdict, fetched: Fetched, suffix: str = "", page: str = "") -> dict[str, Any]:
    """Return the content of the run without its files, as JSON.

    Args:
        verdict: of the run.
        fetched: the version.
        suffix: of the run's name.
        page: the address of the flow run's page.
    """
    version, reference = fetched.version, fetched.reference
    totals = [
        Measurement("run", None, "findings", len(verdict.errors)),
        Measurement("run", None, "cases", len(verdict.evaluated)),
        Measurement("run", None, "seconds", verdict.seconds),
    ]
    params = {
        "model": verdict.subject.model,
        "version": verdict.subject.version,
        "reference_digest": verdict.reference_digest,
        "policy_digest": verdict.policy_digest,
        "seed": verdict.seed,
    }
    digest = reference.digest.removeprefix("sha256:")
    return {
        "model": version.name,
        "name": f"{headline(verdict)}{suffix}"[:NAME_LENGTH],
        "status": STATUS.get(verdict.outcome, "KILLED"),
        "at": int(time.time() * 1000),
        "model_id": version.model_id,
        "metrics": {metric_name(m): float(m.value) for m in (*totals, *verdict.measurements)},
        "params": {name: str(value)[:PARAM_LENGTH] for name, value in params.items()},
        "page": page,
        "tags": {
            **version_tags(verdict, fetched),
            **reason_tags(verdict),
            "mlflow.note.content": findings_markdown(verdict, uri=version.uri),
        },
        "dataset": {
            "name": f"{reference.pipeline} reference",
            "digest": digest[:36],
            "source_type": "local",
            "source": json.dumps({"uri": _reference_uri(version, digest)}),
        },
    }


def _reference_uri(version: Version, digest: str) -> str:
    """Return where the reference is: with the run in MLflow, elsewhere with the version."""
    return f"runs:/{version.run_id}/seatrial/reference/{digest}" if version.scheme == MLFLOW else version.uri


def metric_name(measurement: Measurement) -> str:
    """Return ``check/stage/column/name``; characters that MLflow refuses in a metric's name are replaced."""
    parts = (measurement.check, measurement.stage, measurement.column, measurement.name)
    return "/".join(re.sub(r"[^\w\-. :]", "_", part, flags=re.ASCII)[:60] for part in parts if part)


def version_tags(verdict: Verdict, fetched: Fetched) -> dict[str, str]:
    """Return the tags of the version and of its run, the verdict first: registries show them in this order, or by name.

    Example:
        >>> version_tags(verdict, fetched)  # doctest: +SKIP
        {'seatrial': 'fail · features.hour', 'seatrial.verdict': 'fail', 'seatrial.subject_digest': 'sha256:…', …}
    """
    return {
        "seatrial": " · ".join(filter(None, (verdict.outcome.value, where(verdict)))),
        "seatrial.verdict": verdict.outcome.value,
        "seatrial.subject_digest": fetched.digest,
        "seatrial.code_digest": verdict.subject.code_digest,
        "seatrial.policy_digest": verdict.policy_digest,
    }


def reason_tags(verdict: Verdict) -> dict[str, str]:
    """Return the tags by which runs are searched for the reason of a verdict: its check, stage, column and cause."""
    event = decisive(verdict)
    if event is None:
        return {}
    found = {"check": event.check, "stage": event.stage}
    found |= {"column": event.column, "cause": event.cause} if isinstance(event, Finding) else {}
    return {f"seatrial.{name}": neutral(value, PARAM_LENGTH) for name, value in found.items() if value}


def description_texts(verdict: Verdict, uri: str = "") -> list[str]:
    """Return the verdict for a description, the longest text first.

    Args:
        verdict: the verdict.
        uri: of the version.
    """
    return [findings_markdown(verdict, length, uri=uri) for length in BLOCK_LENGTHS]
