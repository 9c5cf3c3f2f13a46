"""Bring the ledger to what the registry has, and the registry to what the ledger says.

A webhook, a schedule and a person all end up here, as often as they like and several at once: what is to be done is
read from registry and ledger alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from seatrial import registry
from seatrial.errors import RegistryError
from seatrial.ledger import JOB, Fenced, Job, Ledger, LedgerError, identity
from seatrial.process import crash_points
from seatrial.project import Project
from seatrial.promotion.commit import give_up, owner
from seatrial.promotion.triggers import polling

LEASE_SECONDS = 60.0  # renewed three times in each; a worker that died is missed after one


class Scan(NamedTuple):
    """How many versions were new, and whether the whole registry was listed."""

    new: int
    full: bool


def look(ledger: Ledger, project: Project, *, model: str = "") -> Scan:
    """List what changed in the registry, now and then all of it, and note what is new.

    Args:
        ledger: where it is noted.
        project: whose models are looked at.
        model: look at this one alone, on somebody's word that there is something to see.

    Raises:
        RegistryError: no answer.
        LedgerError: the database does not answer.
    """
    marks, now = ledger.marks(), ledger.now()
    plan, found = polling.next_look(marks, now), registry.named(project.registry)
    if model:
        return Scan(ledger.observe(polling.wanted(found.changed_since(model=model), project.models)), full=False)
    seen = found.changed_since(plan.since)
    after = polling.marks_after(plan, seen, marks, now)
    return Scan(ledger.observe(polling.wanted(seen, project.models), after), plan.full)


def jobs(ledger: Ledger, most: int = 0, lease_seconds: float = LEASE_SECONDS) -> Iterator[Job]:
    """Claim what is due, one job after the other, at most ``most`` of them where that is not 0."""
    claimed = 0
    while not most or claimed < most:
        crash_points.point("before-claim")
        job = ledger.claim(owner(), lease_seconds)
        if job is None:
            return
        claimed += 1
        crash_points.point("after-claim")
        yield job


def attempt(ledger: Ledger, job: Job, run: Callable[[Job], None], lease_seconds: float = LEASE_SECONDS) -> str:
    """Have a claimed job run, and see to it that it ends somehow; return how, in words.

    Args:
        ledger: where it was claimed.
        job: the job.
        run: validates the version; it keeps the verdict by :func:`seatrial.promotion.commit.keep`.
        lease_seconds: renewed as long as ``run`` runs.
    """
    try:
        if job.exhausted:
            give_up(ledger, job, job.error)
            return f"{job.uri}: given up"
        there = registry.of(job.uri).present(job.name, job.number)
        if there is None or identity(there) != job.subject:
            ledger.drop(job, "not registered any more")
            return f"{job.uri}: not registered any more"
        with _held(ledger, job, lease_seconds):
            run(job)
        evaluated = [
            k for k in ledger.verdicts(job.name, job.number) if (k.created, k.epoch) == (job.created, job.epoch)
        ]
        if evaluated:
            return f"{job.uri}: {evaluated[-1].outcome.value}"
        return _failed(ledger, job, "the flow ended without a verdict")
    except Fenced as error:
        return str(error)
    except LedgerError:
        raise  # the lease runs out by itself
    except Exception as error:  # noqa: BLE001  whatever it was, the version gets its verdict
        return _failed(ledger, job, f"{type(error).__name__}: {error}", counted=not _of_the_place(error, job))
    except BaseException:
        with contextlib.suppress(Fenced, LedgerError):
            ledger.release(job, "interrupted", counted=False)
        raise


def _failed(ledger: Ledger, job: Job, why: str, *, counted: bool = True) -> str:
    try:
        if ledger.release(job, why, counted=counted):
            return f"{job.uri}: to be tried again ({why})"
        give_up(ledger, job, why)
    except Fenced as error:
        return str(error)
    return f"{job.uri}: given up ({why})"


def _of_the_place(error: BaseException | None, job: Job) -> bool:
    """Say whether an error is no fault of the version: registry or orchestration are down."""
    import httpx

    while error is not None:
        if isinstance(error, httpx.HTTPError):
            return True
        if isinstance(error, RegistryError) and not registry.of(job.uri).reachable():
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def _held(ledger: Ledger, job: Job, lease_seconds: float) -> Iterator[None]:
    """Keep the lease from another thread, and let whoever concludes in this context know the job."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(lease_seconds / 3):
            with contextlib.suppress(LedgerError):
                if not ledger.renew(job, lease_seconds):
                    return

    token = JOB.set(job)
    heart = threading.Thread(target=beat, daemon=True, name=f"lease of {job.uri}")
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        JOB.reset(token)
