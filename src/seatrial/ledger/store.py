"""The ledger itself. Every method is one short transaction; whoever dies between two of them loses nothing.

A job is claimed by a conditional UPDATE that raises its token, and a commit counts only under the job's latest token:
a worker that slept past its lease is fenced off. Verdict, end of the job and effects are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from seatrial.ledger import schema
from seatrial.ledger.database import connect, url_for
from seatrial.ledger.history import History
from seatrial.ledger.migrate import migrate
from seatrial.ledger.outbox import Outbox
from seatrial.ledger.records import Facts, Fenced, Job, Registered, identity
from seatrial.ledger.transactions import LEASE_SECONDS, WORDS, of, pause_seconds, spoken
from seatrial.process import crash_points

ATTEMPTS = 5  # of a job; an effect is tried until it is done or can never be
KEEP_DELIVERIES_SECONDS = 7 * 86_400.0
CHUNK, MANY = 500, 5_000  # values in one statement (SQLite takes 999); from so many on all are read at once

_job, _verdict, _outbox, _subject, _inbox = schema.job, schema.verdict, schema.outbox, schema.subject, schema.inbox


class Ledger(Outbox, History):
    """An open ledger. It may be used from several threads; several processes may have the same one open."""

    @classmethod
    def open(cls, url: str) -> Ledger:
        """Open the ledger at a database's address and bring its tables up to date.

        Raises:
            UsageError: not such an address.
            LedgerError: the database does not answer.
        """
        engine = connect(url)
        if engine.dialect.name == "sqlite" and engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        with spoken(engine):
            migrate(engine)
        return cls(engine)

    @classmethod
    def of(cls, state: Path) -> Ledger:
        """Open the ledger of the project whose state directory this is."""
        return cls.open(url_for(state))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what comes in -----------------------------------------------------------------------------------

    def deliver(self, delivery_id: str, body_sha: str, name: str = "", number: str = "") -> bool:
        """Note a webhook's delivery; False when this delivery was noted before.

        Args:
            delivery_id: as the sender stated it, stable over its own repetitions.
            body_sha: SHA-256 of the body, hex.
            name: the model it hints at.
            number: the version it hints at.
        """
        with self._writing() as (connection, now):
            row = {"delivery_id": delivery_id, "body_sha": body_sha, "received_at": now, "model": name}
            new = self._new(_inbox, [{**row, "version": number}]).returning(_inbox.c.delivery_id)
            taken = connection.execute(new).all()
            connection.execute(delete(_inbox).where(_inbox.c.received_at < now - KEEP_DELIVERIES_SECONDS))
            return bool(taken)

    def observe(self, versions: Sequence[Registered], marks: Mapping[str, float] | None = None) -> int:
        """Note registered versions; each that is new becomes a job. Return how many were new.

        Args:
            versions: as the registry lists them; those that are known already cost one look-up.
            marks: how far the registry has now been read, kept in the same transaction.
        """
        seen = {identity(v): v for v in versions}
        with self._writing() as (connection, now):
            known = self._known(connection, list(seen))
            new = {s: v for s, v in seen.items() if s not in known}
            if new:
                connection.execute(self._new(_subject), [_subject_row(s, v, now) for s, v in new.items()])
                connection.execute(self._new(_job), [_job_row(s, 0, v, now) for s, v in new.items()])
            for name, value in (marks or {}).items():
                fresh = self._new(schema.mark, [{"name": name, "value": value}], replacing="value")
                connection.execute(fresh)
            return len(new)

    def marks(self) -> dict[str, float]:
        """Return how far the registry has been read, as it was handed to :meth:`observe`."""
        with self._reading() as connection:
            return {row.name: row.value for row in connection.execute(select(schema.mark))}

    def now(self) -> float:
        """Return the database's time, seconds since 1970."""
        with self._reading() as connection:
            return self._now(connection)

    # --- jobs --------------------------------------------------------------------------------------------

    def claim(self, owner: str, lease_seconds: float = LEASE_SECONDS) -> Job | None:
        """Claim the job that has been due longest, among equals the newest version; None when nothing is due."""
        with self._writing() as (connection, now):
            due = select(_job).where(_job.c.state == "open", _job.c.due_at <= now)
            due = due.order_by(_job.c.due_at, _job.c.rank).limit(1).with_for_update(skip_locked=True)
            row = connection.execute(due).one_or_none()
            if row is None:
                return None
            return self._take(connection, row, owner, now + lease_seconds)

    def again(self, version: Registered, owner: str, lease_seconds: float = LEASE_SECONDS) -> Job:
        """Claim a validation that a person asked for: the version's open job, or a new epoch when it has none.

        A job that somebody else is at is left to them: then there is a new epoch as well.
        """
        subject = identity(version)
        with self._writing() as (connection, now):
            connection.execute(self._new(_subject, [_subject_row(subject, version, now)]))
            connection.execute(select(_subject.c.id).where(_subject.c.id == subject).with_for_update())
            mine = select(_job).where(_job.c.subject == subject).order_by(_job.c.epoch.desc()).limit(1)
            row = connection.execute(mine).one_or_none()
            if row is None or row.state != "open" or (row.owner and row.due_at > now):
                epoch = 0 if row is None else row.epoch + 1
                connection.execute(insert(_job), [_job_row(subject, epoch, version, now)])
                row = connection.execute(mine).one()
            return self._take(connection, row, owner, now + lease_seconds)

    def renew(self, job: Job, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Prolong the lease; False when the job is somebody else's by now."""
        with self._writing() as (connection, now):
            return self._mine(connection, job, due_at=now + lease_seconds)

    def release(self, job: Job, error: str, *, counted: bool = True) -> bool:
        """Give a job back after a failed attempt; False when that was the last one, and it is to be given up.

        Args:
            job: as it was claimed.
            error: what went wrong.
            counted: False for trouble that is none of the version's, such as a registry that is down.

        Raises:
            Fenced: it is somebody else's by now.
        """
        if counted and job.attempt >= ATTEMPTS:
            return False
        with self._writing() as (connection, now):
            spent = job.attempt if counted else job.attempt - 1
            if not self._mine(
                connection, job, due_at=now + pause_seconds(job.attempt), owner="", error=error[:WORDS], attempt=spent
            ):
                raise _fenced(job)
        return True

    def drop(self, job: Job, why: str) -> None:
        """Close a job without a verdict: its version is not registered any more.

        Raises:
            Fenced: it is somebody else's by now.
        """
        with self._writing() as (connection, _):
            if not self._mine(connection, job, state="gone", owner="", error=why[:WORDS]):
                raise _fenced(job)

    def commit(
        self, job: Job, facts: Facts, effects: Sequence[tuple[str, Mapping[str, Any]]] = (), evidence: bytes = b""
    ) -> None:
        """Write the verdict, end the job and put its effects into the outbox: all of it or nothing.

        Args:
            job: as it was claimed.
            facts: the verdict.
            effects: kind and body, in the order they are to be applied.
            evidence: the verdict's files in one archive, kept until they are logged.

        Raises:
            Fenced: the job is somebody else's by now, or has its verdict. Nothing was written.
        """
        key = {"subject": job.subject, "epoch": job.epoch}
        with self._writing() as (connection, now):
            if not self._mine(connection, job, state="done", owner="", error=""):
                raise _fenced(job)
            row = {
                **key, "outcome": facts.outcome.value, "token": job.token, "digest": facts.digest,
                "policy_digest": facts.policy_digest, "reference_digest": facts.reference_digest,
                "evidence_digest": facts.evidence_digest, "summary": facts.summary[:WORDS], "created_at": now,
            }  # fmt: skip
            connection.execute(insert(_verdict), [row])
            crash_points.point("between-verdict-and-outbox")
            if effects:
                common = {
                    **key, "outcome": facts.outcome.value, "model": job.name, "state": "open", "due_at": now,
                    "token": 0, "attempt": 0, "result": "",
                }  # fmt: skip
                rows = [{**common, "effect": kind, "body": json.dumps(body)} for kind, body in effects]
                connection.execute(insert(_outbox), rows)
            if evidence:
                connection.execute(insert(schema.evidence), [{**key, "content": evidence}])

    # --- inside ------------------------------------------------------------------------------------------

    def _known(self, connection: Connection, subjects: list[str]) -> set[str]:
        if len(subjects) > MANY:
            return set(connection.execute(select(_subject.c.id)).scalars())
        known: set[str] = set()
        for start in range(0, len(subjects), CHUNK):
            part = _subject.c.id.in_(subjects[start : start + CHUNK])
            known.update(connection.execute(select(_subject.c.id).where(part)).scalars())
        return known

    def _take(self, connection: Connection, row: Any, owner: str, until: float) -> Job:
        """Raise the token of a job that nobody else holds; its row is locked or the database is ours."""
        taken = update(_job).where(_job.c.subject == row.subject, _job.c.epoch == row.epoch, _job.c.token == row.token)
        connection.execute(taken.values(token=row.token + 1, attempt=row.attempt + 1, owner=owner, due_at=until))
        about = connection.execute(select(_subject).where(_subject.c.id == row.subject)).one()
        return _as_job(row, about)

    def _mine(self, connection: Connection, job: Job, **values: Any) -> bool:
        held = update(_job).where(*of(_job, job), _job.c.token == job.token, _job.c.state == "open")
        return connection.execute(held.values(**values)).rowcount == 1


def _fenced(job: Job) -> Fenced:
    return Fenced(f"The lease on {job.uri} ran out and somebody else has it; what was found here was not written.")


def _subject_row(subject: str, version: Registered, now: float) -> dict[str, Any]:
    return {
        "id": subject, "model": version.name, "version": str(version.number), "created": int(version.created),
        "run_id": version.run_id, "model_id": version.model_id, "first_seen": now,
        "scheme": version.scheme,
    }  # fmt: skip


def _job_row(subject: str, epoch: int, version: Registered, now: float) -> dict[str, Any]:
    return {
        "subject": subject, "epoch": epoch, "state": "open", "due_at": now, "rank": -int(version.created), "token": 0,
        "attempt": 0, "owner": "", "error": "",
    }  # fmt: skip


def _as_job(row: Any, about: Any) -> Job:
    attempt = row.attempt + 1
    return Job(
        row.subject, row.epoch, row.token + 1, attempt, attempt > ATTEMPTS, about.model, about.version, about.created,
        about.run_id, about.model_id, about.scheme, row.error,
    )  # fmt: skip
