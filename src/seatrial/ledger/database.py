"""A database for the ledger: SQLite in WAL mode, or PostgreSQL; short write transactions; the database's own clock."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, Float, create_engine, event, literal_column
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from seatrial.errors import UsageError

URL = "SEATRIAL_LEDGER_URL"
BUSY_SECONDS = 60  # that a writer waits for another transaction
CLOCKS = {
    # unixepoch('subsec') needs SQLite 3.42; a Julian day in a double is exact to 0.1 ms
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)",
}


def url_for(state: Path) -> str:
    """Return the ledger's address: ``SEATRIAL_LEDGER_URL``, else ``ledger.db`` in the project's state directory."""
    return os.environ.get(URL) or f"sqlite:///{state / 'ledger.db'}"


def clock(engine: Engine) -> ColumnElement[float]:
    """Return the database's time as an expression: seconds since 1970."""
    return literal_column(CLOCKS[engine.dialect.name], Float)


def connect(url: str) -> Engine:
    """Return an engine for the ledger's address.

    Raises:
        UsageError: the address is not of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            driver = parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed
            # A worker that is frozen in a transaction blocks the others: here until the server ends its session, with
            # SQLite until the worker continues or ends.
            options = f"-c idle_in_transaction_session_timeout={BUSY_SECONDS}s {driver.query.get('options', '')}"
            arguments = {"connect_timeout": 10, "options": options.strip()}
            return create_engine(driver, pool_pre_ping=True, pool_size=2, connect_args=arguments)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(url)
        raise UsageError(
            f"{URL} is an address of '{parsed.drivername}'. Allowed: sqlite:///PATH or postgresql://HOST/NAME."
        )
    except ArgumentError as error:
        raise UsageError(
            f"{URL} is not a database address. Allowed: sqlite:///PATH or postgresql://HOST/NAME."
        ) from error
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{URL} needs the module {error.name}, which is missing. Install it: pip install 'seatrial[postgres]'."
        ) from error


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own transactions begin too late
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        # A transaction that reads first and writes later would fail if another one wrote in between.
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: Any) -> None:
    """Switch to a write-ahead log. If several open a new file at once, SQLite refuses this without waiting."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
