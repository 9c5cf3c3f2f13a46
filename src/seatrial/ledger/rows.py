"""The rows of a version that is new to the ledger."""

from __future__ import annotations

from typing import Any

from seatrial.ledger.records import Registered


def subject_row(subject: str, version: Registered, now: float) -> dict[str, Any]:
    """Return the row of a version in the table ``subject``."""
    return {
        "id": subject, "model": version.name, "version": str(version.number), "created": int(version.created),
        "run_id": version.run_id, "model_id": version.model_id, "first_seen": now,
        "scheme": version.scheme,
    }  # fmt: skip


def job_row(subject: str, epoch: int, version: Registered, now: float) -> dict[str, Any]:
    """Return the row of a new job in the table ``job``."""
    return {
        "subject": subject, "epoch": epoch, "state": "open", "due_at": now, "rank": -int(version.created), "token": 0,
        "attempt": 0, "owner": "", "error": "",
    }  # fmt: skip
