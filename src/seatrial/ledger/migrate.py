"""Bring a database to the tables that this version of seatrial knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from seatrial.errors import SeatrialError

VERSION_TABLE = "seatrial_ledger_version"  # of its own: a database may hold other applications' tables too
HEAD = "0002"
_LOCK = 7_325_341  # any number, the same for all


class LedgerError(SeatrialError):
    """The ledger's database cannot be reached or used."""


def migrate(engine: Engine) -> None:
    """Make or update the tables, once, whoever else starts at the same moment.

    Raises:
        LedgerError: the database was made by a newer seatrial.
    """
    with engine.connect().execution_options(reads=True) as connection:
        if _version(connection) == HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        stands = _version(connection)
        if stands == HEAD:
            return
        if stands is not None and stands > HEAD:
            raise LedgerError(
                f"The ledger at {engine.url.render_as_string()} is of step {stands}; this seatrial knows {HEAD}. "
                "Install the newer seatrial that wrote it."
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  a constant
    return str(found) if found is not None else None
