"""Queries of past verdicts: all of a model, the valid pass of a version, and the passes that moved an alias."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from seatrial.events import Outcome, Subject
from seatrial.ledger import schema
from seatrial.ledger.records import Facts, StoredVerdict
from seatrial.ledger.transactions import Transactions

_job, _outbox, _subject, _verdict = schema.job, schema.outbox, schema.subject, schema.verdict


class History(Transactions):
    """Read-only queries."""

    def verdicts(self, name: str, number: str = "") -> list[StoredVerdict]:
        """Return every verdict of a model, or of every version that ever had this ``number``, oldest first."""
        rows = select(_verdict, _subject).join(_subject, _subject.c.id == _verdict.c.subject)
        conditions: list[ColumnElement[bool]] = [_subject.c.model == name]
        if number:
            conditions.append(_subject.c.version == number)
        order = (_subject.c.created, _subject.c.id, _verdict.c.number)
        with self._reading() as connection:
            return [stored(row) for row in connection.execute(rows.where(*conditions).order_by(*order))]

    def passing(self, subject: Subject, policy_digest: str | None = None) -> StoredVerdict | None:
        """Return the valid pass of a version, or None: its latest verdict that is a pass or a fail.

        A later inconclusive or error verdict does not revoke a pass. A pass of other content does not count.

        Args:
            subject: has model, version and time of creation; if it has a digest, only a pass of that content counts.
            policy_digest: if given, only verdicts under this policy count.
        """
        evaluated = [
            verdict
            for verdict in self.verdicts(subject.model, subject.version)
            if verdict.created == subject.created
            and verdict.outcome in (Outcome.PASS, Outcome.FAIL)
            and subject.digest in ("", verdict.facts.digest)
            and policy_digest in (None, verdict.facts.policy_digest)
        ]
        return evaluated[-1] if evaluated and evaluated[-1].outcome is Outcome.PASS else None

    def alias_history(self, name: str, alias: str) -> list[StoredVerdict]:
        """Return the passing verdicts that moved an alias of a model to their version, latest first."""
        moved = select(_verdict, _subject, _outbox.c.result).select_from(_outbox)
        moved = moved.join(_verdict, and_(*(_verdict.c[c] == _outbox.c[c] for c in ("subject", "epoch"))))
        moved = moved.join(_subject, _subject.c.id == _outbox.c.subject)
        moved = moved.where(_outbox.c.model == name, _outbox.c.effect == "alias", _outbox.c.state == "done")
        with self._reading() as connection:
            rows = connection.execute(moved.order_by(_outbox.c.id.desc()).limit(50)).all()
        return [stored(row) for row in rows if alias in json.loads(row.result)]

    def open_jobs(self) -> int:
        """Return how many jobs have no verdict yet."""
        with self._reading() as connection:
            return connection.execute(select(func.count()).where(_job.c.state == "open")).scalar_one()


def stored(row: Any) -> StoredVerdict:
    """Return the verdict in a row of verdict and subject."""
    facts = Facts(
        Outcome(row.outcome), row.summary, row.digest, row.policy_digest, row.reference_digest, row.evidence_digest,
        row.code_digest,
    )  # fmt: skip
    return StoredVerdict(row.model, row.version, row.created, row.epoch, facts, row.created_at, row.number)
