"""The content of a verdict's run and of its version's description, as JSON that every tracker can store."""

from __future__ import annotations

import re
import time
from typing import Any

from seatrial.events import Measurement, Outcome, Verdict
from seatrial.registry.protocol import Fetched
from seatrial.sinks.markdown import findings_markdown

STATUS = {Outcome.PASS: "FINISHED", Outcome.FAIL: "FAILED"}
PARAM_LENGTH = 500
BLOCK_LENGTHS = (4700, 2500, 800, 200)  # tried in turn until one fits beside the text of people


def run_payload(verdict: Verdict, fetched: Fetched, suffix: str = "") -> dict[str, Any]:
    """Return the content of the run without its files, as JSON."""
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
        "name": f"version {version.number}: {verdict.outcome.value}{suffix}",
        "status": STATUS.get(verdict.outcome, "KILLED"),
        "at": int(time.time() * 1000),
        "model_id": version.model_id,
        "metrics": {metric_name(m): float(m.value) for m in (*totals, *verdict.measurements)},
        "params": {name: str(value)[:PARAM_LENGTH] for name, value in params.items()},
        "tags": {"seatrial.verdict": verdict.outcome.value, "mlflow.note.content": findings_markdown(verdict)},
        "dataset": {
            "name": f"{reference.pipeline} reference",
            "digest": digest[:36],
            "source_type": "local",
            "source": f'{{"uri": "runs:/{version.run_id}/seatrial/reference/{digest}"}}',
        },
    }


def metric_name(measurement: Measurement) -> str:
    """Return ``check/stage/column/name``; characters that MLflow refuses in a metric's name are replaced."""
    parts = (measurement.check, measurement.stage, measurement.column, measurement.name)
    return "/".join(re.sub(r"[^\w\-. :]", "_", part, flags=re.ASCII)[:60] for part in parts if part)


def description_texts(verdict: Verdict) -> list[str]:
    """Return the verdict for a description, the longest text first."""
    return [findings_markdown(verdict, length) for length in BLOCK_LENGTHS]
