"""Signed statements, the heads that show each subject's newest one, and the verdicts that may be out of date."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, func, or_, select

from seatrial.events import Outcome
from seatrial.ledger import schema
from seatrial.ledger.records import Job, Overtaken, Signed
from seatrial.ledger.transactions import CANCELLED, Transactions

_job, _subject, _verdict, _statement = schema.job, schema.subject, schema.verdict, schema.statement


class Due(NamedTuple):
    """A version whose head is to be renewed, with its newest statement."""

    version: Job
    number: int
    digest: str


class Current(NamedTuple):
    """A version that is in use: policy and code digest of each of its verdicts, and its newest statement if any."""

    version: Job
    under: frozenset[tuple[str, str]]
    statement: bytes


class Statements(Transactions):
    """Statements are written with their verdicts, by :meth:`Jobs.commit`, and never change."""

    @property
    def id(self) -> str:
        """What tells this ledger from another; a copy of its database keeps it."""
        with self._reading() as connection:
            return str(connection.execute(select(schema.ledger.c.id)).scalar_one())

    def latest(self, subject: str) -> tuple[int, Signed | None]:
        """Return the number of a subject's latest verdict, 0 where it has none, and its newest statement."""
        with self._reading() as connection:
            return _latest_number(connection, subject), _newest(connection, subject)

    def statements(self, subject: str) -> list[Signed]:
        """Return a subject's statements, the newest first."""
        rows = select(_statement).where(_statement.c.subject == subject).order_by(_statement.c.number.desc())
        with self._reading() as connection:
            return [_signed(row) for row in connection.execute(rows)]

    def archive(self, subject: str, epoch: int) -> bytes:
        """Return the archive of a verdict's files; empty once they are logged."""
        found = select(schema.evidence.c.content).where(
            schema.evidence.c.subject == subject, schema.evidence.c.epoch == epoch
        )
        with self._reading() as connection:
            return bytes(connection.execute(found).scalar() or b"")

    def due_heads(self, left_seconds: float, most: int, subject: str = "") -> list[Due]:
        """Return the versions whose head is behind their newest statement, or has less than ``left_seconds`` left.

        Those without a head that counts come first, the latest statement before others, then those whose head has the
        least time left: where there are more than ``most``, none waits until it is too late.

        Args:
            left_seconds: a head that is fresh for longer is not due.
            most: of them.
            subject: only this version.
        """
        head, newest = schema.head, select(_statement.c.subject, func.max(_statement.c.number).label("number"))
        if subject:
            newest = newest.where(_statement.c.subject == subject)
        last = newest.group_by(_statement.c.subject).subquery()
        due = select(_statement, *_about()).join(
            last, and_(_statement.c.subject == last.c.subject, _statement.c.number == last.c.number)
        )
        due = due.join(_subject, _subject.c.id == _statement.c.subject)
        due = due.outerjoin(head, head.c.subject == _statement.c.subject)
        with self._reading() as connection:
            soon = self._now(connection) + left_seconds
            behind = or_(head.c.subject.is_(None), head.c.number < _statement.c.number)
            order = (case((behind, 0.0), else_=head.c.expires_at), _statement.c.number.desc())
            rows = connection.execute(due.where(or_(behind, head.c.expires_at < soon)).order_by(*order).limit(most))
            return [Due(_version(row), row.number, row.digest) for row in rows]

    def record_head(self, subject: str, number: int, expires_at: float) -> None:
        """Record that the registry shows a head. If a newer statement was committed meanwhile, the head stays due."""
        row = {"subject": subject, "number": number, "expires_at": expires_at}
        with self._writing() as (connection, _):
            for column in ("number", "expires_at"):
                connection.execute(self._new(schema.head, [row], replacing=column))

    def in_use(self, model: str = "") -> list[Current]:
        """Return each model's newest version that has a verdict, and its newest that passed.

        A version with an open job, or that is no longer registered, is left out.

        Args:
            model: only this one's.
        """
        number = func.max(_verdict.c.number).label("number")
        last = select(_verdict.c.subject, number).group_by(_verdict.c.subject).subquery()
        only = _verdict.c.outcome.in_((Outcome.PASS.value, Outcome.FAIL.value))
        deciding = select(_verdict.c.subject, number).where(only).group_by(_verdict.c.subject).subquery()
        decided = _verdict.alias("decided")
        ended = select(_job.c.subject, func.max(_job.c.epoch).label("epoch")).group_by(_job.c.subject).subquery()
        rows = (
            select(_verdict, *_about(), decided.c.outcome.label("decided"), _job.c.state, _job.c.error)
            .join(last, and_(_verdict.c.subject == last.c.subject, _verdict.c.number == last.c.number))
            .join(_subject, _subject.c.id == _verdict.c.subject)
            .outerjoin(deciding, deciding.c.subject == _verdict.c.subject)
            .outerjoin(decided, and_(decided.c.subject == deciding.c.subject, decided.c.number == deciding.c.number))
            .join(ended, ended.c.subject == _verdict.c.subject)
            .join(_job, and_(_job.c.subject == ended.c.subject, _job.c.epoch == ended.c.epoch))
            .order_by(_subject.c.created, _subject.c.id)
        )
        if model:
            rows = rows.where(_subject.c.model == model)
        with self._reading() as connection:
            newest, good = {}, {}
            for row in connection.execute(rows).all():
                if _unregistered(row):
                    continue
                newest[row.model] = row
                if row.decided == Outcome.PASS.value:
                    good[row.model] = row
            used = {row.subject: row for row in (*newest.values(), *good.values()) if row.state != "open"}
            return [_current(connection, row) for row in used.values()]


