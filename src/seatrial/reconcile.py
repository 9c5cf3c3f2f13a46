"""Bring the ledger to what the registry has, and the registry to what the ledger says.

A webhook, a schedule and a person all end up here, as often as they like and several at once: what is to be done is
read from registry and ledger alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from seatrial import crash, registry, triggers
from seatrial.effects import Never, unchanged
from seatrial.errors import RegistryError
from seatrial.events import Outcome
from seatrial.keep import give_up, owner
from seatrial.ledger import JOB, Fenced, Job, Kept, Ledger, LedgerError, identity
from seatrial.policy import promotion
from seatrial.project import Project
from seatrial.registry import VALIDATED, Version, subject_of

LEASE_SECONDS = 60.0  # renewed three times in each; a worker that died is missed after one


class Looked(NamedTuple):
    """How many versions were new, and whether the whole registry was listed."""

    new: int
    full: bool


def look(ledger: Ledger, project: Project, *, model: str = "") -> Looked:
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
    plan = triggers.next_look(marks, now)
    if model:
        return Looked(ledger.observe(triggers.wanted(registry.changed(model=model), project.models)), full=False)
    seen = registry.changed(plan.since)
    after = triggers.marks_after(plan, seen, marks, now)
    return Looked(ledger.observe(triggers.wanted(seen, project.models), after), plan.full)


def jobs(ledger: Ledger, most: int = 0, lease_seconds: float = LEASE_SECONDS) -> Iterator[Job]:
    """Claim what is due, one job after the other, at most ``most`` of them where that is not 0."""
    claimed = 0
    while not most or claimed < most:
        crash.point("before-claim")
        job = ledger.claim(owner(), lease_seconds)
        if job is None:
            return
        claimed += 1
        crash.point("after-claim")
        yield job


def attempt(ledger: Ledger, job: Job, run: Callable[[Job], None], lease_seconds: float = LEASE_SECONDS) -> str:
    """Have a claimed job run, and see to it that it ends somehow; return how, in words.

    Args:
        ledger: where it was claimed.
        job: the job.
        run: validates the version; it keeps the verdict by :func:`seatrial.keep.keep`.
        lease_seconds: renewed as long as ``run`` runs.
    """
    try:
        if job.exhausted:
            give_up(ledger, job, job.error)
            return f"{job.uri}: given up"
        there = registry.present(job.name, job.number)
        if there is None or identity(there) != job.subject:
            ledger.drop(job, "not registered any more")
            return f"{job.uri}: not registered any more"
        with _held(ledger, job, lease_seconds):
            run(job)
        judged = [k for k in ledger.verdicts(job.name, job.number) if (k.created, k.epoch) == (job.created, job.epoch)]
        if judged:
            return f"{job.uri}: {judged[-1].outcome.value}"
        return _failed(ledger, job, "the flow ended without a verdict")
    except Fenced as error:
        return str(error)
    except LedgerError:
        raise  # the lease runs out by itself
    except Exception as error:  # noqa: BLE001  whatever it was, the version gets its verdict
        return _failed(ledger, job, f"{type(error).__name__}: {error}", counted=not _of_the_place(error))
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


def _of_the_place(error: BaseException | None) -> bool:
    """Say whether an error is no fault of the version: registry or orchestration are down."""
    import httpx

    while error is not None:
        if isinstance(error, httpx.HTTPError):
            return True
        if isinstance(error, RegistryError) and not registry.reachable():
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


@dataclass(frozen=True)
class Stray:
    """An alias on a version that did not earn it; ``back`` is the version it was put back on, where it was."""

    model: str
    alias: str
    number: str
    why: str
    back: str = ""

    def __str__(self) -> str:
        done = f" It was put back on version {self.back}." if self.back else ""
        return f"'{self.alias}' of {self.model} stands on version {self.number}: {self.why}.{done}"


def watch(ledger: Ledger, project: Project, *, hashing: bool = False) -> list[Stray]:
    """Return the aliases on versions without a passing verdict, and put them back where the policy says so.

    Args:
        ledger: whose word counts; tags are anybody's.
        project: whose policy names the alias.
        hashing: also download what is promoted and compare it with what passed.

    Raises:
        RegistryError: no answer.
    """
    policy = promotion(project.expectations)
    ours = {VALIDATED, policy.alias}
    strays = []
    for model, aliases in registry.aliases().items():
        for alias in sorted(ours & set(aliases)):
            holder = registry.present(model, aliases[alias])
            if holder is None or not triggers.wanted([holder], project.models):
                continue
            if why := unearned(ledger, holder, hashing=hashing):
                back = _put_back(ledger, holder, alias) if policy.restore else ""
                strays.append(Stray(model, alias, holder.number, why, back))
    return strays


def unearned(ledger: Ledger, version: Version, *, hashing: bool = False) -> str:
    """Return why a version's verdicts do not let it be promoted; empty when they do."""
    kept = ledger.passing(subject_of(version))
    if kept is None:
        mine = [k for k in ledger.verdicts(version.name, version.number) if k.created == version.created]
        judged = [k.outcome.value for k in mine if k.outcome in (Outcome.PASS, Outcome.FAIL)] or [
            k.outcome.value for k in mine
        ]
        return f"its verdict is {judged[-1]}" if judged else "it has no verdict"
    if hashing:
        try:
            unchanged(version, kept.facts.digest)
        except Never:
            return "its files are not those that passed"
    return ""


def _put_back(ledger: Ledger, stray: Version, alias: str) -> str:
    """Put the alias on the version it stood on before by right; return its number, or nothing where there is none."""
    for kept in ledger.stood(stray.name, alias):
        there = registry.present(kept.name, kept.number)
        if there is not None and there.created == kept.created and there.number != stray.number:
            good = _still_good(ledger, there, kept)
            if good and registry.move_alias(stray.name, alias, there.number):
                return there.number
    return ""


def _still_good(ledger: Ledger, version: Version, kept: Kept) -> bool:
    latest: Any = ledger.passing(subject_of(version))
    if latest is None or latest.facts.digest != kept.facts.digest:
        return False
    with contextlib.suppress(Never):
        unchanged(version, kept.facts.digest)
        return True
    return False
