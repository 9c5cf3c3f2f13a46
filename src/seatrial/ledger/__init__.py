"""Which registered version has which verdict: jobs with leases and fencing tokens, verdicts, and effects to apply."""

from seatrial.ledger.database import url_for
from seatrial.ledger.migrate import LedgerError
from seatrial.ledger.records import JOB, Effect, Facts, Fenced, Job, Registered, StoredVerdict, identity
from seatrial.ledger.store import ATTEMPTS, Ledger

__all__ = [
    "ATTEMPTS",
    "JOB",
    "Effect",
    "Facts",
    "Fenced",
    "Job",
    "Ledger",
    "LedgerError",
    "Registered",
    "StoredVerdict",
    "identity",
    "url_for",
]  # fmt: skip
