"""Alembic's entry: runs the migrations on the connection that the ledger passes."""

from alembic import context

from seatrial.ledger.migrate import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
