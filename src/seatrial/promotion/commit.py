"""Commit a verdict to the ledger, with its files and its effects on the registry."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import registry
from seatrial.errors import RegistryError, SeatrialError, UsageError
from seatrial.events import Outcome, Verdict
from seatrial.io.files import atomic_write
from seatrial.ledger import JOB, LOG, POSTPONED, Facts, Job, Ledger, Overtaken, Signed, identity
from seatrial.policy.digest import policy_digest
from seatrial.policy.service import promotion
from seatrial.process import crash_points
from seatrial.project import Project
from seatrial.promotion import attestation
from seatrial.promotion.attestation import Link
from seatrial.promotion.code import Code, changes, read_code
from seatrial.promotion.effects import ALIAS, DESCRIBE, TAGS, apply
from seatrial.promotion.envelope import open_envelope
from seatrial.promotion.evidence import archive, bound, digest_of, files_of
from seatrial.promotion.head import renew_heads
from seatrial.promotion.keyring import signing_key, trusted_keys
from seatrial.promotion.testimony import shown_head, testimony
from seatrial.registry import Fetched, Version
from seatrial.registry.runs import description_texts, run_payload, version_tags
from seatrial.sinks.base import LISTENERS

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

WAIT_SECONDS = 60.0  # for another worker that applies the effects of this verdict


def owner() -> str:
    """Return the host and process id, for people who read the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}"


def commit_verdict(
    project: Project,
    verdict: Verdict,
    fetched: Fetched,
    directory: Path,
    *,
    code: Code | None = None,
    whole: bool = True,
    page: str = "",
) -> str:
    """Commit the verdict. If a person started the validation, also apply its effects before returning.

    Args:
        project: has the ledger, the policy and the key.
        verdict: the verdict.
        fetched: the version, as it was downloaded for the trial.
        directory: report, JUnit, JSON and attachments of checks, of this validation alone; all files are stored.
        code: that was validated, as it was read before the trial began; as it is now by default.
        whole: every check was run. Part of a validation is logged, but is no verdict on the version.
        page: the address of the flow run's page, for the pages of the registry.

    Returns:
        The MLflow run's id; empty for a job, whose effects are applied by the worker that claimed it.

    Raises:
        Fenced: another worker has the job; nothing was written.
        RegistryError: the verdict is in the ledger, but its effects could not be applied yet.
        SeatrialError: the policy, the code or the version changed during the trial; nothing was written.
    """
    if not whole:
        return registry.record(verdict, fetched, directory, page)
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
    now = read_code(project, code.service if code else None)
    if code is not None and now.digest != code.digest:
        raise SeatrialError(
            f"The code changed while {fetched.version.uri} was validated: {changes(code.files, now.files)}. No verdict "
            f"was written. Validate it again: seatrial validate {fetched.version.uri}. If the service writes that "
            "file, name the files that are code: 'code' of [tool.seatrial]."
        )
    verdict = replace(verdict, subject=replace(verdict.subject, code_digest=now.digest))
    crash_points.point("after-run")
    signer = signing_key(project.state)
    bound(directory)
    with Ledger.of(project.state) as ledger:
        held = job or ledger.claim_version(fetched.version, owner())
        planned = effects_of(verdict, fetched, promotion(project.expectations).alias, page, project.trackers)
        _commit_signed(project, ledger, held, verdict, now, fetched.version, directory, signer, planned)
        if job is not None:
            return ""
        run_id = _apply_now(ledger, held, project.state)
        renew_heads(ledger, project, held.subject)
        return run_id


def _commit_signed(
    project: Project, ledger: Ledger, job: Job, verdict: Verdict, code: Code, version: Version, directory: Path,
    signer: CryptoSigner, planned: list[tuple[str, dict[str, Any]]],
) -> None:  # fmt: skip
    """Sign the verdict as the next of its version and commit it; sign again where another one was committed first."""
    files = files_of(directory)
    evidence, ledger_id = digest_of(files), ledger.id
    while True:
        number, newest = ledger.latest(job.subject)
        number, previous = _before(project, version, number, newest)
        link = Link(ledger_id, job.epoch, number + 1, previous)
        content = attestation.envelope(verdict, code, link, signer, evidence=files, evidence_digest=evidence)
        atomic_write(directory / attestation.FILE, content)
        digest = open_envelope(content, [signer.public_key]).digest
        facts = Facts(
            verdict.outcome, verdict.summary, verdict.subject.digest, verdict.policy_digest, verdict.reference_digest,
            evidence, code.digest,
        )  # fmt: skip
        try:
            ledger.commit(job, facts, planned, archive(directory), Signed(link.number, digest, previous, content))
        except Overtaken:
            continue
        return


