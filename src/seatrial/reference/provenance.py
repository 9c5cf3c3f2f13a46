"""What a verdict says when its reference was labelled by another version: that it proves sameness, not correctness."""

from __future__ import annotations

from seatrial.events import Evaluated, Event, Finding, Severity
from seatrial.reference.snapshot import Reference

PROVES = "sameness, not correctness"


def remarks(reference: Reference) -> list[Event]:
    """Return the remark on a labelled reference; nothing on one that training itself made."""
    said = reference.manifest.get("labelled")
    if not isinstance(said, dict):
        return []
    message = f"The reference is fixture '{said['fixture']}', labelled by {said['by']}: a pass proves {PROVES}."
    remark = Finding("labels", None, message, severity=Severity.INFO, cause="labelled", evidence=dict(said))
    return [remark, Evaluated("labels", None, compared=1)]
