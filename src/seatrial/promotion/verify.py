"""Verify a registered version: its content has a passing verdict, signed, under the current policy.

Tags, aliases and run statuses are not trusted, because anyone can write them. The model's files are downloaded and
hashed again, and a verdict counts by its signature.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seatrial import registry
from seatrial.errors import EXIT_FAIL, EXIT_PASS, RegistryError
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.policy.policy import policy_digest
from seatrial.project import Project
from seatrial.promotion import attestation
from seatrial.promotion.attestation import InvalidEnvelope, Statement
from seatrial.registry import Version


@dataclass(frozen=True)
class Verification:
    """Whether the version may be used, and the reason in one sentence."""

    allowed: bool
    reason: str

    @property
    def exit_code(self) -> int:
        """0 when it may, 1 when it may not. A verification that is not possible raises, and ends with 2."""
        return EXIT_PASS if self.allowed else EXIT_FAIL


def verify(directory: Path, model_uri: str) -> Verification:
    """Return whether the version's current content has a passing verdict under the project's current policy.

    The newest verdict that is a pass or a fail counts; a later inconclusive or error verdict revokes nothing.

    Example::

        if not verify(Path("."), "models:/payments@champion").allowed:
            raise SystemExit(1)

    Raises:
        UsageError: there is no project, no public key, or the URI is malformed.
        RegistryError: the registry does not answer, the version does not exist, or the alias moved meanwhile.
    """
    project = Project.find(directory)
    project.activate()
    key, policy = attestation.public_key(project.state), policy_digest(project.expectations)
    version = registry.resolve(model_uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-verify-") as folder:
        digest = directory_digest(registry.of(model_uri).download_model(version, Path(folder) / "model"))
    read, invalid = [], 0
    for content in envelopes(version):
        try:
            read.append(attestation.verify(content, key))
        except InvalidEnvelope:
            invalid += 1
    now = registry.resolve(model_uri)
    if now != version and (now.number, now.created) != (version.number, version.created):
        raise RegistryError(
            f"{model_uri} moved from version {version.number} to {now.number} meanwhile. Run the command again."
        )
    return _verification(version, digest, policy, read, invalid)


def _verification(version: Version, digest: str, policy: str, read: list[Statement], invalid: int) -> Verification:
    own = [s for s in read if (s.model, s.version, s.created) == (version.name, version.number, version.created)]
    same = [s for s in own if s.digest == digest]
    evaluated = [s for s in same if s.policy_digest == policy]
    decided = [s for s in evaluated if s.outcome in (Outcome.PASS, Outcome.FAIL)]
    newest = max(decided or evaluated or same or own, key=lambda s: s.evaluated, default=None)
    advice = f"Validate it: seatrial validate {version.uri}"
    if newest is None:
        others = f" Signed verdicts of another version: {len(read)}." if read else ""
        others += f" Envelopes that are damaged or signed by another key: {invalid}." if invalid else ""
        return Verification(False, f"{version.uri} has no signed verdict.{others} {advice}")
    when = datetime.fromtimestamp(newest.evaluated / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if not same:
        return Verification(
            False,
            f"The files of {version.uri} are not those that were validated on {when}: their digest is {digest[:19]}…, "
            f"that of the verdict {newest.digest[:19]}…. {advice}",
        )
    if not evaluated:
        return Verification(
            False,
            f"{version.uri} was validated ({newest.outcome.value}, {when}) under another policy: "
            f"{newest.policy_digest[:19]}…, now {policy[:19]}…. {advice}",
        )
    if newest.outcome is not Outcome.PASS:
        return Verification(False, f"The verdict of {version.uri} is {newest.outcome.value} ({when}). {advice}")
    return Verification(True, f"{version.uri} passed on {when}: content {digest[:19]}…, policy {policy[:19]}….")


def envelopes(version: Version) -> Iterator[bytes]:
    """Return the envelopes of the version's newest runs, whoever wrote them; bounded in number and size.

    Raises:
        RegistryError: the registry does not answer.
    """
    tracker = registry.of(version.uri).tracker
    return tracker.artifacts(version, attestation.FILE, most_bytes=attestation.MAX_BYTES)
