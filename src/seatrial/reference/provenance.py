"""The remark on a reference made of model predictions: it proves sameness, not correctness."""

from __future__ import annotations

from seatrial.events import Evaluated, Event, Finding, Severity
from seatrial.reference.snapshot import Reference

PROVES = "sameness, not correctness"


def provenance_findings(reference: Reference) -> list[Event]:
    """Return the remark on a reference made of model predictions; nothing for a reference that training made."""
    made = reference.manifest.get("labelled")
    if not isinstance(made, dict):
        return []
    message = (
        f"The reference is fixture '{made['fixture']}', made of the predictions of {made['by']}: "
        f"a pass proves {PROVES}."
    )
    remark = Finding("labels", None, message, severity=Severity.INFO, cause="labelled", evidence=dict(made))
    return [remark, Evaluated("labels", None, compared=1)]
