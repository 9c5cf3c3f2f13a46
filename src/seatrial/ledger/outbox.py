"""The outbox: the effects of verdicts on registry and trackers, claimed one by one and in order.

Effects on the registry follow each other. What one of the project's trackers is given waits for that tracker alone, and
nothing waits for it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, text, update

from seatrial.ledger import schema
from seatrial.ledger.records import Fenced, Job, OutboxEffect, run_key
from seatrial.ledger.transactions import LEASE_SECONDS, TEXT_LENGTH, Transactions, pause_seconds, row_of

POSTPONED = "postponed:"
LOG = "log-run"  # gives a verdict's run to the registry's own tracker; with ':NAME', to one of the project's
WAITING = ("open", "parked")
_LOCK = 7_325_342  # any number, the same for all
_outbox, _subject, _verdict = schema.outbox, schema.subject, schema.verdict


class Outbox(Transactions):
    """Effects that are open, are claimed with a lease, and end done or dropped; refused ones are parked until asked."""

    def next_effect(
        self, lease_seconds: float = LEASE_SECONDS, *, job: Job | None = None, tried: Collection[int] = (),
        away: Collection[str] = (), due_by: float | None = None,
    ) -> OutboxEffect | None:  # fmt: skip
        """Claim an effect that is due, for as long as the lease; None when none is due.

        The effects of a version are claimed one after the other, in the order of its verdicts. Only one alias effect of
        a model is claimed at a time, because MLflow has no compare-and-set.

        Args:
            lease_seconds: after which another worker may claim it.
            job: claim effects of this job's version alone, postponed ones included, because a person waits for it.
            tried: ids of effects that are not claimed again.
            away: kinds of effects that are not claimed, because what takes them does not answer.
            due_by: claim only what was due then, seconds since 1970; now by default.
        """
        earlier, moving = _outbox.alias("earlier"), _outbox.alias("moving")
        with self._writing() as (connection, now):
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            waits = exists().where(
                earlier.c.subject == _outbox.c.subject, earlier.c.state == "open", earlier.c.id < _outbox.c.id,
                or_(~_of_tracker(earlier), earlier.c.effect == _outbox.c.effect),
                or_(~_of_tracker(_outbox), earlier.c.effect == _outbox.c.effect),
            )  # fmt: skip
            busy = exists().where(
                moving.c.state == "open", moving.c.due_at > now, moving.c.token > 0, moving.c.id != _outbox.c.id,
                moving.c.model == _outbox.c.model, moving.c.effect.like("alias%"), moving.c.result == "",
            )  # fmt: skip
            due = select(_outbox).where(_outbox.c.state == "open", ~waits, _outbox.c.id.not_in(tried))
            due = due.where(_outbox.c.effect.not_in(away))
            due = due.where(or_(_outbox.c.effect.not_like("alias%"), ~busy))
            if job is None:
                due = due.where(_outbox.c.due_at <= (now if due_by is None else due_by))
            else:
                paused = _outbox.c.result.like(f"{POSTPONED}%")
                due = due.where(_outbox.c.subject == job.subject, or_(_outbox.c.due_at <= now, paused))
            row = connection.execute(due.order_by(_outbox.c.due_at, _outbox.c.id).limit(1)).one_or_none()
            if row is None:
                return None
            claimed = {"token": row.token + 1, "attempt": row.attempt + 1, "due_at": now + lease_seconds, "result": ""}
            connection.execute(update(_outbox).where(_outbox.c.id == row.id).values(**claimed))
            return self._effect(connection, row)

    def renew_effect(self, effect: OutboxEffect, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Renew the lease on an effect; False when another worker has it."""
        mine = update(_outbox).where(_outbox.c.id == effect.id, _outbox.c.token == effect.token)
        with self._writing() as (connection, now):
            held = mine.where(_outbox.c.state == "open").values(due_at=now + lease_seconds)
            return connection.execute(held).rowcount == 1

    def complete_effect(self, effect: OutboxEffect, result: str = "") -> None:
        """Record that an effect was applied, and its result for the effects that follow.

        Raises:
            Fenced: another worker has claimed it meanwhile.
        """
        self._close(effect, state="done", result=result, body="{}")  # what it said is in the registry now

    def postpone_effect(self, effect: OutboxEffect, reason: str) -> None:
        """Try an effect again after a pause.

        Raises:
            Fenced: another worker has claimed it meanwhile.
        """
        with self._writing() as (connection, now):
            self._close(
                effect,
                due_at=now + pause_seconds(effect.attempt),
                result=f"{POSTPONED} {reason}"[:TEXT_LENGTH],
                connection=connection,
            )

    def drop_effect(self, effect: OutboxEffect, reason: str) -> None:
        """Drop an effect that can never be applied, with the later effects of its verdict on the same backend.

        Raises:
            Fenced: another worker has claimed it meanwhile.
        """
        self._give_up("dropped", effect, reason)
        self.discard_evidence(effect)

    def park_effect(self, effect: OutboxEffect, reason: str) -> None:
        """Park an effect that a backend refuses, with the later effects of its verdict there, until they are resumed.

        Raises:
            Fenced: another worker has claimed it meanwhile.
        """
        self._give_up("parked", effect, reason)

    def resume_effects(self) -> int:
        """Have every parked and every postponed effect due now, and return how many.

        What a later verdict of the version has overtaken is dropped: its tags and its alias are of another time.
        """
        own, later = _verdict.alias("own"), _verdict.alias("later")
        overtaken = exists().where(
            own.c.subject == _outbox.c.subject, own.c.epoch == _outbox.c.epoch,
            later.c.subject == own.c.subject, later.c.number > own.c.number,
        )  # fmt: skip
        parked, paused = _outbox.c.state == "parked", _outbox.c.result.like(f"{POSTPONED}%")
        with self._writing() as (connection, now):
            stale = update(_outbox).where(parked, overtaken, _outbox.c.effect.not_like(f"{LOG}%"))
            connection.execute(stale.values(state="dropped", result="A later verdict has overtaken it."))
            resumed = update(_outbox).where(or_(parked, and_(_outbox.c.state == "open", paused)))
            return connection.execute(resumed.values(state="open", due_at=now, attempt=0)).rowcount

    def _give_up(self, state: str, effect: OutboxEffect, reason: str) -> None:
        given_up = {"state": state, "result": reason[:TEXT_LENGTH]}
        with self._writing() as (connection, _):
            self._close(effect, connection=connection, **given_up)
            if effect.tracker:
                return  # nothing of its verdict follows at this tracker
            later = update(_outbox).where(*row_of(_outbox, effect.version), _outbox.c.id > effect.id)
            later = later.where(_outbox.c.state == "open", ~_of_tracker(_outbox))
            connection.execute(later.values(**given_up))

    def evidence(self, effect: OutboxEffect) -> bytes:
        """Return the archive that was committed with the effect's verdict; empty once it was logged."""
        with self._reading() as connection:
            found = select(schema.evidence.c.content).where(*row_of(schema.evidence, effect.version))
            return bytes(connection.execute(found).scalar() or b"")

    def discard_evidence(self, effect: OutboxEffect) -> None:
        """Delete the archive of an effect's verdict, unless its files are still to be logged somewhere."""
        waiting = exists().where(*row_of(_outbox, effect.version), _outbox.c.effect.like(f"{LOG}%"))
        waiting = waiting.where(_outbox.c.state.in_(WAITING))
        with self._writing() as (connection, _):
            connection.execute(delete(schema.evidence).where(*row_of(schema.evidence, effect.version), ~waiting))

    def effects(self, job: Job) -> dict[str, tuple[str, str]]:
        """Return the state and the result of each effect of a job's verdict: open, done, dropped or parked."""
        with self._reading() as connection:
            rows = select(_outbox.c.effect, _outbox.c.state, _outbox.c.result).where(*row_of(_outbox, job))
            return {effect: (state, result) for effect, state, result in connection.execute(rows)}

    def pending_effects(self) -> list[tuple[str, str, str]]:
        """Return the open and the parked effects, at most 100: model and version, effect, and why it waits."""
        with self._reading() as connection:
            joined = select(_subject.c.model, _subject.c.version, _outbox.c.effect, _outbox.c.result)
            joined = joined.join(_outbox, _outbox.c.subject == _subject.c.id).where(_outbox.c.state.in_(WAITING))
            return [(f"{m} {v}", e, r) for m, v, e, r in connection.execute(joined.order_by(_outbox.c.id).limit(100))]

    def _effect(self, connection: Connection, row: Any) -> OutboxEffect:
        about = connection.execute(select(_subject).where(_subject.c.id == row.subject)).one()
        done = and_(_outbox.c.subject == row.subject, _outbox.c.epoch == row.epoch, _outbox.c.state == "done")
        results = dict(connection.execute(select(_outbox.c.effect, _outbox.c.result).where(done)).tuples().all())
        evaluated = select(_verdict).where(_verdict.c.subject == row.subject, _verdict.c.epoch == row.epoch)
        digest = connection.execute(evaluated).one().digest
        version = Job(
            row.subject, row.epoch, 0, 0, False, about.model, about.version, about.created, about.run_id,
            about.model_id, about.scheme,
        )  # fmt: skip
        body = json.loads(row.body)
        key = run_key(row.subject, row.epoch, connection.execute(select(schema.ledger.c.id)).scalar_one())
        return OutboxEffect(row.id, row.token + 1, key, row.effect, body, version, digest, row.attempt + 1, results)

    def _close(self, effect: OutboxEffect, *, connection: Connection | None = None, **values: Any) -> None:
        mine = update(_outbox).where(_outbox.c.id == effect.id, _outbox.c.token == effect.token)
        mine = mine.where(_outbox.c.state == "open").values(**values)
        with contextlib.ExitStack() as stack:
            held = connection or stack.enter_context(self._writing())[0]
            if held.execute(mine).rowcount != 1:
                raise Fenced(f"Another worker has claimed '{effect.kind}' of {effect.version.uri} meanwhile.")


def _of_tracker(table: Any) -> ColumnElement[bool]:
    """Return the condition for an effect on one of the project's trackers."""
    condition: ColumnElement[bool] = table.c.effect.like(f"{LOG}:%")
    return condition
