"""The ledger's tables. ``migrations/`` creates them; a test compares the two.

Times are seconds since 1970 by the database's own clock; the clocks of workers are not used.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

OUTCOMES = "outcome IN ('pass', 'fail', 'inconclusive', 'error')"
OPEN = text("state = 'open'")
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # the one type that SQLite increments automatically


class UntrustedText(TypeDecorator[str]):
    """Untrusted text: NUL bytes and lone surrogates, which databases refuse, are replaced."""

    impl, cache_ok = Text, True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002  SQLAlchemy's
        """Return text that every database accepts."""
        return None if value is None else value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("delivery_id", UntrustedText, primary_key=True),
    Column("received_at", Float, nullable=False),
    Column("body_sha", String(64), nullable=False),
    Column("model", UntrustedText, nullable=False),
    Column("version", UntrustedText, nullable=False),
    Index("inbox_received", "received_at"),
)

# A registered version as it was first listed. Name and number are used again after a deletion; the id is unique.
subject = Table(
    "subject",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", UntrustedText, nullable=False),
    Column("version", String(32), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("model_id", String(64), nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("scheme", String(64), nullable=False),  # of its registry's addresses
    Index("subject_named", "model", "version"),
)

# A version to validate. Open until it has its verdict; it cannot be claimed before ``due_at``, the end of its lease or
# of the pause after a failed attempt.
job = Table(
    "job",
    metadata,
    Column("subject", String(64), ForeignKey("subject.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("token", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", UntrustedText, nullable=False),
    Column("error", UntrustedText, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="job_pk"),
    CheckConstraint("state IN ('open', 'done', 'gone')", name="job_state"),
    Index("job_open", "due_at", "rank", sqlite_where=OPEN, postgresql_where=OPEN),
)

# Insert-only: triggers refuse every change, and a verdict whose token is not the latest of its job. ``number`` counts
# the verdicts of a subject in the order of their commits; everything that asks for the newest one goes by it.
verdict = Table(
    "verdict",
    metadata,
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("token", Integer, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("policy_digest", String(80), nullable=False),
    Column("reference_digest", String(80), nullable=False),
    Column("evidence_digest", String(80), nullable=False),
    Column("summary", UntrustedText, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("code_digest", String(80), nullable=False, server_default=""),
    PrimaryKeyConstraint("subject", "epoch", name="verdict_pk"),
    UniqueConstraint("subject", "epoch", "outcome", name="verdict_outcome_unique"),
    ForeignKeyConstraint(["subject", "epoch"], ["job.subject", "job.epoch"], name="verdict_of_job"),
    CheckConstraint(OUTCOMES, name="verdict_outcome"),
    Index("verdict_number", "subject", "number", unique=True),
)

# The signed statement of a verdict, as the registry has it too; each names the digest of the one before. Insert-only.
statement = Table(
    "statement",
    metadata,
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("previous", String(80), nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="statement_pk"),
    ForeignKeyConstraint(["subject", "epoch"], ["verdict.subject", "verdict.epoch"], name="statement_of_verdict"),
    Index("statement_number", "subject", "number", unique=True),
)

# The head of a subject that the registry shows: the number of its newest statement, and until when it is fresh.
head = Table(
    "head",
    metadata,
    Column("subject", String(64), ForeignKey("subject.id", name="head_of_subject"), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# One row: what tells this ledger from one that was made after it was lost. A copy of the database keeps it.
ledger = Table("ledger", metadata, Column("id", String(32), primary_key=True))

# The effects of verdicts. An effect needs its verdict, and an alias effect needs a pass.
outbox = Table(
    "outbox",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("model", UntrustedText, nullable=False),
    Column("effect", String(120), nullable=False),
    Column("body", UntrustedText, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("token", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("result", UntrustedText, nullable=False),
    UniqueConstraint("subject", "epoch", "effect", name="outbox_once"),
    ForeignKeyConstraint(
        ["subject", "epoch", "outcome"],
        ["verdict.subject", "verdict.epoch", "verdict.outcome"],
        name="outbox_of_verdict",
    ),
    CheckConstraint("effect NOT LIKE 'alias%' OR outcome = 'pass'", name="outbox_alias_of_pass"),
    CheckConstraint("state IN ('open', 'done', 'dropped', 'parked')", name="outbox_state"),
    Index("outbox_open", "due_at", "id", sqlite_where=OPEN, postgresql_where=OPEN),
    Index("outbox_open_of", "subject", "id", sqlite_where=OPEN, postgresql_where=OPEN),
    sqlite_autoincrement=True,
)

# The files of a verdict, stored until they are logged: another machine may apply the effects.
evidence = Table(
    "evidence",
    metadata,
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="evidence_pk"),
    ForeignKeyConstraint(["subject", "epoch"], ["verdict.subject", "verdict.epoch"], name="evidence_of_verdict"),
)

# How far the registry has been read: the newest change, and the time of the last full listing.
watermark = Table(
    "watermark",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Float, nullable=False),
)
