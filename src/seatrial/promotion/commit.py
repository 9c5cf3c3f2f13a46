"""Commit a verdict to the ledger, with its files and its effects on the registry."""

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
from seatrial.promotion.effects import ALIAS, DESCRIBE, LOG, POSTPONED, TAGS, apply
from seatrial.registry import Fetched
from seatrial.registry.runs import description_texts, run_payload

EVIDENCE_BYTES = 256 * 2**20  # stored in the ledger until they are logged
WAIT_SECONDS = 60.0  # for another worker that applies the effects of this verdict


def owner() -> str:
    """Return the host and process id, for people who read the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}"


def commit_verdict(
    project: Project, verdict: Verdict, fetched: Fetched, directory: Path, *, whole: bool = True, page: str = ""
) -> str:
    """Commit the verdict. If a person started the validation, also apply its effects before returning.

    Args:
        project: has the ledger, the policy and the key.
        verdict: the verdict.
        fetched: the version, as it was downloaded for the trial.
        directory: report, JUnit, JSON and attachments of checks; all files are stored.
        whole: every check was run. Part of a validation is logged, but is no verdict on the version.
        page: the address of the flow run's page, for the version's description.

    Returns:
        The MLflow run's id; empty for a job, whose effects are applied by the worker that claimed it.

    Raises:
        Fenced: another worker has the job; nothing was written.
        RegistryError: the verdict is in the ledger, but its effects could not be applied yet.
        SeatrialError: the policy or the version changed during the trial; nothing was written.
    """
    if not whole:
        return registry.record(verdict, fetched, directory)
    job = JOB.get()
    if job is not None and identity(fetched.version) != job.subject:
        raise SeatrialError(
            f"{job.uri} was deleted and registered again before it was validated. The new version has its own job."
        )
    if policy_digest(project.expectations) != verdict.policy_digest:
        raise SeatrialError(
            f"The policy at {project.expectations} changed while {fetched.version.uri} was validated. No verdict was "
            f"written. Validate it again: seatrial validate {fetched.version.uri}"
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
        job = ledger.claim_version(fetched.version, owner())
        ledger.commit(job, facts, planned, archive(directory))
        return _apply_now(ledger, job)


def give_up(ledger: Ledger, job: Job, reason: str) -> None:
    """Commit the verdict `error` for a version that could not be validated in any attempt.

    Raises:
        Fenced: another worker has the job.
    """
    attempts = job.attempt - job.exhausted
    last = reason or "the process died"
    summary = f"error: all {attempts} validation attempts crashed or timed out. Last: {last}"
    tags = {"seatrial.verdict": Outcome.ERROR.value, "seatrial.run_id": "", "seatrial.subject_digest": ""}
    block = f"**error** · {_literal(str(Subject(job.name, job.number)))}\n\n{_literal(summary)}"
    planned: list[tuple[str, dict[str, Any]]] = [(TAGS, {"tags": tags}), (DESCRIBE, {"blocks": [block]})]
    ledger.commit(job, Facts(Outcome.ERROR, summary), planned)


def effects_of(
    verdict: Verdict, fetched: Fetched, promote: str = "", page: str = ""
) -> list[tuple[str, dict[str, Any]]]:
    """Return the effects of a verdict, in order, as the ledger stores them.

    Args:
        verdict: of a complete validation.
        fetched: the version.
        promote: an alias to move on a pass, in addition to ``validated``.
        page: the address of the flow run's page.
    """
    tags = {
        "seatrial.verdict": verdict.outcome.value,
        "seatrial.subject_digest": fetched.digest,
        "seatrial.policy_digest": verdict.policy_digest,
    }
    planned: list[tuple[str, dict[str, Any]]] = [
        (LOG, run_payload(verdict, fetched)),
        (TAGS, {"tags": tags}),
        (DESCRIBE, {"blocks": description_texts(verdict), "page": page}),
    ]
    if verdict.outcome is Outcome.PASS:
        planned.append((ALIAS, {"aliases": list(dict.fromkeys(filter(None, [registry.VALIDATED, promote])))}))
    return planned


def _apply_now(ledger: Ledger, job: Job) -> str:
    """Apply the effects of a verdict that a person waits for, and return the run's id."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        problems = apply(ledger, job=job)
        states = ledger.effects(job)
        if dropped := [result for state, result in states.values() if state == "dropped"]:
            raise RegistryError(dropped[0])
        if all(state == "done" for state, _ in states.values()):
            return states[LOG][1]
        postponed = [problem for problem in problems if POSTPONED in problem]
        if postponed or time.monotonic() > until:
            why = postponed[0] if postponed else "Another worker is applying its effects."
            raise RegistryError(f"The verdict is in the ledger, but not all of it is in MLflow yet. {why}")
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
