"""Signed statements, numbered verdicts, and the ledger's own id."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Verdicts of the schema before get their numbers while this one transaction lets verdicts be updated.
NUMBERS = """
UPDATE verdict SET number = (
  SELECT count(*) FROM verdict AS earlier
  WHERE earlier.subject = verdict.subject
    AND (earlier.created_at, earlier.epoch) <= (verdict.created_at, verdict.epoch)
)
"""

SQLITE_UNLOCK = ("DROP TRIGGER verdict_never_changes",)
SQLITE_LOCK = (
    "CREATE TRIGGER verdict_never_changes BEFORE UPDATE ON verdict "
    "BEGIN SELECT RAISE(ABORT, 'a verdict never changes'); END",
    "CREATE TRIGGER statement_never_changes BEFORE UPDATE ON statement "
    "BEGIN SELECT RAISE(ABORT, 'a statement never changes'); END",
    "CREATE TRIGGER statement_is_never_deleted BEFORE DELETE ON statement "
    "BEGIN SELECT RAISE(ABORT, 'a statement is never deleted'); END",
)
POSTGRESQL_UNLOCK = ("ALTER TABLE verdict DISABLE TRIGGER verdict_never_changes",)
POSTGRESQL_LOCK = (
    "ALTER TABLE verdict ENABLE TRIGGER verdict_never_changes",
    "CREATE TRIGGER statement_never_changes BEFORE UPDATE OR DELETE ON statement "
    "FOR EACH ROW EXECUTE FUNCTION seatrial_verdict_is_insert_only()",
    "CREATE TRIGGER statement_is_never_deleted BEFORE TRUNCATE ON statement "
    "FOR EACH STATEMENT EXECUTE FUNCTION seatrial_verdict_is_insert_only()",
)


def upgrade() -> None:
    """Add the tables and columns, number the verdicts there are, and make statements insert-only too."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("verdict", sa.Column("number", sa.Integer, nullable=False, server_default="0"))
    op.add_column("verdict", sa.Column("code_digest", sa.String(80), nullable=False, server_default=""))
    for statement in (*(POSTGRESQL_UNLOCK if postgresql else SQLITE_UNLOCK), NUMBERS):
        op.get_bind().exec_driver_sql(statement)
    op.create_index("verdict_number", "verdict", ["subject", "number"], unique=True)
    op.create_table(
        "statement",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("previous", sa.String(80), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("subject", "epoch", name="statement_pk"),
        sa.ForeignKeyConstraint(
            ["subject", "epoch"], ["verdict.subject", "verdict.epoch"], name="statement_of_verdict"
        ),
    )
    op.create_index("statement_number", "statement", ["subject", "number"], unique=True)
    op.create_table(
        "head",
        sa.Column("subject", sa.String(64), sa.ForeignKey("subject.id", name="head_of_subject"), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    ledger = op.create_table("ledger", sa.Column("id", sa.String(32), primary_key=True))
    op.bulk_insert(ledger, [{"id": uuid.uuid4().hex}])
    for statement in POSTGRESQL_LOCK if postgresql else SQLITE_LOCK:
        op.get_bind().exec_driver_sql(statement)
