"""Keep a verdict: commit it to the ledger together with its files and with all that it is to do to the world."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

from seatrial import registry
from seatrial.errors import RegistryError, SeatrialError
from seatrial.events import Outcome, Subject, Verdict
from seatrial.io.files import atomic_write
from seatrial.ledger import JOB, Facts, Job, Ledger, identity
from seatrial.policy.policy import policy_digest
from seatrial.policy.service import promotion
from seatrial.process import crash_points
from seatrial.project import Project
from seatrial.promotion import attestation
from seatrial.promotion.effects import ALIAS, DESCRIBE, LOG, TAGS, WAITS, apply
from seatrial.registry import Fetched
from seatrial.registry.runs import descriptions, run_body

EVIDENCE_BYTES = 256 * 2**20  # kept in the ledger until they are logged
WAIT_SECONDS = 60.0  # for somebody else who is at the effects of our verdict


def owner() -> str:
    """Return who this process is, for people who read the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}"


def commit_verdict(
    project: Project, verdict: Verdict, fetched: Fetched, directory: Path, *, whole: bool = True, page: str = ""
) -> str:
    """Write a verdict for good: into the ledger, and when a person asked for it at once into the world too.

    Args:
        project: whose ledger, policy and key.
        verdict: what was found.
        fetched: the version it is about, as it was downloaded for the trial.
        directory: report, JUnit, JSON and what checks attached; all of it is kept.
        whole: every check was asked. Part of a validation is logged, and is no verdict on the version.
        page: the address of the flow run's page, for the version's description.

    Returns:
        The MLflow run's id; empty for a job, whose effects are applied by whoever claimed it.

    Raises:
        Fenced: somebody else has the job by now; nothing was written.
        RegistryError: the verdict stands in the ledger, and what it should do to MLflow could not be done yet.
        SeatrialError: policy or version changed while the trial ran; nothing was written.
    """
    if not whole:
        return registry.record(verdict, fetched, directory)
    job = JOB.get()
    if job is not None and identity(fetched.version) != job.subject:
        raise SeatrialError(
            f"{job.uri} was deleted and registered anew while it was waiting; the new one has its own job."
        )
    if policy_digest(project.expectations) != verdict.policy_digest:
        raise SeatrialError(
            f"The policy at {project.expectations} changed while {fetched.version.uri} was on trial. No verdict was "
            "written; validate the version again."
        )
    crash_points.point("after-run")
    atomic_write(directory / attestation.FILE, attestation.envelope(verdict, project.state))
    facts = Facts(
        verdict.outcome, verdict.summary, verdict.subject.digest, verdict.policy_digest, verdict.reference_digest,
        "sha256:" + hashlib.sha256((directory / attestation.FILE).read_bytes()).hexdigest(),
    )  # fmt: skip
    planned = effects_of(verdict, fetched, promotion(project.expectations).alias, page)
    with Ledger.of(project.state) as ledger:
        if job is not None:
            ledger.commit(job, facts, planned, archive(directory))
            return ""
        job = ledger.again(fetched.version, owner())
        ledger.commit(job, facts, planned, archive(directory))
        return _at_once(ledger, job)


def give_up(ledger: Ledger, job: Job, why: str) -> None:
    """Write the verdict `error` for a version that could not be validated in any attempt.

    Raises:
        Fenced: somebody else has the job by now.
    """
    words = (
        f"error: no attempt of {job.attempt - job.exhausted} came to an end. The last one: {why or 'its process died'}"
    )
    tags = {"seatrial.verdict": Outcome.ERROR.value, "seatrial.run_id": "", "seatrial.subject_digest": ""}
    block = f"**error** · {_literal(str(Subject(job.name, job.number)))}\n\n{_literal(words)}"
    planned: list[tuple[str, dict[str, Any]]] = [(TAGS, {"tags": tags}), (DESCRIBE, {"blocks": [block]})]
    ledger.commit(job, Facts(Outcome.ERROR, words), planned)


def effects_of(
    verdict: Verdict, fetched: Fetched, promote: str = "", page: str = ""
) -> list[tuple[str, dict[str, Any]]]:
    """Return what the verdict is to do, in order, as the ledger keeps it.

    Args:
        verdict: of a whole validation.
        fetched: the version it is about.
        promote: an alias to move on a pass, besides ``validated``.
        page: the address of the flow run's page.
    """
    tags = {
        "seatrial.verdict": verdict.outcome.value,
        "seatrial.subject_digest": fetched.digest,
        "seatrial.policy_digest": verdict.policy_digest,
    }
    planned: list[tuple[str, dict[str, Any]]] = [
        (LOG, run_body(verdict, fetched)),
        (TAGS, {"tags": tags}),
        (DESCRIBE, {"blocks": descriptions(verdict), "page": page}),
    ]
    if verdict.outcome is Outcome.PASS:
        planned.append((ALIAS, {"aliases": list(dict.fromkeys(filter(None, [registry.VALIDATED, promote])))}))
    return planned


def _at_once(ledger: Ledger, job: Job) -> str:
    """Apply the effects of a verdict that a person waits for, and return the run's id."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        trouble = apply(ledger, job=job)
        states = ledger.effects(job)
        if given_up := [result for state, result in states.values() if state == "dropped"]:
            raise RegistryError(given_up[0])
        if all(state == "done" for state, _ in states.values()):
            return states[LOG][1]
        waits = [words for words in trouble if WAITS in words]
        if waits or time.monotonic() > until:
            why = waits[0] if waits else "somebody else is at it"
            raise RegistryError(f"The verdict is in the ledger; MLflow does not show all of it yet: {why}")
        time.sleep(0.2)


def archive(directory: Path, limit: int = EVIDENCE_BYTES) -> bytes:
    """Return the directory's files in one archive; beyond ``limit`` bytes the largest are left out and named."""
    files = sorted((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    packed, left, out = io.BytesIO(), limit, []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as into:
        for path in files:
            left -= path.stat().st_size
            if left >= 0:
                into.write(path, path.relative_to(directory).as_posix())
            else:
                out.append(path.relative_to(directory).as_posix())
        if out:
            into.writestr("left-out.txt", "\n".join(out) + "\n")
    return packed.getvalue()


def _literal(text: str) -> str:
    from seatrial.sinks.markdown import literal

    return literal(text, 2_000)
