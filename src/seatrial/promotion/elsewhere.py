"""What another ledger says of a version that this one does not know: its newest signed verdict, while it is fresh.

A checkout in CI begins with an empty ledger. What was validated before is not validated again there as long as a
machine without any ledger would believe it: by trusted signatures, an unbroken chain and a head that has not expired.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from seatrial import registry
from seatrial.errors import UsageError
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.policy.digest import policy_digest
from seatrial.project import Project
from seatrial.promotion.attestation import Statement
from seatrial.promotion.chain import CannotTell, chain_of
from seatrial.promotion.code import read_code
from seatrial.promotion.keyring import SIGNING_KEY, signing_key, trusted_keys
from seatrial.promotion.testimony import testimony
from seatrial.registry import Version

LOOK_SECONDS = 3_600.0  # between two looks at code, policy and head


@dataclass(frozen=True)
class SignedVerdict:
    """The newest pass or fail of a version, and until when to believe it without another look, seconds since 1970."""

    outcome: Outcome
    until: float


def signed_verdict(project: Project, version: Version, *, hashing: bool = True) -> SignedVerdict | None:
    """Return the newest signed verdict on a version's present content, under the present code and policy.

    None where there is none, it is not fresh, or that cannot be told.

    Args:
        project: its code and policy, and the keys it trusts.
        version: as it is registered now.
        hashing: also download the files and compare them with those that were validated.

    Raises:
        RegistryError: the registry does not answer.
    """
    try:
        if os.environ.get(SIGNING_KEY):
            signing_key(project.state)  # writes its public key beside it, for the ring
        said = testimony(project.state, version, trusted_keys(project.state), None)
        if said.head is None or said.head.head.expires / 1000 <= time.time():
            return None
        chain = chain_of(said.statements.values(), said.tips, version.uri)
        newest = next((s for s in chain.linked if s.outcome in (Outcome.PASS, Outcome.FAIL)), None)
        if newest is None:
            return None
        chain.settles(newest, version.uri)
        if not _of_today(project, newest) or (hashing and not _same_files(project, version, newest)):
            return None
    except (UsageError, CannotTell):
        return None
    return SignedVerdict(newest.outcome, min(said.head.head.expires / 1000, time.time() + LOOK_SECONDS))


def _of_today(project: Project, statement: Statement) -> bool:
    """Return whether a statement is of the code and the policy as they are now."""
    return (
        statement.policy_digest == policy_digest(project.expectations)
        and statement.code_digest == read_code(project, statement.code.service).digest
    )


def _same_files(project: Project, version: Version, statement: Statement) -> bool:
    project.state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="seatrial-elsewhere-", dir=project.state) as folder:
        files = registry.of(version.uri).fetch(version, Path(folder) / "model")
        return directory_digest(files) == statement.model_digest
