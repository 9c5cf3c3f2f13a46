"""The verdicts of registered versions: jobs with leases and fencing tokens, verdicts, and effects to apply."""

from seatrial.ledger.database import url_for
from seatrial.ledger.jobs import ATTEMPTS, ATTEMPTS_OF_A_DAY
from seatrial.ledger.leases import renewed
from seatrial.ledger.migrate import LedgerError
from seatrial.ledger.outbox import LOG, POSTPONED
from seatrial.ledger.overview import Effect, Standing, Validation, VersionHistory
from seatrial.ledger.records import (
    JOB,
    DueJob,
    Facts,
    Fenced,
    Job,
    OutboxEffect,
    Overtaken,
    Registered,
    Signed,
    StoredVerdict,
    identity,
    run_key,
)
from seatrial.ledger.store import Ledger

__all__ = [
    "ATTEMPTS",
    "ATTEMPTS_OF_A_DAY",
    "JOB",
    "LOG",
    "POSTPONED",
    "DueJob",
    "Effect",
    "Facts",
    "Fenced",
    "Job",
    "Ledger",
    "LedgerError",
    "OutboxEffect",
    "Overtaken",
    "Registered",
    "Signed",
    "Standing",
    "StoredVerdict",
    "Validation",
    "VersionHistory",
    "identity",
    "renewed",
    "run_key",
    "url_for",
]  # fmt: skip
