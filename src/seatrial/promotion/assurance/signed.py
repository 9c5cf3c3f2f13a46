"""The newest signed verdict of a version, with its results read from the files that it was signed with."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from seatrial import registry
from seatrial.errors import EXIT_FAIL, SeatrialError
from seatrial.events import Outcome, Verdict
from seatrial.io.bundle import directory_digest, sha256
from seatrial.ledger import Ledger
from seatrial.policy.digest import policy_digest
from seatrial.project import Project
from seatrial.promotion.attestation import Statement
from seatrial.promotion.chain import CannotTell, chain_of
from seatrial.promotion.code import read_code
from seatrial.promotion.keyring import trusted_keys
from seatrial.promotion.testimony import Testimony, testimony
from seatrial.promotion.verify import check_fresh, code_changes, stored_files, swapped
from seatrial.registry import Version
from seatrial.sinks.files import FILES

DECIDED = (Outcome.PASS, Outcome.FAIL)


class NotAsSigned(SeatrialError):
    """What is stored is not what was signed: files of the model, or of the verdict."""

    exit_code = EXIT_FAIL


@dataclass(frozen=True)
class SignedVerdict:
    """A verdict that a trusted key signed.

    Attributes:
        version: that it is about.
        statement: the signed statement.
        verdict: read from the files that it was signed with.
        digest: of the file that it was read from.
        later: statements that follow it, the newest first.
        notes: sentences: what changed since it was signed.
    """

    version: Version
    statement: Statement
    verdict: Verdict
    digest: str
    later: tuple[Statement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def began(self) -> float:
        """When the validation began, seconds since 1970."""
        return self.statement.evaluated / 1000 - self.verdict.seconds


def signed_verdict(project: Project, model_uri: str) -> SignedVerdict:
    """Return the newest verdict about a version's content that is a pass or a fail; else the newest of any outcome.

    One under the code and the policy of this checkout comes before one under others. Signatures, chain, freshness and
    digests are verified as by 'seatrial verify'.

    Raises:
        NotAsSigned: files of the model or of the verdict are not those that were signed.
        CannotTell: there is no signed verdict, or which one is the newest cannot be told, or its files are gone.
        RegistryError: the registry does not answer, or there is no such version.
        UsageError: there is no public key, or the URI is malformed.

    Example::

        print(signed_verdict(Project.find("."), "models:/payments/1").verdict.summary)
    """
    ring = trusted_keys(project.state)
    version = registry.resolve(model_uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-evidence-") as folder, contextlib.ExitStack() as stack:
        digest = directory_digest(registry.of(model_uri).fetch(version, Path(folder) / "model"))
        ledger = Ledger.reached(project.state)
        if ledger is not None:
            stack.enter_context(ledger)
        said = testimony(project.state, version, ring, ledger)
        chosen, later, notes = _chosen(project, version, digest, said)
        verdict, read = _verdict(version, chosen, ledger, Path(folder) / "files")
    return SignedVerdict(version, chosen, verdict, read, later, notes)


def _chosen(
    project: Project, version: Version, digest: str, said: Testimony
) -> tuple[Statement, tuple[Statement, ...], tuple[str, ...]]:
    """Return the statement, those after it, and what changed since."""
    advice = f"Validate it: seatrial validate {version.uri}"
    chain = chain_of(said.statements.values(), said.tips, version.uri)
    if not chain.linked:
        invalid = f" Envelopes that are damaged: {said.invalid}." if said.invalid else ""
        raise CannotTell(f"{version.uri} has no signed verdict.{invalid} {advice}")
    about = [s for s in chain.linked if s.model_digest == digest]
    if not about:
        signed = chain.linked[0].model_digest
        raise NotAsSigned(
            f"The files of {version.uri} are not those that were validated: their digest is {digest[:19]}…, that of "
            f"the verdict {signed[:19]}…. {advice}"
        )
    policy = policy_digest(project.expectations)
    code = {s.code.service: read_code(project, s.code.service) for s in about}
    here = [s for s in about if s.policy_digest == policy and s.code_digest == code[s.code.service].digest]
    chosen = (_decided(here) or here or _decided(about) or about)[0]
    chain.settles(chosen, version.uri)
    check_fresh(version, chain.linked[0], said)
    notes = []
    if chosen.policy_digest != policy:
        notes.append(f"The policy here is not that of the run: 'seatrial verify' refuses the verdict. {advice}")
    if chosen.code_digest != code[chosen.code.service].digest:
        named = code_changes(chosen, code[chosen.code.service])
        notes.append(f"The code here is not that of the run: {named}. 'seatrial verify' refuses the verdict.")
    return chosen, chain.linked[: chain.linked.index(chosen)], tuple(notes)


def _decided(statements: list[Statement]) -> list[Statement]:
    return [s for s in statements if s.outcome in DECIDED]


def _verdict(version: Version, statement: Statement, ledger: Ledger | None, into: Path) -> tuple[Verdict, str]:
    """Return a verdict from the files that were signed, and the digest of its own file."""
    from pydantic import TypeAdapter, ValidationError

    there = stored_files(version, statement, ledger, into)
    if there is None:
        raise CannotTell(
            f"The files of the verdict on {version.uri} are gone: its run was deleted, or the registry stores none. "
            f"Without them there are no results to show. Validate the version again: seatrial validate {version.uri}"
        )
    if reason := swapped(version, statement, there):
        raise NotAsSigned(f"{reason} No evidence was written. Validate it: seatrial validate {version.uri}")
    file = there / FILES["json"]
    try:
        verdict = TypeAdapter(Verdict).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise CannotTell(
            f"The files of the verdict on {version.uri} hold no {file.name} that this seatrial reads. Validate the "
            f"version again: seatrial validate {version.uri}"
        ) from error
    if verdict.outcome is not statement.outcome:
        raise NotAsSigned(f"{file.name} says {verdict.outcome.value}, and the statement {statement.outcome.value}.")
    return verdict, f"sha256:{sha256(file)}"
