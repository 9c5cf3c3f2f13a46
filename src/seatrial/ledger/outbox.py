"""The outbox: what is to be told to the world because of a verdict, taken one by one and in order."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, or_, select, text, update

from seatrial.ledger import schema
from seatrial.ledger.records import Effect, Fenced, Job
from seatrial.ledger.transactions import LEASE_SECONDS, WORDS, Transactions, of, pause_seconds

PAUSED = "waits:"
_LOCK = 7_325_342  # any number, the same for all
_outbox, _subject, _verdict = schema.outbox, schema.subject, schema.verdict


class Outbox(Transactions):
    """Effects that wait, are taken for a lease, and end done or dropped."""

    def next_effect(self, lease_seconds: float = LEASE_SECONDS, *, job: Job | None = None) -> Effect | None:
        """Take an effect that is due, for as long as the lease; None when none is.

        A version's effects come one after the other, in the order of its verdicts, and of one model's aliases one is
        moved at a time: MLflow has no compare-and-set.

        Args:
            lease_seconds: after which somebody else may take it.
            job: take what is to be told of this job's version alone; somebody waits for it, so pauses are over.
        """
        earlier, moving = _outbox.alias("earlier"), _outbox.alias("moving")
        with self._writing() as (connection, now):
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            waits = exists().where(
                earlier.c.subject == _outbox.c.subject, earlier.c.state == "open", earlier.c.id < _outbox.c.id
            )
            busy = exists().where(
                moving.c.state == "open", moving.c.due_at > now, moving.c.token > 0, moving.c.id != _outbox.c.id,
                moving.c.model == _outbox.c.model, moving.c.effect.like("alias%"), moving.c.result == "",
            )  # fmt: skip
            due = select(_outbox).where(_outbox.c.state == "open", ~waits)
            due = due.where(or_(_outbox.c.effect.not_like("alias%"), ~busy))
            if job is None:
                due = due.where(_outbox.c.due_at <= now)
            else:
                paused = _outbox.c.result.like(f"{PAUSED}%")
                due = due.where(_outbox.c.subject == job.subject, or_(_outbox.c.due_at <= now, paused))
            row = connection.execute(due.order_by(_outbox.c.due_at, _outbox.c.id).limit(1)).one_or_none()
            if row is None:
                return None
            taken = {"token": row.token + 1, "attempt": row.attempt + 1, "due_at": now + lease_seconds, "result": ""}
            connection.execute(update(_outbox).where(_outbox.c.id == row.id).values(**taken))
            return self._effect(connection, row)

    def applied(self, effect: Effect, result: str = "") -> None:
        """Note that an effect took place, and what it gave to those after it.

        Raises:
            Fenced: somebody else has it by now.
        """
        self._close(effect, state="done", result=result)

    def postponed(self, effect: Effect, why: str) -> None:
        """Try an effect again after a pause.

        Raises:
            Fenced: somebody else has it by now.
        """
        with self._writing() as (connection, now):
            self._close(
                effect,
                due_at=now + pause_seconds(effect.attempt),
                result=f"{PAUSED} {why}"[:WORDS],
                connection=connection,
            )

    def dropped(self, effect: Effect, why: str) -> None:
        """Give an effect up, with those of its verdict that come after it: it can never take place.

        Raises:
            Fenced: somebody else has it by now.
        """
        with self._writing() as (connection, _):
            self._close(effect, state="dropped", result=why[:WORDS], connection=connection)
            rest = and_(_outbox.c.subject == effect.version.subject, _outbox.c.epoch == effect.version.epoch)
            connection.execute(delete(schema.evidence).where(*of(schema.evidence, effect.version)))
            later = update(_outbox).where(rest, _outbox.c.state == "open", _outbox.c.id > effect.id)
            connection.execute(later.values(state="dropped", result=why[:WORDS]))

    def evidence(self, effect: Effect) -> bytes:
        """Return the archive that was committed with the effect's verdict; empty when it was logged already."""
        with self._reading() as connection:
            found = select(schema.evidence.c.content).where(*of(schema.evidence, effect.version))
            return bytes(connection.execute(found).scalar() or b"")

    def logged(self, effect: Effect) -> None:
        """Let go of the archive: its files are kept elsewhere now."""
        with self._writing() as (connection, _):
            connection.execute(delete(schema.evidence).where(*of(schema.evidence, effect.version)))

    def effects(self, job: Job) -> dict[str, tuple[str, str]]:
        """Return the state and the result of each effect of a job's verdict: ``open``, ``done`` or ``dropped``."""
        with self._reading() as connection:
            rows = select(_outbox.c.effect, _outbox.c.state, _outbox.c.result).where(*of(_outbox, job))
            return {effect: (state, result) for effect, state, result in connection.execute(rows)}

    def waiting(self) -> list[tuple[str, str, str]]:
        """Return what is not done yet of what was decided: model and version, effect, and why it waits."""
        with self._reading() as connection:
            joined = select(_subject.c.model, _subject.c.version, _outbox.c.effect, _outbox.c.result)
            joined = joined.join(_outbox, _outbox.c.subject == _subject.c.id).where(_outbox.c.state == "open")
            return [(f"{m} {v}", e, r) for m, v, e, r in connection.execute(joined.order_by(_outbox.c.id).limit(100))]

    def _effect(self, connection: Connection, row: Any) -> Effect:
        about = connection.execute(select(_subject).where(_subject.c.id == row.subject)).one()
        done = and_(_outbox.c.subject == row.subject, _outbox.c.epoch == row.epoch, _outbox.c.state == "done")
        results = dict(connection.execute(select(_outbox.c.effect, _outbox.c.result).where(done)).tuples().all())
        evaluated = select(_verdict).where(_verdict.c.subject == row.subject, _verdict.c.epoch == row.epoch)
        digest = connection.execute(evaluated).one().digest
        version = Job(
            row.subject,
            row.epoch,
            0,
            0,
            False,
            about.model,
            about.version,
            about.created,
            about.run_id,
            about.model_id,
            about.scheme,
        )
        body = json.loads(row.body)
        return Effect(row.id, row.token + 1, version.key, row.effect, body, version, digest, row.attempt + 1, results)

    def _close(self, effect: Effect, *, connection: Connection | None = None, **values: Any) -> None:
        mine = update(_outbox).where(_outbox.c.id == effect.id, _outbox.c.token == effect.token)
        mine = mine.where(_outbox.c.state == "open").values(**values)
        with contextlib.ExitStack() as stack:
            held = connection or stack.enter_context(self._writing())[0]
            if held.execute(mine).rowcount != 1:
                raise Fenced(f"Somebody else has taken over '{effect.kind}' of {effect.version.uri}.")
