"""Requests that get no answer: whether the path in process fails for them too, and what tells them from the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seatrial.checks.golden.origin import earliest
from seatrial.checks.serving.answers import key_id
from seatrial.checks.serving.comparison import ServiceComparison
from seatrial.errors import SeatrialError, StageError
from seatrial.events import Finding
from seatrial.io import frame_json

TRIED = 5  # of the requests without an answer run in process, each alone
ENOUGH = 3  # requests on either side, below which a field may part them by chance
KINDS = 20  # distinct values up to which a field names kinds of requests


def explained(finding: Finding, comparison: ServiceComparison, keys: Sequence[Any]) -> Finding:
    """Return the finding of requests without an answer, downstream where the path in process fails for them too.

    Args:
        finding: of the requests.
        comparison: what is expected of the service.
        keys: of the requests.
    """
    wanted = {key_id(key) for key in keys}
    failed = [n for n, key in enumerate(comparison.keys) if key_id(key) in wanted]
    error, fields = _raised_for(comparison, failed[:TRIED]), _told_apart_by(comparison, failed)
    evidence = {**finding.evidence, "fields": fields} if fields else finding.evidence
    if error is not None:
        origin = earliest(comparison.trial, error.stage)
        return replace(
            finding, downstream=True, evidence={**evidence, "origin": origin},
            message=f"{finding.message} The path in process fails for them too: {str(error).rstrip('.')}.",
            advice=f"The failure originates at '{origin}'. Start there.",
        )  # fmt: skip
    if not fields:
        return finding
    return replace(
        finding, evidence=evidence,
        message=f"{finding.message} The path in process answers them. They are told from the others by field "
        f"'{fields[0]}': no request with their values of it gets an answer.",
        advice=f"Look at what the service does with '{fields[0]}' of one of these requests, and read its log.",
    )  # fmt: skip


def _raised_for(comparison: ServiceComparison, places: Sequence[int]) -> StageError | None:
    """Return the error of the path in process where it raises one for each of these requests, asked alone."""
    if not places:
        return None
    stages = comparison.trial.pipeline.stages if comparison.whole_path else (comparison.stage,)
    batches = [comparison.requests.iloc[list(comparison.rows[n])].reset_index(drop=True) for n in places]
    try:
        results = comparison.trial.replayer.replay(stages, batches)
    except SeatrialError:
        return None
    errors = [found for *_, found in results if isinstance(found, StageError)]
    return errors[0] if len(errors) == len(places) else None


def _told_apart_by(comparison: ServiceComparison, failed: Sequence[int]) -> list[str]:
    """Return the fields of few values that no answered request shares with one of those that failed."""
    others = sorted({*range(len(comparison.keys))} - {*failed})
    if min(len(failed), len(others)) < ENOUGH:
        return []
    firsts = comparison.requests.iloc[[comparison.rows[n][0] for n in [*failed, *others]]]
    bodies = [json.loads(text) for text in frame_json.payloads(firsts)]
    if not all(isinstance(body, Mapping) for body in bodies):
        return []
    return [
        name
        for name in bodies[0]
        if len(there := {_text(b, name) for b in bodies[: len(failed)]}) <= KINDS
        and len(away := {_text(b, name) for b in bodies[len(failed) :]}) <= KINDS
        and not there & away
    ]


def _text(body: Mapping[str, Any], name: str) -> str:
    return json.dumps(body.get(name), sort_keys=True)
