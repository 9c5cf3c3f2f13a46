"""Short transactions by the database's own clock, with readable errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from seatrial.formatting import without_user
from seatrial.ledger.database import clock
from seatrial.ledger.migrate import LedgerError
from seatrial.ledger.records import Job

CANCELLED = "cancelled"  # begins the reason of a job that somebody closed
TEXT_LENGTH = 2_000  # characters stored of an error or a summary
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 300.0  # before another attempt, doubled each time
LEASE_SECONDS = 60.0


class Transactions:
    """Reads and writes, each in a transaction of its own.

    Attributes:
        offset_seconds: added to the database's clock, so that tests can move time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock = clock(engine)
        self.offset_seconds = 0.0

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[Connection, float]]:
        with readable_errors(self._engine), self._engine.begin() as connection:
            yield connection, self._now(connection)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with readable_errors(self._engine), self._engine.connect().execution_options(reads=True) as connection:
            yield connection

    def _now(self, connection: Connection) -> float:
        return float(connection.execute(select(self._clock)).scalar_one()) + self.offset_seconds

    def _new(self, table: Any, rows: list[dict[str, Any]] | None = None, replacing: str = "") -> Any:
        """Return an INSERT that does not change an existing row, or replaces one column of it."""
        dialect: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        if rows:
            statement = statement.values(rows)
        if replacing:
            keys = [c.name for c in table.primary_key]
            return statement.on_conflict_do_update(index_elements=keys, set_={replacing: statement.excluded[replacing]})
        return statement.on_conflict_do_nothing()


@contextlib.contextmanager
def readable_errors(engine: Engine) -> Iterator[None]:
    """Turn the failure of a database into a LedgerError; a violated constraint of the ledger is raised unchanged."""
    try:
        yield
    except DBAPIError as error:
        connecting = error.statement is None  # such as with an option that the driver does not know
        broken = type(error) in (OperationalError, DatabaseError) or error.connection_invalidated
        if not (broken or connecting):
            raise
        reason = str(error.orig).strip().splitlines()[0][:300] if str(error.orig).strip() else type(error.orig).__name__
        raise LedgerError(
            f"The ledger at {without_user(engine.url.render_as_string())} cannot be used: {without_user(reason)}. "
            "Check SEATRIAL_LEDGER_URL and whether the database is running."
        ) from error


def pause_seconds(attempt: int) -> float:
    """Return the seconds to wait after a failed attempt: doubled each time, with a limit."""
    return min(PAUSE_SECONDS * 2.0 ** min(max(attempt - 1, 0), 10), LONGEST_PAUSE_SECONDS)


def row_of(table: Any, job: Job) -> tuple[ColumnElement[bool], ...]:
    """Return the condition for the row of a job's subject and epoch."""
    return table.c.subject == job.subject, table.c.epoch == job.epoch
