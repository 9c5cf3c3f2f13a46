"""Migrate a database to the tables that this version of seatrial needs."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from seatrial.errors import SeatrialError
from seatrial.formatting import without_user

VERSION_TABLE = "seatrial_ledger_version"  # not Alembic's default: other applications may use the database too
HEAD = "0003"
_LOCK = 7_325_341  # any number, the same for all


class LedgerError(SeatrialError):
    """The ledger's database cannot be reached or used."""


def migrate(engine: Engine) -> None:
    """Create or update the tables, once, also when several processes start at the same moment.

    Raises:
        LedgerError: the database was written by a newer seatrial.
    """
    with engine.connect().execution_options(reads=True) as connection:
        if _version(connection) == HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        current = _version(connection)
        if current == HEAD:
            return
        if current is not None and current > HEAD:
            raise LedgerError(
                f"The ledger at {without_user(engine.url.render_as_string())} has schema version {current}; this "
                f"seatrial supports {HEAD}. Install the newer seatrial that wrote it."
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
