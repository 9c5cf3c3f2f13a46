"""Reconcile ledger and registry: new versions become jobs, and jobs get their verdicts.

A webhook, a schedule and a person may start this as often as they like and at the same time: the work to do is derived
from registry and ledger alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from seatrial import registry
from seatrial.errors import RegistryError
from seatrial.ledger import ATTEMPTS_OF_A_DAY, JOB, DueJob, Fenced, Job, Ledger, LedgerError, identity, renewed
from seatrial.policy.digest import policy_digest
from seatrial.process import crash_points
from seatrial.project import Project, matches
from seatrial.promotion import attestation
from seatrial.promotion.code import read_code
from seatrial.promotion.commit import give_up, owner
from seatrial.promotion.elsewhere import SignedVerdict, signed_verdict
from seatrial.promotion.envelope import InvalidEnvelope
from seatrial.promotion.triggers import polling
from seatrial.registry.unavailable import is_unavailable
from seatrial.sinks.secrets import without_secrets

LEASE_SECONDS = 60.0  # renewed every third of it; the job of a dead worker is due after one


class RegistryScan(NamedTuple):
    """How many versions were new, and whether the whole registry was listed."""

    new: int
    full: bool


def scan_registry(ledger: Ledger, project: Project, *, model: str = "") -> RegistryScan:
    """List what changed in the registry, from time to time all of it, and record new versions in the ledger.

    Args:
        ledger: records the versions.
        project: its models are listed.
        model: list this one alone, for example because a webhook named it.

    Raises:
        RegistryError: the registry does not answer.
        LedgerError: the database cannot be used.
    """
    watermarks, now = ledger.watermarks(), ledger.now()
    plan = polling.plan_scan(watermarks, now)
    here = registry.named(project.registry)
    if model:
        found = polling.matching_models(here.changed_since(model=model), project.models)
        return RegistryScan(ledger.observe(polling.started(found, watermarks)), full=False)
    listed = registry.changed_among(here, project.models, plan.since)
    after = polling.watermarks_after(plan, listed, watermarks, now)
    ours = polling.started(polling.matching_models(listed, project.models), watermarks)
    return RegistryScan(ledger.observe(ours, after), plan.full)


def start(ledger: Ledger, since: str) -> None:
    """Have versions validated that were registered at ``since`` or later; see :func:`polling.start_from`.

    Raises:
        UsageError: ``since`` is no date.
    """
    ledger.observe([], polling.start_from(since, ledger.now()))


def validate_outdated(ledger: Ledger, project: Project, *, model: str = "") -> int:
    """Make a new job for each version that is :func:`outdated`; return how many will be validated again.

    Raises:
        ProjectError: the project's code cannot be named.
    """
    return ledger.validate_again(outdated(ledger, project, model=model))


def outdated(ledger: Ledger, project: Project, *, model: str = "") -> list[Job]:
    """Return each version in use that has no verdict on the present code under the present policy.

    In use are the newest version of each model, and the newest that passed.

    Args:
        ledger: has the verdicts.
        project: its code and its policy, as they are now.
        model: of this one alone.

    Raises:
        ProjectError: the project's code cannot be named.
    """
    in_use = [c for c in ledger.in_use(model) if polling.matching_models([c.version], project.models)]
    policy, now = policy_digest(project.expectations), dict[str, str]()
    found = []
    for current in in_use:
        folder = _service_folder(current.statement)
        if folder not in now:
            now[folder] = read_code(project, folder).digest
        if (policy, now[folder]) not in current.under:
            found.append(current.version)
    return found


def _service_folder(statement: bytes) -> str:
    with contextlib.suppress(InvalidEnvelope):
        return attestation.read(statement, ()).code.service
    return ""


def jobs(
    ledger: Ledger, most: int = 0, lease_seconds: float = LEASE_SECONDS, *, patterns: Sequence[str] = ("*",)
) -> Iterator[Job]:
    """Claim one after the other the jobs that are due now; what becomes due meanwhile is for the next run.

    Args:
        ledger: has the jobs.
        most: of them; 0 for all.
        lease_seconds: of each.
        patterns: of the project's registered models; other projects may share the ledger.
    """
    claimed, begun = 0, ledger.now()
    while not most or claimed < most:
        crash_points.point("before-claim")
        job = ledger.claim(owner(), lease_seconds, models=own_models(ledger, patterns), due_by=begun)
        if job is None:
            return
        claimed += 1
        crash_points.point("after-claim")
        yield job


def own_models(ledger: Ledger, patterns: Sequence[str]) -> list[str]:
    """Return those of the project's registered models that have an open job; other projects may share the ledger."""
    return [name for name in ledger.waiting_models() if matches(name, patterns)]


