"""What people and changes of code ask of jobs: validate again, hurry, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, or_, select, update

from seatrial.ledger import schema
from seatrial.ledger.records import Registered, identity
from seatrial.ledger.rows import job_row
from seatrial.ledger.transactions import CANCELLED, TEXT_LENGTH, Transactions

_job, _subject = schema.job, schema.subject


class Steering(Transactions):
    """Make jobs due, or close them; see :class:`seatrial.ledger.jobs.Jobs` for those who run them."""

    def validate_again(self, versions: Sequence[Registered], *, closed: bool = False) -> int:
        """Make a new job for each version whose last one has its verdict; return how many.

        Args:
            versions: the versions.
            closed: also for those whose last one was closed without a verdict, because somebody cancelled it.
        """
        made = 0
        with self._writing() as (connection, now):
            for version in versions:
                subject = identity(version)
                connection.execute(select(_subject.c.id).where(_subject.c.id == subject).with_for_update())
                last = select(_job).where(_job.c.subject == subject).order_by(_job.c.epoch.desc()).limit(1)
                row = connection.execute(last).one()
                if row.state == "done" or (closed and row.state == "gone"):
                    connection.execute(insert(_job), [job_row(subject, row.epoch + 1, version, now)])
                    made += 1
        return made

    def hurry(self, version: Registered) -> bool:
        """Have a version's open validation due now, whatever it waits for; False where somebody is running it."""
        mine = update(_job).where(_job.c.subject == identity(version), _job.c.state == "open")
        with self._writing() as (connection, now):
            free = mine.where(or_(_job.c.owner == "", _job.c.due_at <= now)).values(due_at=now, owner="", error="")
            return connection.execute(free).rowcount > 0

    def cancel(self, subject: str, reason: str) -> list[str] | None:
        """Close the open validations of a version without a verdict; whoever runs one is fenced and commits nothing.

        Args:
            subject: of the version.
            reason: kept with them, after the word that tells them from what is no longer registered.

        Returns:
            Host and process of each that was running; None where no validation was open.
        """
        opened = select(_job).where(_job.c.subject == subject, _job.c.state == "open").with_for_update()
        closed = {
            "state": "gone",
            "token": _job.c.token + 1,
            "owner": "",
            "error": f"{CANCELLED} {reason}"[:TEXT_LENGTH],
        }
        with self._writing() as (connection, now):
            rows = connection.execute(opened).all()
            connection.execute(update(_job).where(_job.c.subject == subject, _job.c.state == "open").values(**closed))
            return [str(row.owner) for row in rows if row.owner and row.due_at > now] if rows else None
