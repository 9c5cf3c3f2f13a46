"""Findings on the reference itself: one made of model predictions, and one in partitions."""

from __future__ import annotations

from seatrial.events import Evaluated, Event, Finding, Severity
from seatrial.reference.snapshot import Reference

PREDICTIONS = "predictions"  # in the manifest of a reference made of model predictions: where they are from
PROVES = "sameness, not correctness"


def provenance_findings(reference: Reference) -> list[Event]:
    """Return the remark on a reference made of model predictions; nothing on one that training recorded."""
    source = reference.manifest.get(PREDICTIONS)
    if not isinstance(source, dict):
        return []
    message = (
        f"The reference is fixture '{source['fixture']}', made of the predictions of {source['by']}: "
        f"a pass proves {PROVES}."
    )
    remark = Finding("predictions", None, message, severity=Severity.INFO, cause="predictions", evidence=dict(source))
    return [remark, Evaluated("predictions", None, compared=1)]


def partition_findings(reference: Reference | None) -> list[Event]:
    """Return the remarks on a reference in partitions: what all of it was compared for, and what a sample of it."""
    if reference is None:
        return []
    rows, sample = int(reference.manifest["requests"]), len(reference.part(0).requests)
    message = (
        f"The reference has {rows:,} request rows in {reference.partitions:,} partitions. Both replays of every stage "
        f"were compared with all of them. Everything else was evaluated on those of the first partition, "
        f"{sample:,} request rows drawn by the hash of their key."
    )
    found: list[Event] = [
        Finding("partitions", None, message, severity=Severity.INFO, cause="first-partition", evidence={"rows": sample})
    ]
    for stage, why in reference.whole_stages.items():
        found.append(
            Finding(
                "partitions",
                stage,
                f"Stage '{stage}' ran on the rows of all partitions together, in memory at once: {why.rstrip('.')}.",
                severity=Severity.INFO,
                cause="whole-stage",
                advice="Make its answer for a request independent of the others, and it runs by partition.",
            )
        )
    return found