def claim(ledger: Ledger, job: DueJob, lease_seconds: float = LEASE_SECONDS) -> Job | None:
    """Claim one job; None where somebody has claimed it since it was listed, or it is closed."""
    crash_points.point("before-claim")
    claimed = ledger.claim(owner(), lease_seconds, only=job)
    if claimed is not None:
        crash_points.point("after-claim")
    return claimed


def attempt(
    ledger: Ledger, project: Project, job: Job, run: Callable[[Job], object], lease_seconds: float = LEASE_SECONDS
) -> str:
    """Run a claimed job so that it ends in a verdict or is released; return its result in one sentence.

    Args:
        ledger: in which it was claimed.
        project: of the job. What another ledger's fresh signed verdict says of the version is not found out again.
        job: the job.
        run: validates the version and commits by :func:`seatrial.promotion.commit.commit_verdict`.
        lease_seconds: renewed while ``run`` runs.
    """
    try:
        if job.exhausted:
            give_up(ledger, job, job.error, project)
            return _gave_up(job, job.error)
        registered = registry.present(job.uri)
        if registered is None or identity(registered) != job.subject:
            ledger.drop(job, "no longer registered")
            return f"{job.uri} is no longer registered."
        with _lease_renewed(ledger, job, lease_seconds):
            if job.epoch == 0 and (known := signed_verdict(project, registered)):
                ledger.postpone(job, known.until)
                return _left_alone(job, known)
            run(job)
        return _ended(ledger, project, job)
    except Fenced as error:
        return str(error)
    except LedgerError as error:
        _give_back(ledger, job, f"{type(error).__name__}: {error}")
        raise
    except Exception as error:  # noqa: BLE001  whatever it was, the version gets its verdict
        counted = job.token >= ATTEMPTS_OF_A_DAY or not _is_environment_error(error, job)
        return _failed(ledger, project, job, f"{type(error).__name__}: {error}", counted=counted)
    except BaseException:  # this process is asked to end
        _give_back(ledger, job, "interrupted")
        raise


def _give_back(ledger: Ledger, job: Job, reason: str) -> None:
    """Release a job whose attempt says nothing of its version; where the ledger is away, the lease runs out."""
    with contextlib.suppress(LedgerError, Fenced):
        ledger.release(job, reason, counted=job.token >= ATTEMPTS_OF_A_DAY)


def _ended(ledger: Ledger, project: Project, job: Job) -> str:
    verdicts = ledger.verdicts(job.name, job.number)
    evaluated = [k for k in verdicts if (k.created, k.epoch) == (job.created, job.epoch)]
    if evaluated:
        return f"{job.uri}: {evaluated[-1].outcome.value}."
    return _failed(ledger, project, job, "the flow ended without a verdict")


def _left_alone(job: Job, known: SignedVerdict) -> str:
    when = f"{datetime.fromtimestamp(known.until, UTC):%H:%M UTC}"
    return f"{job.uri}: {known.outcome.value}, by its signed verdict; it is looked at again after {when}."


def _failed(ledger: Ledger, project: Project, job: Job, reason: str, *, counted: bool = True) -> str:
    reason = without_secrets(reason)
    try:
        if ledger.release(job, reason, counted=counted):
            return f"{job.uri} will be tried again: {reason}"
        give_up(ledger, job, reason, project)
    except Fenced as error:
        return str(error)
    return _gave_up(job, reason)


def _gave_up(job: Job, reason: str) -> str:
    return f"{job.uri} has the verdict error after its last attempt: {reason or 'the process died'}"


def _is_environment_error(error: BaseException | None, job: Job) -> bool:
    """Return whether an error is not the version's: a registry, an object store, a disk or Prefect is away or full."""
    import httpx

    if is_unavailable(error):
        return True
    while error is not None:
        if isinstance(error, httpx.HTTPError):
            return True
        if isinstance(error, RegistryError) and not registry.reachable(job.uri):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def _lease_renewed(ledger: Ledger, job: Job, lease_seconds: float) -> Iterator[None]:
    """Renew the lease, and set the job that a verdict in this context belongs to."""
    token = JOB.set(job)
    try:
        with renewed(lambda: ledger.renew(job, lease_seconds), lease_seconds, f"lease of {job.uri}"):
            yield
    finally:
        JOB.reset(token)
