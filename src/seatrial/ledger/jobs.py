"""Jobs: each is a validation of one version, claimed with a lease and ended by its verdict.

A job is claimed by a conditional UPDATE that increments its fencing token, and a commit needs the job's latest token:
a worker that continues after its lease ran out is fenced. Verdict, end of the job and effects are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from seatrial.ledger import schema
from seatrial.ledger.records import DueJob, Facts, Fenced, Job, Registered, Signed, identity
from seatrial.ledger.rows import job_row, subject_row
from seatrial.ledger.statements import next_number
from seatrial.ledger.transactions import LEASE_SECONDS, TEXT_LENGTH, Transactions, pause_seconds, row_of
from seatrial.process import crash_points

ATTEMPTS = 5  # of a job
ATTEMPTS_OF_A_DAY = 300  # at the longest pause: what answers nothing but errors for so long is not away
ELSEWHERE = "It has a verdict in another ledger."

_job, _verdict, _outbox, _subject = schema.job, schema.verdict, schema.outbox, schema.subject


class Jobs(Transactions):
    """Claim, renew, release and commit jobs."""

    def claim(
        self, owner: str, lease_seconds: float = LEASE_SECONDS, *, models: Collection[str] | None = None,
        due_by: float | None = None, only: DueJob | None = None,
    ) -> Job | None:  # fmt: skip
        """Claim the job that has been due longest, of equals the newest version; None when no job is due.

        Args:
            owner: host and process, for people.
            lease_seconds: after which another worker may claim it.
            models: of these registered models alone.
            due_by: claim only what was due then, seconds since 1970; now by default.
            only: this job alone, unless somebody claimed it since it was listed.
        """
        with self._writing() as (connection, now):
            due = _due(now if due_by is None else due_by, models)
            if only is not None:
                mine = (_job.c.subject == only.subject, _job.c.epoch == only.epoch, _job.c.token == only.token)
                due = due.where(*mine)
            due = due.limit(1).with_for_update(skip_locked=True)
            row = connection.execute(due).one_or_none()
            if row is None:
                return None
            return self._take(connection, row, owner, now + lease_seconds)

    def due(self, most: int, *, models: Collection[str] | None = None) -> list[DueJob]:
        """Return the jobs that may be claimed now, those first that are claimed first.

        Args:
            most: of them.
            models: of these registered models alone.
        """
        with self._reading() as connection:
            listed = _due(self._now(connection), models).limit(most).subquery()
            named = select(listed, _subject).join(_subject, _subject.c.id == listed.c.subject)
            rows = connection.execute(named.order_by(listed.c.due_at, listed.c.rank))
            return [DueJob(r.subject, r.epoch, r.token, f"{r.scheme}:/{r.model}/{r.version}") for r in rows]

    def waiting_models(self) -> list[str]:
        """Return the registered models that have an open job."""
        named = select(_subject.c.model).join(_job, _job.c.subject == _subject.c.id).where(_job.c.state == "open")
        with self._reading() as connection:
            return list(connection.execute(named.distinct()).scalars())

    def claim_version(self, version: Registered, owner: str, lease_seconds: float = LEASE_SECONDS) -> Job:
        """Claim a validation that a person started: the version's open job, or a new epoch when it has none.

        A job that another worker has claimed is not taken over: a new epoch is created as well.
        """
        subject = identity(version)
        with self._writing() as (connection, now):
            connection.execute(self._new(_subject, [subject_row(subject, version, now)]))
            connection.execute(select(_subject.c.id).where(_subject.c.id == subject).with_for_update())
            mine = select(_job).where(_job.c.subject == subject).order_by(_job.c.epoch.desc()).limit(1)
            row = connection.execute(mine).one_or_none()
            if row is None or row.state != "open" or (row.owner and row.due_at > now):
                epoch = 0 if row is None else row.epoch + 1
                connection.execute(insert(_job), [job_row(subject, epoch, version, now)])
                row = connection.execute(mine).one()
            return self._take(connection, row, owner, now + lease_seconds)

    def renew(self, job: Job, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Renew the lease; False when another worker has the job."""
        with self._writing() as (connection, now):
            return self._mine(connection, job, due_at=now + lease_seconds)

    def release(self, job: Job, error: str, *, counted: bool = True) -> bool:
        """Release a job after a failed attempt; False when that was its last one.

        Args:
            job: as it was claimed.
            error: what went wrong.
            counted: False for an error of the environment, such as a registry that is down.

        Raises:
            Fenced: another worker has the job.
        """
        if counted and job.attempt >= ATTEMPTS:
            return False
        with self._writing() as (connection, now):
            spent = job.attempt if counted else job.attempt - 1
            if not self._mine(
                connection,
                job,
                due_at=now + pause_seconds(job.attempt if counted else job.token),
                owner="",
                error=error[:TEXT_LENGTH],
                attempt=spent,
            ):
                raise _fenced(job)
        return True

    def postpone(self, job: Job, until: float) -> None:
        """Release a job whose version has a verdict in another ledger; it is due when that one need not be believed.

        Args:
            job: as it was claimed.
            until: seconds since 1970.

        Raises:
            Fenced: another worker has the job.
        """
        with self._writing() as (connection, _):
            attempt = job.attempt - 1
            if not self._mine(connection, job, due_at=until, owner="", error=ELSEWHERE, attempt=attempt):
                raise _fenced(job)

    def relies(self, subject: str) -> bool:
        """Return whether a version is left to another ledger for now; see :meth:`postpone`."""
        with self._reading() as connection:
            postponed = select(_job.c.subject).where(
                _job.c.subject == subject, _job.c.state == "open", _job.c.owner == "", _job.c.error == ELSEWHERE,
                _job.c.due_at > self._now(connection),
            )  # fmt: skip
            return connection.execute(postponed).first() is not None

    def drop(self, job: Job, reason: str) -> None:
        """Close a job without a verdict, because its version is no longer registered.

        Raises:
            Fenced: another worker has the job.
        """
        with self._writing() as (connection, _):
            if not self._mine(connection, job, state="gone", owner="", error=reason[:TEXT_LENGTH]):
                raise _fenced(job)

    def commit(
        self,
        job: Job,
        facts: Facts,
        effects: Sequence[tuple[str, Mapping[str, Any]]] = (),
        evidence: bytes = b"",
        signed: Signed | None = None,
    ) -> None:
        """Write the verdict, end the job and put its effects into the outbox: all or nothing.

        Args:
            job: as it was claimed.
            facts: the verdict.
            effects: kind and body, in the order of application.
            evidence: the verdict's files in one archive, stored until they are logged.
            signed: its statement, with the next number of its subject; see :meth:`Statements.latest`.

        Raises:
            Fenced: another worker has the job, or it has its verdict. Nothing was written.
            Overtaken: the statement does not follow the latest one any more. Nothing was written.
        """
        key = {"subject": job.subject, "epoch": job.epoch}
        with self._writing() as (connection, now):
            if not self._mine(connection, job, state="done", owner="", error=""):
                raise _fenced(job)
            number = next_number(connection, job, signed)
            row = {
                **key, "outcome": facts.outcome.value, "token": job.token, "digest": facts.digest,
                "policy_digest": facts.policy_digest, "reference_digest": facts.reference_digest,
                "evidence_digest": facts.evidence_digest, "summary": facts.summary[:TEXT_LENGTH], "created_at": now,
                "number": number, "code_digest": facts.code_digest,
            }  # fmt: skip
            connection.execute(insert(_verdict), [row])
            if signed is not None:
                connection.execute(insert(schema.statement), [{**key, **asdict(signed)}])
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

    def _take(self, connection: Connection, row: Any, owner: str, until: float) -> Job:
        """Increment the token of a job whose row, or whole database, is locked by this transaction."""
        taken = update(_job).where(_job.c.subject == row.subject, _job.c.epoch == row.epoch, _job.c.token == row.token)
        connection.execute(taken.values(token=row.token + 1, attempt=row.attempt + 1, owner=owner, due_at=until))
        about = connection.execute(select(_subject).where(_subject.c.id == row.subject)).one()
        return _as_job(row, about)

    def _mine(self, connection: Connection, job: Job, **values: Any) -> bool:
        held = update(_job).where(*row_of(_job, job), _job.c.token == job.token, _job.c.state == "open")
        return connection.execute(held.values(**values)).rowcount == 1


def _due(by: float, models: Collection[str] | None) -> Select[Any]:
    due = select(_job).where(_job.c.state == "open", _job.c.due_at <= by).order_by(_job.c.due_at, _job.c.rank)
    if models is None:
        return due
    return due.where(_job.c.subject.in_(select(_subject.c.id).where(_subject.c.model.in_(models))))


def _fenced(job: Job) -> Fenced:
    return Fenced(f"The lease on {job.uri} ran out and another worker has claimed it. This result was not written.")


def _as_job(row: Any, about: Any) -> Job:
    attempt = row.attempt + 1
    return Job(
        row.subject, row.epoch, row.token + 1, attempt, attempt > ATTEMPTS, about.model, about.version, about.created,
        about.run_id, about.model_id, about.scheme, row.error,
    )  # fmt: skip
