"""Signed verdicts: an in-toto statement with a test-result predicate, in a DSSE envelope, by an Ed25519 key.

Format: https://github.com/in-toto/attestation (Statement v1, test-result v0.1). The subjects are the model's files and
the code; each ``dirHash`` can be computed with ``sha256sum`` alone. A statement is linked to the one before it about
the same version, so that one that is missing is noticed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seatrial.events import Outcome, Severity, Verdict
from seatrial.promotion.code import Code
from seatrial.promotion.envelope import InvalidEnvelope, Opened, open_envelope, seal

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

FILE = "verdict.dsse.json"  # an artifact of the verdict's run
STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
MAX_TESTS = 1_000  # named of each result
MAX_NUMBER = 10**9  # of a statement: whoever can write to the registry cannot use up the numbers
MAX_FILES, MAX_NAMES = 2_000, 256 * 2**10  # files that are named of each listing, and the characters of their names


@dataclass(frozen=True)
class Link:
    """The place of a statement among those about its version.

    Attributes:
        ledger: the id of the ledger that numbered it.
        epoch: of the validation in that ledger.
        number: of the statement, from 1, in the order of the commits.
        previous: the digest of the statement before; empty for the first.
    """

    ledger: str
    epoch: int
    number: int
    previous: str = ""


@dataclass(frozen=True)
class Statement:
    """The content of an envelope: what was validated, under which policy, when, and the outcome.

    Digests are ``sha256:<hex>``. ``created`` is the version's creation and ``evaluated`` the signing, both in
    milliseconds since 1970; nothing is ordered by the latter. ``digest`` is the statement's own, ``model_digest`` that
    of the model's files. ``trusted`` says whether a key of the ring signed it; ``keyid`` is the key that it claims.
    """

    digest: str
    trusted: bool
    keyid: str
    model: str
    version: str
    created: int
    model_digest: str
    code: Code
    code_digest: str
    policy_digest: str
    reference_digest: str
    evidence_digest: str
    evidence: Mapping[str, str]
    outcome: Outcome
    evaluated: int
    link: Link


def envelope(
    verdict: Verdict, code: Code, link: Link, signer: CryptoSigner, *,
    evidence: Mapping[str, str] | None = None, evidence_digest: str = "", evaluated: int | None = None,
) -> bytes:  # fmt: skip
    """Return the signed statement of a complete validation.

    Example::

        signer = signing_key(project.state)
        content = envelope(verdict, read_code(project), Link(ledger.id, epoch=0, number=1), signer)

    Args:
        verdict: of a registered version, with every check run: part of a validation is never signed.
        code: that was validated.
        link: the statement's place.
        signer: signs it.
        evidence: the verdict's files with their SHA-256 in hex.
        evidence_digest: of all of them.
        evaluated: the time in milliseconds since 1970; now by default.
    """
    made = statement(verdict, code, link, evidence=evidence or {}, evidence_digest=evidence_digest, evaluated=evaluated)
    return seal(made, PAYLOAD, signer)


def statement(
    verdict: Verdict, code: Code, link: Link, *,
    evidence: Mapping[str, str], evidence_digest: str = "", evaluated: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the in-toto statement of a verdict. Only a pass is PASSED; what was not evaluated is FAILED.

    ``cached`` names the results that are of earlier runs, each with its run.
    """
    subject = verdict.subject
    errors = {_test(f) for f in verdict.findings if f.severity is Severity.ERROR} | {
        _test(u) for u in verdict.not_evaluated
    }
    warned = {_test(f) for f in verdict.findings if f.severity is Severity.WARNING} - errors
    passed = {_test(j) for j in verdict.evaluated} - errors - warned
    return {
        "_type": STATEMENT,
        "subject": [
            {
                "name": f"models:/{subject.model}/{subject.version}",
                "digest": {"dirHash": _hex(subject.digest)},
                "annotations": {
                    "model": subject.model,
                    "version": subject.version,
                    "created": subject.created,
                    "registry": subject.registry,
                },
            },
            {
                "name": "code",
                "digest": {"dirHash": _hex(code.digest)},
                "annotations": {"service": code.service, **_listing(code.files)},
            },
        ],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": "PASSED" if verdict.outcome is Outcome.PASS else "FAILED",
            "configuration": [
                {"name": "policy", "digest": {"dirHash": _hex(verdict.policy_digest)}},
                {"name": "reference", "digest": {"sha256": _hex(verdict.reference_digest)}},
            ],
            "passedTests": sorted(passed)[:MAX_TESTS],
            "warnedTests": sorted(warned)[:MAX_TESTS],
            "failedTests": sorted(errors)[:MAX_TESTS],
            "seatrial": {
                "outcome": verdict.outcome.value,
                "evaluated": int(time.time() * 1000) if evaluated is None else evaluated,
                "ledger": link.ledger,
                "epoch": link.epoch,
                "number": link.number,
                "previous": link.previous,
                "evidence": {"digest": evidence_digest, **_listing(evidence)},
                "cached": dict([(_test(e), e.run) for e in verdict.evaluated if e.cached][:MAX_TESTS]),
            },
        },
    }


