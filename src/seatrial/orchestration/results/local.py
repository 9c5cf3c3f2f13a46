"""Keep the values behind findings on this machine."""

from __future__ import annotations

from pathlib import Path

from seatrial.errors import UsageError
from seatrial.events.local import LocalEvidence
from seatrial.project import MEBIBYTE, Project
from seatrial.sinks.local.store import write_local
from seatrial.sinks.retention import Retention


def keep_local(project: Project, directory: Path, local: LocalEvidence) -> str:
    """Write what was kept of a validation; return why it could not be: a full disk here is no fault of the version.

    Args:
        project: says how long it is kept.
        directory: of the validation's results.
        local: what was kept.
    """
    settings = project.local_evidence
    retention = Retention(settings.validations, settings.days * 86_400, settings.total_mb * MEBIBYTE)
    try:
        write_local(project.state, directory, local, retention)
    except (OSError, UsageError) as error:
        return f"The local evidence was not written: {error}"
    return ""
