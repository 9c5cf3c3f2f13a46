"""Effects that are parked: a reachable backend refused them, and a person says when they are tried again."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAME, STATES = "outbox_state", "state IN ('open', 'done', 'dropped', 'parked')"
COLUMNS = "id, subject, epoch, outcome, model, effect, body, state, due_at, token, attempt, result"


def upgrade() -> None:
    """Allow the state; SQLite changes no constraint, so the table is made again there."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(NAME, "outbox")
        op.create_check_constraint(NAME, "outbox", STATES)
        return
    for index in ("outbox_open", "outbox_open_of"):
        op.drop_index(index)
    op.rename_table("outbox", "outbox_before")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
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
        sa.CheckConstraint(STATES, name=NAME),
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO outbox ({COLUMNS}) SELECT {COLUMNS} FROM outbox_before")  # noqa: S608  constants
    op.drop_table("outbox_before")
    partly: dict[str, Any] = {"sqlite_where": sa.text("state = 'open'")}
    op.create_index("outbox_open", "outbox", ["due_at", "id"], **partly)
    op.create_index("outbox_open_of", "outbox", ["subject", "id"], **partly)
