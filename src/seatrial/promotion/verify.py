"""Verify a registered version: its files and the project's code have a passing verdict, signed, under this policy.

Tags, aliases and run statuses are not trusted, because anyone can write them. Files are hashed again, a verdict counts
by its signature and its place in the chain, and the ledger or a fresh signed head says which one is the newest.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from seatrial import registry
from seatrial.errors import EXIT_FAIL, EXIT_PASS, RegistryError
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.ledger import Ledger, identity, run_key
from seatrial.policy.digest import policy_digest
from seatrial.project import Project
from seatrial.promotion.attestation import Statement
from seatrial.promotion.chain import CannotTell, chain_of
from seatrial.promotion.code import Code, changes, read_code
from seatrial.promotion.evidence import digest_of, files_of, unpack
from seatrial.promotion.keyring import trusted_keys
from seatrial.promotion.testimony import Testimony, testimony
from seatrial.registry import Version


@dataclass(frozen=True)
class Verification:
    """Whether the version may be used, the reason in one sentence, and the digest of its files as they are now."""

    allowed: bool
    reason: str
    digest: str = ""

    @property
    def exit_code(self) -> int:
        """0 when it may, 1 when it may not. A verification that is not possible raises, and ends with 2."""
        return EXIT_PASS if self.allowed else EXIT_FAIL


def verify(directory: Path, model_uri: str) -> Verification:
    """Return whether the version's content and the project's code have a passing verdict under the current policy.

    The newest verdict that is a pass or a fail counts; a later inconclusive or error verdict revokes nothing.

    Example::

        if not verify(Path("."), "models:/payments@champion").allowed:
            raise SystemExit(1)

    Raises:
        UsageError: there is no project, no public key, or the URI is malformed.
        RegistryError: the registry does not answer, the version does not exist, or the alias moved meanwhile.
        CannotTell: a statement is missing or of an unknown key, or nobody says which one is the newest.
    """
    project = Project.find(directory)
    project.activate()
    ring, policy = trusted_keys(project.state), policy_digest(project.expectations)
    version = registry.resolve(model_uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-verify-") as folder:
        digest = directory_digest(registry.of(model_uri).fetch(version, Path(folder) / "model"))
    with contextlib.ExitStack() as stack:
        ledger = Ledger.reached(project.state)
        if ledger is not None:
            stack.enter_context(ledger)
        said = testimony(project.state, version, ring, ledger)
        verification = replace(_verification(project, version, digest, policy, said, ledger), digest=digest)
    now = registry.resolve(model_uri)
    if now != version and (now.number, now.created) != (version.number, version.created):
        raise RegistryError(
            f"{model_uri} moved from version {version.number} to {now.number} meanwhile. Run the command again."
        )
    return verification


def _verification(
    project: Project, version: Version, digest: str, policy: str, said: Testimony, ledger: Ledger | None
) -> Verification:
    advice = f"Validate it: seatrial validate {version.uri}"
    chain = chain_of(said.statements.values(), said.tips, version.uri)
    if not (linked := chain.linked):
        others = f" Signed verdicts of another version: {said.others}." if said.others else ""
        others += f" Envelopes that are damaged: {said.invalid}." if said.invalid else ""
        return Verification(False, f"{version.uri} has no signed verdict.{others} {advice}")
    same = [s for s in linked if s.model_digest == digest]
    under = [s for s in same if s.policy_digest == policy]
    code = {s.code.service: read_code(project, s.code.service) for s in under}
    with_code = [s for s in under if s.code_digest == code[s.code.service].digest]
    decided = [s for s in with_code if s.outcome in (Outcome.PASS, Outcome.FAIL)]
    newest = (decided or with_code or under or same or linked)[0]
    when = f"{datetime.fromtimestamp(newest.evaluated / 1000, UTC):%Y-%m-%d %H:%M UTC}"
    if not same:
        reason = (
            f"The files of {version.uri} are not those that were validated on {when}: their digest is {digest[:19]}…, "
            f"that of the verdict {newest.model_digest[:19]}…."
        )
    elif not under:
        reason = (
            f"{version.uri} was validated ({newest.outcome.value}, {when}) under another policy: "
            f"{newest.policy_digest[:19]}…, now {policy[:19]}…."
        )
    elif not with_code:
        reason = (
            f"The code changed since {version.uri} was validated ({newest.outcome.value}, {when}): "
            f"{code_changes(newest, code[newest.code.service])}."
        )
    elif newest.outcome is not Outcome.PASS:
        reason = f"The verdict of {version.uri} is {newest.outcome.value} ({when})."
    else:
        chain.settles(newest, version.uri)
        check_fresh(version, linked[0], said)
        reason = _swapped(version, newest, ledger)
    if reason:
        return Verification(False, f"{reason} {advice}")
    return Verification(
        True,
        f"{version.uri} passed on {when}: content {digest[:19]}…, code {newest.code_digest[:19]}…, "
        f"policy {policy[:19]}….",
    )


def check_fresh(version: Version, newest: Statement, said: Testimony) -> None:
    """Raise CannotTell unless the ledger, or a head that has not expired, says that no later statement exists."""
    if said.reached:
        if said.ledger is None or said.ledger.number < newest.link.number:
            known = f"ends at statement {said.ledger.number}" if said.ledger else "has no statement about it"
            raise CannotTell(
                f"The ledger {known}, and the registry has number {newest.link.number} of {version.uri}: the ledger is "
                "another one, was lost, or was restored from an older copy. Set SEATRIAL_LEDGER_URL, or validate the "
                f"version again: seatrial validate {version.uri}"
            )
        return
    expires = said.head.head.expires / 1000 if said.head else 0.0
    if expires <= time.time():
        what = f"expired at {datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M UTC}" if said.head else "is missing"
        raise CannotTell(
            f"Whether {version.uri} has a later verdict cannot be told: its signed head {what}, and the ledger cannot "
            "be reached from here. 'seatrial reconcile' renews heads; or set SEATRIAL_LEDGER_URL."
        )


def code_changes(statement: Statement, now: Code) -> str:
    """Return which code files differ, as far as the statement names them."""
    before, complete = statement.code.files, statement.code.digest == statement.code_digest
    named = changes(before, now.files if complete else {n: d for n, d in now.files.items() if n in before})
    return named or "a file beyond those that the statement names"


def _swapped(version: Version, statement: Statement, ledger: Ledger | None) -> str:
    """Return what is wrong with the verdict's files where they are stored; empty where they are as they were signed.

    Files that were deleted, for example because they are old, are not missed: the statement stands without them.
    """
    with tempfile.TemporaryDirectory(prefix="seatrial-evidence-") as folder:
        there = stored_files(version, statement, ledger, Path(folder) / "files")
        return swapped(version, statement, there) if there else ""


def stored_files(version: Version, statement: Statement, ledger: Ledger | None, into: Path) -> Path | None:
    """Bring the files of a verdict to a directory, from the ledger or its run, and return it; None where none are left.

    Raises:
        RegistryError: the registry does not answer.
    """
    subject, epoch = identity(version), statement.link.epoch
    waiting = ledger.archive(subject, epoch) if ledger and ledger.id == statement.link.ledger else b""
    if waiting:
        unpack(waiting, into)
        return into
    store = registry.run_store(version.uri)
    return store.files(version, run_key(subject, epoch, statement.link.ledger), into) if store else None


def swapped(version: Version, statement: Statement, directory: Path) -> str:
    """Return how a verdict's files differ from those that were signed; empty where they are the same."""
    files = files_of(directory)
    if digest_of(files) == statement.evidence_digest:
        return ""
    named = changes(statement.evidence, files) or "a file beyond those that the statement names"
    return f"The evidence that is stored with the verdict of {version.uri} is not the one that was signed: {named}."
