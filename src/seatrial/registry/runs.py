"""What a verdict's run says, and what its version's description does, in a form that every tracker can carry."""

from __future__ import annotations

import re
import time
from typing import Any

from seatrial.events import Measurement, Outcome, Verdict
from seatrial.registry.protocol import Fetched
from seatrial.sinks.markdown import findings_markdown

STATUS = {Outcome.PASS: "FINISHED", Outcome.FAIL: "FAILED"}
PARAM_LENGTH = 500
ROOMS = (4700, 2500, 800, 200)  # what is tried until it fits beside what people wrote


def run_body(verdict: Verdict, fetched: Fetched, more: str = "") -> dict[str, Any]:
    """Return all that the run says beside its files, as JSON can carry it."""
    version, reference = fetched.version, fetched.reference
    totals = [
        Measurement("run", None, "findings", len(verdict.errors)),
        Measurement("run", None, "questions", len(verdict.evaluated)),
        Measurement("run", None, "seconds", verdict.seconds),
    ]
    params = {
        "model": verdict.subject.model,
        "version": verdict.subject.version,
        "reference_digest": verdict.reference_digest,
        "policy_digest": verdict.policy_digest,
        "seed": verdict.seed,
    }
    return {
        "model": version.name,
        "name": f"version {version.number}: {verdict.outcome.value}{more}",
        "status": STATUS.get(verdict.outcome, "KILLED"),
        "at": int(time.time() * 1000),
        "model_id": version.model_id,
        "metrics": {metric_name(m): float(m.value) for m in (*totals, *verdict.measurements)},
        "params": {name: str(value)[:PARAM_LENGTH] for name, value in params.items()},
        "tags": {"seatrial.verdict": verdict.outcome.value, "mlflow.note.content": findings_markdown(verdict)},
        "dataset": {
            "name": f"{reference.pipeline} reference",
            "digest": reference.digest.removeprefix("sha256:")[:36],
            "source_type": "local",
            "source": f'{{"uri": "runs:/{version.run_id}/seatrial/reference"}}',
        },
    }


def metric_name(measured: Measurement) -> str:
    """Return ``check/stage/column/name`` with whatever MLflow refuses in a metric's name replaced."""
    parts = (measured.check, measured.stage, measured.column, measured.name)
    return "/".join(re.sub(r"[^\w\-. :]", "_", part, flags=re.ASCII)[:60] for part in parts if part)


def descriptions(verdict: Verdict) -> list[str]:
    """Return the verdict for a description, the longest text first."""
    return [findings_markdown(verdict, room) for room in ROOMS]
