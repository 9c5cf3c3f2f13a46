"""What the ledger knows of each version: its newest verdict, what is being done about it, and what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, exists, func, select

from seatrial.events import Outcome
from seatrial.ledger import schema
from seatrial.ledger.history import stored
from seatrial.ledger.jobs import ELSEWHERE
from seatrial.ledger.outbox import POSTPONED, WAITING
from seatrial.ledger.records import StoredVerdict
from seatrial.ledger.transactions import CANCELLED, Transactions

_job, _outbox, _subject, _verdict = schema.job, schema.outbox, schema.subject, schema.verdict

State = Literal["due", "running", "paused", "done", "closed"]


@dataclass(frozen=True)
class Effect:
    """What a verdict changes in a registry or tracker: ``open``, ``done``, ``dropped`` or ``parked``."""

    kind: str
    state: str
    result: str


@dataclass(frozen=True)
class Validation:
    """One validation of a version, from its job to the effects of its verdict.

    Attributes:
        epoch: 0 for the first of the version, and one more for each that follows.
        state: ``due``; ``running`` under a lease; ``paused`` until ``due_at``; ``done`` with a verdict; ``closed``
            without one, because the version is no longer registered or somebody cancelled it.
        due_at: when it can be claimed, or the end of its lease; seconds since 1970.
        attempts: that were counted.
        owner: host and process that holds the lease.
        error: of the last attempt, or why it was closed.
        verdict: the verdict, where there is one.
        effects: of the verdict, in their order.
    """

    epoch: int
    state: State
    due_at: float
    attempts: int
    owner: str
    error: str
    verdict: StoredVerdict | None
    effects: tuple[Effect, ...]

    @property
    def waiting(self) -> tuple[Effect, ...]:
        """The effects that are still to be applied."""
        return tuple(effect for effect in self.effects if effect.state in ("open", "parked"))


@dataclass(frozen=True)
class VersionHistory:
    """A version with its validations, the oldest first; ``seen_at`` is when it was first listed, seconds since 1970."""

    subject: str
    name: str
    number: str
    created: int
    scheme: str
    seen_at: float
    validations: tuple[Validation, ...]

    @property
    def uri(self) -> str:
        """The address, such as ``models:/payments/1``."""
        return f"{self.scheme}:/{self.name}/{self.number}"

    @property
    def latest(self) -> Validation | None:
        """The newest validation."""
        return self.validations[-1] if self.validations else None

    @property
    def verdict(self) -> StoredVerdict | None:
        """The newest verdict."""
        found = [each.verdict for each in self.validations if each.verdict]
        return max(found, key=lambda verdict: verdict.order, default=None)


@dataclass
class Standing:
    """Where one of many versions stands, without its history.

    Attributes:
        subject: of the version.
        name: its registered model.
        outcome: of its newest verdict; None where it has none.
        registered: False where it was found to be deleted from its registry.
        open: its validations that have no verdict yet.
        troubled: whether one of them, or one of its effects, is tried again because something failed.
        waiting: effects that are to be applied.
        parked: effects that a backend refused.
        promoted: whether an alias was moved to it, and to no version of its model since.
    """

    subject: str
    name: str
    outcome: Outcome | None = None
    registered: bool = True
    open: int = 0
    troubled: bool = False
    waiting: int = 0
    parked: int = 0
    promoted: bool = False


class Overview(Transactions):
    """Read-only queries about many versions at once."""

    def standings(self, name: str = "") -> list[Standing]:
        """Return where every version stands, the newest first; cheap also where there are very many.

        Args:
            name: of the one model; empty for all.
        """
        chosen = select(_subject.c.id, _subject.c.model).order_by(_subject.c.created.desc(), _subject.c.id)
        with self._reading() as connection:
            now = self._now(connection)
            rows = connection.execute(chosen.where(_subject.c.model == name) if name else chosen)
            found = {subject: Standing(subject, model) for subject, model in rows}
            for subject, outcome in connection.execute(_newest_outcomes()):
                if subject in found:
                    found[subject].outcome = Outcome(outcome)
            for job in connection.execute(select(_job).where(_job.c.state == "open")):
                if at := found.get(job.subject):
                    at.open += 1
                    at.troubled |= job.error not in ("", ELSEWHERE) and not (job.owner and job.due_at > now)
            for subject in connection.execute(_unregistered()).scalars():
                if subject in found:
                    found[subject].registered = False
            unapplied = select(_outbox.c.subject, _outbox.c.state, _outbox.c.result).where(_outbox.c.state.in_(WAITING))
            for subject, state, result in connection.execute(unapplied):
                if at := found.get(subject):
                    at.waiting += state == "open"
                    at.parked += state == "parked"
                    at.troubled |= state == "open" and result.startswith(POSTPONED)
            for subject in connection.execute(_promoted()).scalars():
                if subject in found:
                    found[subject].promoted = True
        return list(found.values())

    def histories(self, subjects: Sequence[str]) -> list[VersionHistory]:
        """Return these versions with all of their validations, in this order."""
        with self._reading() as connection:
            rows = {
                row.id: row
                for some in _in_parts(subjects)
                for row in connection.execute(select(_subject).where(_subject.c.id.in_(some)))
            }
            return self._histories(connection, [rows[subject] for subject in subjects])

    def overview(self, name: str = "", number: str = "", most: int = 0) -> list[VersionHistory]:
        """Return the versions of the ledger with all of their validations, the newest version first.

        Args:
            name: of the one model; empty for all.
            number: of the one version, or of every version that ever had it.
            most: of the newest; 0 for all.
        """
        chosen = select(_subject).order_by(_subject.c.created.desc(), _subject.c.id)
        if name:
            chosen = chosen.where(_subject.c.model == name)
        if number:
            chosen = chosen.where(_subject.c.version == number)
        with self._reading() as connection:
            subjects = connection.execute(chosen.limit(most) if most else chosen).all()
            return self._histories(connection, subjects)

    def _histories(self, connection: Connection, subjects: Sequence[Any]) -> list[VersionHistory]:
        now, ids = self._now(connection), [row.id for row in subjects]
        jobs, verdicts = defaultdict[str, list[Any]](list), dict[tuple[str, int], StoredVerdict]()
        effects = defaultdict[tuple[str, int], list[Effect]](list)
        for some in _in_parts(ids):
            for row in connection.execute(select(_job).where(_job.c.subject.in_(some)).order_by(_job.c.epoch)):
                jobs[row.subject].append(row)
            named = select(_verdict, _subject).join(_subject, _subject.c.id == _verdict.c.subject)
            for row in connection.execute(named.where(_verdict.c.subject.in_(some))):
                verdicts[row.subject, row.epoch] = stored(row)
            of = (_outbox.c.subject, _outbox.c.epoch, _outbox.c.effect, _outbox.c.state, _outbox.c.result)
            for row in connection.execute(select(*of).where(_outbox.c.subject.in_(some)).order_by(_outbox.c.id)):
                effects[row.subject, row.epoch].append(Effect(row.effect, row.state, row.result))
        return [
            VersionHistory(
                row.id, row.model, row.version, row.created, row.scheme, row.first_seen,
                tuple(
                    _validation(job, verdicts.get((row.id, job.epoch)), effects[row.id, job.epoch], now)
                    for job in jobs[row.id]
                ),
            )
            for row in subjects
        ]  # fmt: skip


def _validation(job: Any, verdict: StoredVerdict | None, effects: Sequence[Effect], now: float) -> Validation:
    state: State = "closed" if job.state == "gone" else "done"
    if job.state == "open":
        state = "due" if job.due_at <= now else "running" if job.owner else "paused"
    return Validation(job.epoch, state, job.due_at, job.attempt, job.owner, job.error, verdict, tuple(effects))


def _in_parts(ids: Sequence[str], size: int = 500) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _newest_outcomes() -> Any:
    last = select(_verdict.c.subject, func.max(_verdict.c.number).label("number"))
    newest = last.group_by(_verdict.c.subject).subquery()
    same = and_(_verdict.c.subject == newest.c.subject, _verdict.c.number == newest.c.number)
    return select(_verdict.c.subject, _verdict.c.outcome).join(newest, same)


def _unregistered() -> Any:
    """Return the query for the versions whose last validation was closed because they are no longer registered."""
    later = _job.alias("later")
    after = exists().where(later.c.subject == _job.c.subject, later.c.epoch > _job.c.epoch)
    return select(_job.c.subject).where(_job.c.state == "gone", _job.c.error.not_like(f"{CANCELLED}%"), ~after)


def _promoted() -> Any:
    """Return the query for the version of each model to which an alias was moved last."""
    moved = and_(_outbox.c.effect == "alias", _outbox.c.state == "done", _outbox.c.result.not_in(("", "[]")))
    last = select(func.max(_outbox.c.id)).where(moved).group_by(_outbox.c.model)
    return select(_outbox.c.subject).where(_outbox.c.id.in_(last))
