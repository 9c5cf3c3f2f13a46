"""What the ledger knows of a validation, in words and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from seatrial.formatting import seconds
from seatrial.ledger import ATTEMPTS, StoredVerdict, Validation, VersionHistory
from seatrial.sinks.text import neutral

SHORT = 12  # characters of a digest
REASON = 300  # characters of an error in a table


def moment(at: float) -> str:
    """Return a time in UTC, to the second.

    Example:
        >>> moment(0)
        '1970-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def short(digest: str) -> str:
    """Return the first characters of a digest, as people compare them.

    Example:
        >>> short("sha256:0123456789abcdef")
        '0123456789ab'
    """
    return digest.removeprefix("sha256:")[:SHORT]


def doing(validation: Validation, now: float) -> str:
    """Return what is being done about a validation; empty where it has its verdict.

    Args:
        validation: one of a version.
        now: by the ledger's clock, seconds since 1970.
    """
    why = f": {neutral(validation.error, REASON)}" if validation.error else ""
    match validation.state:
        case "due":
            return f"waits for 'seatrial reconcile'{why}"
        case "running":
            return f"is validated by {neutral(validation.owner, REASON)}"
        case "paused":
            tried = f" after attempt {validation.attempts} of {ATTEMPTS}" if validation.attempts else ""
            return f"is tried again in {seconds(max(validation.due_at - now, 0.0))}{tried}{why}"
        case "closed":
            return f"closed without a verdict{why}"
        case _:
            return ""


def left_to_do(validation: Validation) -> list[str]:
    """Return a sentence for each effect of the verdict that is still to be applied."""
    verbs = {"open": "waits", "parked": "is parked"}
    return [
        f"'{effect.kind}' {verbs[effect.state]}{f': {neutral(effect.result, REASON)}' if effect.result else ''}"
        for effect in validation.waiting
    ]


def dropped(validation: Validation) -> list[str]:
    """Return a sentence for each effect of the verdict that can never be applied."""
    return [
        f"'{effect.kind}' was dropped: {neutral(effect.result, REASON)}"
        for effect in validation.effects
        if effect.state == "dropped"
    ]


def version_json(version: VersionHistory) -> dict[str, Any]:
    """Return a version with its validations as JSON; times are seconds since 1970."""
    return {
        "uri": version.uri,
        "model": version.name,
        "version": version.number,
        "registered": version.created / 1000,
        "first_seen": version.seen_at,
        "validations": [validation_json(each) for each in version.validations],
    }


def validation_json(validation: Validation) -> dict[str, Any]:
    """Return a validation as JSON."""
    return {
        "epoch": validation.epoch,
        "state": validation.state,
        "due_at": validation.due_at,
        "attempts": validation.attempts,
        "owner": validation.owner,
        "error": validation.error,
        "verdict": verdict_json(validation.verdict) if validation.verdict else None,
        "effects": [{"kind": e.kind, "state": e.state, "result": e.result} for e in validation.effects],
    }


def verdict_json(verdict: StoredVerdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    facts = verdict.facts
    return {
        "number": verdict.order,
        "outcome": facts.outcome.value,
        "summary": facts.summary,
        "at": verdict.created_at,
        "content": facts.digest,
        "code": facts.code_digest,
        "policy": facts.policy_digest,
        "reference": facts.reference_digest,
        "evidence": facts.evidence_digest,
    }
