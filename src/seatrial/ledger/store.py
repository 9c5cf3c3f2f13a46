"""The ledger. Every method is one short transaction; a worker that dies between two of them loses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, delete, select

from seatrial.ledger import schema
from seatrial.ledger.database import connect, url_for
from seatrial.ledger.history import History
from seatrial.ledger.jobs import Jobs
from seatrial.ledger.migrate import LedgerError, migrate
from seatrial.ledger.outbox import Outbox
from seatrial.ledger.overview import Overview
from seatrial.ledger.records import Registered, identity
from seatrial.ledger.rows import job_row, subject_row
from seatrial.ledger.statements import Statements
from seatrial.ledger.steering import Steering
from seatrial.ledger.transactions import readable_errors

DELIVERY_RETENTION_SECONDS = 7 * 86_400.0
CHUNK, MANY = 500, 5_000  # values in one statement (SQLite allows 999); above MANY the whole table is read

_job, _subject, _inbox = schema.job, schema.subject, schema.inbox


class Ledger(Jobs, Steering, Outbox, History, Overview, Statements):
    """An open ledger. Several threads may use it, and several processes may open the same one.

    Example::

        with Ledger.open("sqlite:///ledger.db") as ledger:
            print(ledger.verdicts("payments"))
    """

    @classmethod
    def open(cls, url: str) -> Ledger:
        """Open the ledger at a database's address and migrate its tables.

        Raises:
            UsageError: the address is not of SQLite or PostgreSQL.
            LedgerError: the database cannot be used.
        """
        engine = connect(url)
        if engine.dialect.name == "sqlite" and engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        with readable_errors(engine):
            migrate(engine)
        return cls(engine)

    @classmethod
    def of(cls, state: Path) -> Ledger:
        """Open the ledger of the project with this state directory."""
        return cls.open(url_for(state))

    @classmethod
    def reached(cls, state: Path) -> Ledger | None:
        """Open the ledger of the project with this state directory where it is; None where it cannot be reached.

        None is made: a file that does not exist is not the ledger.

        Raises:
            UsageError: the address is not of SQLite or PostgreSQL.
        """
        engine = connect(url_for(state))
        database = engine.url.database
        if engine.dialect.name == "sqlite" and not (database and Path(database).is_file()):
            return None
        engine.dispose()
        try:
            return cls.of(state)
        except LedgerError:
            return None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def deliver(self, delivery_id: str, body_sha: str, name: str = "", number: str = "") -> bool:
        """Record a webhook's delivery; False when it was recorded before.

        Args:
            delivery_id: of the sender, the same for each retry.
            body_sha: SHA-256 of the body, hex.
            name: the model it names.
            number: the version it names.
        """
        with self._writing() as (connection, now):
            row = {"delivery_id": delivery_id, "body_sha": body_sha, "received_at": now, "model": name}
            new = self._new(_inbox, [{**row, "version": number}]).returning(_inbox.c.delivery_id)
            recorded = connection.execute(new).all()
            connection.execute(delete(_inbox).where(_inbox.c.received_at < now - DELIVERY_RETENTION_SECONDS))
            return bool(recorded)

    def observe(self, versions: Sequence[Registered], watermarks: Mapping[str, float] | None = None) -> int:
        """Record registered versions; each new one becomes a job. Return how many were new.

        Args:
            versions: as the registry lists them.
            watermarks: how far the registry has been read, written in the same transaction.
        """
        seen = {identity(v): v for v in versions}
        with self._writing() as (connection, now):
            known = self._known(connection, list(seen))
            new = {s: v for s, v in seen.items() if s not in known}
            if new:
                connection.execute(self._new(_subject), [subject_row(s, v, now) for s, v in new.items()])
                connection.execute(self._new(_job), [job_row(s, 0, v, now) for s, v in new.items()])
            for name, value in (watermarks or {}).items():
                fresh = self._new(schema.watermark, [{"name": name, "value": value}], replacing="value")
                connection.execute(fresh)
            return len(new)

    def watermarks(self) -> dict[str, float]:
        """Return how far the registry has been read, as last passed to :meth:`observe`."""
        with self._reading() as connection:
            return {row.name: row.value for row in connection.execute(select(schema.watermark))}

    def now(self) -> float:
        """Return the database's time, seconds since 1970."""
        with self._reading() as connection:
            return self._now(connection)

    def _known(self, connection: Connection, subjects: list[str]) -> set[str]:
        if len(subjects) > MANY:
            return set(connection.execute(select(_subject.c.id)).scalars())
        known: set[str] = set()
        for start in range(0, len(subjects), CHUNK):
            part = _subject.c.id.in_(subjects[start : start + CHUNK])
            known.update(connection.execute(select(_subject.c.id).where(part)).scalars())
        return known
