"""The finding on a reference made of model predictions: a pass proves sameness, not correctness."""

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