def _before(project: Project, version: Version, number: int, newest: Signed | None) -> tuple[int, str]:
    """Return the highest number about the version that ledger or registry has, and the digest of what to follow.

    The registry is read where this ledger has no statement, since it may have been lost, and where the head says that
    another ledger is further. A statement under a key that is not trusted counts too: it is only followed, and so
    noticed if it vanishes. While the registry does not answer, the ledger alone counts.
    """
    try:
        ring = trusted_keys(project.state)
    except UsageError:
        ring = []
    digest = newest.digest if newest else ""
    with contextlib.suppress(RegistryError):
        shown = shown_head(version, ring)
        if newest is None or (shown is not None and shown.head.number > number):
            said = testimony(project.state, version, ring, None)
            claims = [(s.link.number, s.digest) for s in said.statements.values()]
            highest, theirs = max([*claims, *((tip.number, tip.digest) for tip in said.tips)], default=(0, ""))
            number, digest = max(number, highest), digest or theirs
    return number, digest


def give_up(ledger: Ledger, job: Job, reason: str, project: Project) -> None:
    """Commit the verdict `error` for a version that could not be validated in any attempt, with the code as it is.

    Raises:
        Fenced: another worker has the job.
    """
    attempts = job.attempt - job.exhausted
    last = reason or "the process died"
    summary = f"error: all {attempts} validation attempts crashed or timed out. Last: {last}"
    error = Outcome.ERROR.value
    tags = {"seatrial": error, "seatrial.verdict": error, "seatrial.run_id": "", "seatrial.subject_digest": ""}
    block = f"seatrial: {error} · {_literal(f'{job.name} {job.number}')}\n---\n\n{_literal(summary)}"
    planned: list[tuple[str, dict[str, Any]]] = [(TAGS, {"tags": tags}), (DESCRIBE, {"blocks": [block]})]
    code = ""
    with contextlib.suppress(SeatrialError):  # code that cannot be read has no digest, and the job ends nevertheless
        code = read_code(project).digest
    facts = Facts(Outcome.ERROR, summary, policy_digest=policy_digest(project.expectations), code_digest=code)
    ledger.commit(job, facts, planned)


def effects_of(
    verdict: Verdict, fetched: Fetched, promote: str = "", page: str = "", trackers: Sequence[str] = ()
) -> list[tuple[str, dict[str, Any]]]:
    """Return the effects of a verdict, in order, as the ledger stores them.

    Args:
        verdict: of a complete validation.
        fetched: the version.
        promote: an alias to move on a pass, in addition to ``validated``.
        page: the address of the flow run's page.
        trackers: names of those that the run is logged to beside the registry's own.
    """
    run = run_payload(verdict, fetched, page=page)
    planned: list[tuple[str, dict[str, Any]]] = [
        (LOG, run),
        (TAGS, {"tags": version_tags(verdict, fetched), "page": page}),
        (DESCRIBE, {"blocks": description_texts(verdict, fetched.version.uri), "page": page}),
    ]
    if verdict.outcome is Outcome.PASS:
        planned.append((ALIAS, {"aliases": list(dict.fromkeys(filter(None, [registry.VALIDATED, promote])))}))
    return planned + [(f"{LOG}:{name}", run) for name in trackers]


def _apply_now(ledger: Ledger, job: Job, state: Path) -> str:
    """Apply the effects of a verdict that a person waits for, and return the run's id; a tracker may lag behind."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        problems = apply(ledger, state, job=job)
        effects = {kind: found for kind, found in ledger.effects(job).items() if ":" not in kind}
        if given_up := [result for state, result in effects.values() if state in ("dropped", "parked")]:
            raise RegistryError(given_up[0])
        if all(state == "done" for state, _ in effects.values()):
            _tell(problems)
            return effects[LOG][1]
        postponed = [found for state, found in effects.values() if state == "open" and found.startswith(POSTPONED)]
        if postponed or time.monotonic() > until:
            why = postponed[0] if postponed else "Another worker is applying its effects."
            raise RegistryError(f"The verdict is in the ledger, but not all of it is in the registry yet. {why}")
        time.sleep(0.2)


def _tell(problems: Sequence[str]) -> None:
    for problem in problems:
        for listener in LISTENERS.get():
            listener.note(problem)


def _literal(text: str) -> str:
    from seatrial.sinks.markdown import literal

    return literal(text, 2_000)
