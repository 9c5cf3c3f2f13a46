"""What a verdict says when its reference was labelled by another version: that it proves sameness, not correctness."""

from __future__ import annotations

from seatrial.events import Finding, Severity
from seatrial.reference import Reference

PROVES = "sameness, not correctness"


def remarks(reference: Reference) -> list[Finding]:
    """Return the remark on a labelled reference; none on one that training itself made."""
    said = reference.manifest.get("labelled")
    if not isinstance(said, dict):
        return []
    message = f"The reference is fixture '{said['fixture']}', labelled by {said['by']}: a pass proves {PROVES}."
    return [Finding("run", None, message, severity=Severity.INFO, cause="labelled", evidence=dict(said))]
