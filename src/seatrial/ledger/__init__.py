"""The verdicts of registered versions: jobs with leases and fencing tokens, verdicts, and effects to apply."""

from seatrial.ledger.database import url_for
from seatrial.ledger.jobs import ATTEMPTS
from seatrial.ledger.migrate import LedgerError
from seatrial.ledger.records import JOB, Facts, Fenced, Job, OutboxEffect, Registered, StoredVerdict, identity
from seatrial.ledger.store import Ledger

__all__ = [
    "ATTEMPTS",
    "JOB",
    "Facts",
    "Fenced",
    "Job",
    "Ledger",
    "LedgerError",
    "OutboxEffect",
    "Registered",
    "StoredVerdict",
    "identity",
    "url_for",
]  # fmt: skip