def _unregistered(row: Any) -> bool:
    """Return whether a version is no longer registered: its last job was closed, and nobody cancelled it."""
    return bool(row.state == "gone" and not row.error.startswith(CANCELLED))


def next_number(connection: Connection, job: Job, signed: Signed | None) -> int:
    """Return the number of a subject's next verdict, while its row is locked.

    Raises:
        Overtaken: the statement that goes with it does not follow the newest one.
    """
    connection.execute(select(_subject.c.id).where(_subject.c.id == job.subject).with_for_update())
    latest, newest = _latest_number(connection, job.subject), _newest(connection, job.subject)
    if signed is None:
        return latest + 1
    if signed.number <= latest or (newest is not None and newest.digest != signed.previous):
        raise Overtaken(f"Another verdict of {job.uri} was committed at the same moment.")
    return signed.number


def _latest_number(connection: Connection, subject: str) -> int:
    found = select(func.max(_verdict.c.number)).where(_verdict.c.subject == subject)
    return int(connection.execute(found).scalar() or 0)


def _newest(connection: Connection, subject: str) -> Signed | None:
    rows = select(_statement).where(_statement.c.subject == subject).order_by(_statement.c.number.desc()).limit(1)
    row = connection.execute(rows).one_or_none()
    return None if row is None else _signed(row)


def _signed(row: Any) -> Signed:
    return Signed(row.number, row.digest, row.previous, bytes(row.content))


def _current(connection: Connection, row: Any) -> Current:
    newest = _newest(connection, row.subject)
    pairs = select(_verdict.c.policy_digest, _verdict.c.code_digest).where(_verdict.c.subject == row.subject).distinct()
    under = frozenset((policy, code) for policy, code in connection.execute(pairs))
    return Current(_version(row), under, newest.content if newest else b"")


def _about() -> tuple[Any, ...]:
    return tuple(_subject.c[name] for name in ("model", "version", "created", "run_id", "model_id", "scheme"))


def _version(row: Any) -> Job:
    return Job(
        row.subject, row.epoch, 0, 0, False, row.model, row.version, row.created, row.run_id, row.model_id, row.scheme
    )
