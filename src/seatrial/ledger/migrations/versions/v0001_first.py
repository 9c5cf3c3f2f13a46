"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

OUTCOMES = "outcome IN ('pass', 'fail', 'inconclusive', 'error')"
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

SQLITE = """
CREATE TRIGGER verdict_never_changes BEFORE UPDATE ON verdict
BEGIN SELECT RAISE(ABORT, 'a verdict never changes'); END;
CREATE TRIGGER verdict_is_never_deleted BEFORE DELETE ON verdict
BEGIN SELECT RAISE(ABORT, 'a verdict is never deleted'); END;
CREATE TRIGGER verdict_has_the_latest_token BEFORE INSERT ON verdict
WHEN NOT EXISTS (
  SELECT 1 FROM job
  WHERE job.subject = NEW.subject AND job.epoch = NEW.epoch AND job.token = NEW.token AND job.state = 'done'
)
BEGIN SELECT RAISE(ABORT, 'not the latest token of its job'); END;
"""

POSTGRESQL = """
CREATE FUNCTION seatrial_verdict_is_insert_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a verdict never changes'; END $$;
CREATE FUNCTION seatrial_verdict_token() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  PERFORM 1 FROM job
  WHERE job.subject = NEW.subject AND job.epoch = NEW.epoch AND job.token = NEW.token AND job.state = 'done';
  IF NOT FOUND THEN RAISE EXCEPTION 'not the latest token of its job'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER verdict_never_changes BEFORE UPDATE OR DELETE ON verdict
FOR EACH ROW EXECUTE FUNCTION seatrial_verdict_is_insert_only();
CREATE TRIGGER verdict_is_never_deleted BEFORE TRUNCATE ON verdict
FOR EACH STATEMENT EXECUTE FUNCTION seatrial_verdict_is_insert_only();
CREATE TRIGGER verdict_has_the_latest_token BEFORE INSERT ON verdict
FOR EACH ROW EXECUTE FUNCTION seatrial_verdict_token();
"""


def upgrade() -> None:
    """Create every table, and the triggers that make verdicts insert-only."""
    here = sa.text("state = 'open'")
    partly: dict[str, Any] = {"sqlite_where": here, "postgresql_where": here}
    op.create_table(
        "inbox",
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("body_sha", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
    )
    op.create_index("inbox_received", "inbox", ["received_at"])
    op.create_table(
        "subject",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.Column("first_seen", sa.Float, nullable=False),
        sa.Column("scheme", sa.String(64), nullable=False),
    )
    op.create_index("subject_named", "subject", ["model", "version"])
    op.create_table(
        "job",
        sa.Column("subject", sa.String(64), sa.ForeignKey("subject.id"), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subject", "epoch", name="job_pk"),
        sa.CheckConstraint("state IN ('open', 'done', 'gone')", name="job_state"),
    )
    op.create_index("job_open", "job", ["due_at", "rank"], **partly)
    op.create_table(
        "verdict",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("policy_digest", sa.String(80), nullable=False),
        sa.Column("reference_digest", sa.String(80), nullable=False),
        sa.Column("evidence_digest", sa.String(80), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("subject", "epoch", name="verdict_pk"),
        sa.UniqueConstraint("subject", "epoch", "outcome", name="verdict_outcome_unique"),
        sa.ForeignKeyConstraint(["subject", "epoch"], ["job.subject", "job.epoch"], name="verdict_of_job"),
        sa.CheckConstraint(OUTCOMES, name="verdict_outcome"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("effect", sa.String(120), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.UniqueConstraint("subject", "epoch", "effect", name="outbox_once"),
        sa.ForeignKeyConstraint(
            ["subject", "epoch", "outcome"],
            ["verdict.subject", "verdict.epoch", "verdict.outcome"],
            name="outbox_of_verdict",
        ),
        sa.CheckConstraint("effect NOT LIKE 'alias%' OR outcome = 'pass'", name="outbox_alias_of_pass"),
        sa.CheckConstraint("state IN ('open', 'done', 'dropped')", name="outbox_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_open", "outbox", ["due_at", "id"], **partly)
    op.create_index("outbox_open_of", "outbox", ["subject", "id"], **partly)
    op.create_table(
        "evidence",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("subject", "epoch", name="evidence_pk"),
        sa.ForeignKeyConstraint(["subject", "epoch"], ["verdict.subject", "verdict.epoch"], name="evidence_of_verdict"),
    )
    op.create_table(
        "watermark", sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Float, nullable=False)
    )
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(POSTGRESQL)
    else:
        for statement in SQLITE.split("END;\n"):
            if statement.strip():
                op.get_bind().exec_driver_sql(f"{statement}END;")
