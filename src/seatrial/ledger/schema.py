"""The ledger's tables. ``migrations/`` makes them; a test holds the two to each other.

Times are seconds since 1970 by the database's own clock: the clocks of workers decide nothing.
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
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # the one type that SQLite counts up by itself


class Words(TypeDecorator[str]):
    """Text that strangers choose: NUL bytes and lone surrogates, which databases refuse, are replaced."""

    impl, cache_ok = Text, True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002  SQLAlchemy's
        """Return what a database takes."""
        return None if value is None else value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("delivery_id", Words, primary_key=True),
    Column("received_at", Float, nullable=False),
    Column("body_sha", String(64), nullable=False),
    Column("model", Words, nullable=False),
    Column("version", Words, nullable=False),
    Index("inbox_received", "received_at"),
)

# A registered version as it was first seen. Name and number come back after a deletion: the id covers more.
subject = Table(
    "subject",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", Words, nullable=False),
    Column("version", String(32), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("model_id", String(64), nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("scheme", String(64), nullable=False, server_default="models"),  # of the registry's addresses
    Index("subject_named", "model", "version"),
)

# Something to validate. Open until it has its verdict; nobody claims it before ``due_at``, which is the end of a
# claimed job's lease and of a failed one's pause.
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
    Column("owner", Words, nullable=False),
    Column("error", Words, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="job_pk"),
    CheckConstraint("state IN ('open', 'done', 'gone')", name="job_state"),
    Index("job_open", "due_at", "rank", sqlite_where=OPEN, postgresql_where=OPEN),
)

# Insert-only: triggers refuse every change, and a verdict whose token is not the job's latest.
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
    Column("summary", Words, nullable=False),
    Column("created_at", Float, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="verdict_pk"),
    UniqueConstraint("subject", "epoch", "outcome", name="verdict_outcome_unique"),
    ForeignKeyConstraint(["subject", "epoch"], ["job.subject", "job.epoch"], name="verdict_of_job"),
    CheckConstraint(OUTCOMES, name="verdict_outcome"),
)

# What is still to be told to the world. It cannot stand without its verdict, and no alias without a pass.
outbox = Table(
    "outbox",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("model", Words, nullable=False),
    Column("effect", String(120), nullable=False),
    Column("body", Words, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("token", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("result", Words, nullable=False),
    UniqueConstraint("subject", "epoch", "effect", name="outbox_once"),
    ForeignKeyConstraint(
        ["subject", "epoch", "outcome"],
        ["verdict.subject", "verdict.epoch", "verdict.outcome"],
        name="outbox_of_verdict",
    ),
    CheckConstraint("effect NOT LIKE 'alias%' OR outcome = 'pass'", name="outbox_alias_of_pass"),
    CheckConstraint("state IN ('open', 'done', 'dropped')", name="outbox_state"),
    Index("outbox_open", "due_at", "id", sqlite_where=OPEN, postgresql_where=OPEN),
    Index("outbox_open_of", "subject", "id", sqlite_where=OPEN, postgresql_where=OPEN),
    sqlite_autoincrement=True,
)

# The files of a verdict, kept until they are logged elsewhere: whoever applies the effects may be another machine.
evidence = Table(
    "evidence",
    metadata,
    Column("subject", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("subject", "epoch", name="evidence_pk"),
    ForeignKeyConstraint(["subject", "epoch"], ["verdict.subject", "verdict.epoch"], name="evidence_of_verdict"),
)

# How far the registry has been read: the newest change seen, and when all of it was listed.
mark = Table(
    "mark",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Float, nullable=False),
)
