"""What a verdict states when its reference is made of model predictions: that it proves sameness, not correctness."""

from __future__ import annotations

from seatrial.events import Evaluated, Event, Finding, Severity
from seatrial.reference.snapshot import Reference

PREDICTIONS = "predictions"  # in the manifest of a reference made of model predictions: where they are from
PROVES = "sameness, not correctness"


def remarks(reference: Reference) -> list[Event]:
    """Return the remark on a reference made of model predictions; nothing on one that training recorded."""
    source = reference.manifest.get(PREDICTIONS)
    if not isinstance(source, dict):
        return []
    message = (
        f"The reference is made of the predictions of {source['by']} on fixture '{source['fixture']}': "
        f"a pass proves {PROVES}."
    )
    remark = Finding("predictions", None, message, severity=Severity.INFO, cause="predictions", evidence=dict(source))
    return [remark, Evaluated("predictions", None, compared=1)]