def read(content: bytes, ring: Sequence[Key]) -> Statement:
    """Return the statement of an envelope, and in ``trusted`` whether a key of the ring signed it.

    Raises:
        InvalidEnvelope: it is no envelope, or contains no verdict of seatrial.
    """
    opened = open_envelope(content, ring)
    try:
        return _statement(opened)
    except (ValidationError, ValueError, KeyError, StopIteration) as error:
        raise InvalidEnvelope("The envelope contains no verdict of seatrial.") from error


def _statement(opened: Opened) -> Statement:
    stated = _Stated.model_validate(opened.body)
    (model, code), ours = stated.subject, stated.predicate.seatrial
    about, listed = _Model.model_validate(model.annotations), _Listed.model_validate(code.annotations)
    under = {c.name: "sha256:" + next(iter(c.digest.values())) for c in stated.predicate.configuration}
    if opened.kind != PAYLOAD or (stated.predicate.result == "PASSED") != (ours.outcome is Outcome.PASS):
        raise ValueError("another kind of payload, or a result that contradicts the outcome")
    return Statement(
        opened.digest, opened.trusted, opened.keyid, about.model, about.version, about.created,
        "sha256:" + model.digest["dirHash"], Code(listed.files, listed.service), "sha256:" + code.digest["dirHash"],
        under["policy"], under["reference"], ours.evidence.digest, ours.evidence.files, ours.outcome, ours.evaluated,
        Link(ours.ledger, ours.epoch, ours.number, ours.previous),
    )  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Listed(_Strict):
    files: dict[str, str]
    count: int
    digest: str = ""
    service: str = ""


class _Model(_Strict):
    model: str
    version: str
    created: int


class _Resource(_Strict):
    name: str
    digest: dict[str, str]
    annotations: dict[str, Any] = {}


class _Ours(_Strict):
    outcome: Outcome = Field(strict=False)
    evaluated: int
    ledger: str
    epoch: int = Field(ge=0)
    number: int = Field(ge=1, le=MAX_NUMBER)
    previous: str
    evidence: _Listed


class _Predicate(_Strict):
    result: str
    configuration: list[_Resource]
    seatrial: _Ours


class _Stated(_Strict):
    subject: list[_Resource] = Field(min_length=2, max_length=2)
    predicate: _Predicate
    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = Field(alias="predicateType")


def _listing(files: Mapping[str, str]) -> dict[str, Any]:
    """Return how many files there are, and the first of them by name, as many as a statement may carry."""
    kept: dict[str, str] = {}
    characters = 0
    for name in sorted(files)[:MAX_FILES]:
        characters += len(name)
        if characters > MAX_NAMES:
            break
        kept[name] = files[name]
    return {"count": len(files), "files": kept}


def _test(event: Any) -> str:
    return f"{event.stage} · {event.check}" if event.stage else str(event.check)


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
