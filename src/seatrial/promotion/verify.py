"""Whether a registered version may be used: its very content has a passing verdict, signed, under the present policy.

Nothing that a hand can write is trusted: no tag, no alias, no status of a run. The model's files are downloaded and
hashed again, and verdicts count by their signature.
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
from seatrial.promotion.attestation import NotSigned, Statement
from seatrial.registry import Version


@dataclass(frozen=True)
class Verification:
    """Whether the version may be used, and why in one sentence."""

    holds: bool
    why: str

    @property
    def exit_code(self) -> int:
        """0 when it may, 1 when it may not. What cannot be told is an error and ends with 2."""
        return EXIT_PASS if self.holds else EXIT_FAIL


def verify(directory: Path, model_uri: str) -> Verification:
    """Say whether the version's present content has a passing verdict of its own under the project's present policy.

    The newest verdict that is a pass or a fail counts; one that could not judge takes nothing back.

    Raises:
        UsageError: no project, no public key, or no such URI.
        RegistryError: no answer, no such version, or an alias that moved meanwhile.
    """
    project = Project.find(directory)
    project.activate()
    key, policy = attestation.public_key(project.state), policy_digest(project.expectations)
    version = registry.resolve(model_uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-verify-") as folder:
        digest = directory_digest(registry.of(model_uri).download_model(version, Path(folder) / "model"))
    read, foreign = [], 0
    for content in envelopes(version):
        try:
            read.append(attestation.verify(content, key))
        except NotSigned:
            foreign += 1
    now = registry.resolve(model_uri)
    if now != version and (now.number, now.created) != (
        version.number,
        version.created,
    ):
        raise RegistryError(f"{model_uri} moved from version {version.number} to {now.number} meanwhile. Ask again.")
    return _answer(version, digest, policy, read, foreign)


def _answer(version: Version, digest: str, policy: str, read: list[Statement], foreign: int) -> Verification:
    own = [s for s in read if (s.model, s.version, s.created) == (version.name, version.number, version.created)]
    same = [s for s in own if s.digest == digest]
    evaluated = [s for s in same if s.policy_digest == policy]
    decided = [s for s in evaluated if s.outcome in (Outcome.PASS, Outcome.FAIL)]
    newest = max(decided or evaluated or same or own, key=lambda s: s.evaluated, default=None)
    advice = f"Validate it: seatrial validate {version.uri}"
    if newest is None:
        others = f" {len(read)} signed verdict(s) there are of another version." if read else ""
        others += f" {foreign} envelope(s) there are damaged or signed by another key." if foreign else ""
        return Verification(False, f"{version.uri} has no signed verdict.{others} {advice}")
    when = datetime.fromtimestamp(newest.evaluated / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if not same:
        return Verification(
            False,
            f"The files of {version.uri} are not those that were judged on {when}: their digest is {digest[:19]}…, the "
            f"verdict's {newest.digest[:19]}…. {advice}",
        )
    if not evaluated:
        return Verification(
            False,
            f"{version.uri} was judged ({newest.outcome.value}, {when}) under another policy: "
            f"{newest.policy_digest[:19]}…, now {policy[:19]}…. {advice}",
        )
    if newest.outcome is not Outcome.PASS:
        return Verification(False, f"The verdict of {version.uri} is {newest.outcome.value} ({when}).")
    return Verification(True, f"{version.uri} passed on {when}: content {digest[:19]}…, policy {policy[:19]}….")


def envelopes(version: Version) -> Iterator[bytes]:
    """Yield what the version's newest runs hold under the envelope's name, whoever put it there; bounded.

    Raises:
        RegistryError: no answer.
    """
    tracker = registry.of(version.uri).tracker
    return tracker.artifacts(version, attestation.FILE, most_bytes=attestation.MAX_BYTES)
