"""The scheme of a version's address: there are more registries than one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the scheme; whatever is there is of MLflow."""
    op.add_column("subject", sa.Column("scheme", sa.String(64), nullable=False, server_default="models"))
