"""Signed verdicts: an in-toto statement with a test-result predicate, in a DSSE envelope, by an Ed25519 key.

Formats: https://github.com/in-toto/attestation (Statement v1, test-result v0.1) and
https://github.com/secure-systems-lab/dsse. The subject's ``dirHash`` can be computed with ``sha256sum`` alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import SeatrialError, UsageError
from seatrial.events import Outcome, Severity, Verdict
from seatrial.io import strict_json
from seatrial.io.files import atomic_write, write_once

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

FILE = "verdict.dsse.json"  # an artifact of the verdict's run
SIGNING_KEY, PUBLIC_KEY = "SEATRIAL_SIGNING_KEY", "SEATRIAL_PUBLIC_KEY"
STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
MAX_BYTES = 2**20
MAX_TESTS = 1_000  # named of each result
OTHERS = 0o007


class InvalidEnvelope(SeatrialError):
    """An envelope without a valid statement: damaged, of another kind, or signed by another key."""


@dataclass(frozen=True)
class Statement:
    """The content of an envelope: the version and digest that were validated, the policy, the time and the outcome.

    Digests are ``sha256:<hex>``. ``created`` is the version's creation and ``evaluated`` the signing, both in
    milliseconds since 1970.
    """

    model: str
    version: str
    created: int
    digest: str
    policy_digest: str
    reference_digest: str
    outcome: Outcome
    evaluated: int


def envelope(verdict: Verdict, state: Path, *, evaluated: int | None = None) -> bytes:
    """Return the signed statement of a complete validation; the project's key is generated if there is none.

    Example::

        content = envelope(verdict, project.state)
        statement = verify(content, public_key(project.state))

    Args:
        verdict: of a registered version, with every check run: part of a validation is never signed.
        state: the project's state directory, which contains its key.
        evaluated: the time in milliseconds since 1970; now by default.

    Raises:
        UsageError: the signing key cannot be read, or others can read it.
    """
    from securesystemslib.dsse import Envelope

    signed = Envelope(_canonical(statement(verdict, evaluated)), PAYLOAD, {})
    signed.sign(signing_key(state))
    return _canonical(signed.to_dict())


def statement(verdict: Verdict, evaluated: int | None = None) -> dict[str, Any]:
    """Return the in-toto statement of a verdict. Only a pass is PASSED; what was not evaluated is FAILED."""
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
            }
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
            },
        },
    }


def verify(content: bytes, key: SSlibKey) -> Statement:
    """Return the statement of an envelope that ``key`` signed.

    Raises:
        InvalidEnvelope: it is too long, not a DSSE envelope, or not signed by the key.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    if len(content) > MAX_BYTES:
        raise InvalidEnvelope(f"The envelope is longer than {MAX_BYTES:,} bytes.")
    try:
        read = Envelope.from_dict(strict_json.loads(content))
        read.verify([key], 1)
    except VerificationError as error:
        raise InvalidEnvelope("The envelope is signed by another key, or was changed after it was signed.") from error
    except Exception as error:  # whatever untrusted bytes make the library raise
        raise InvalidEnvelope(f"This is not a DSSE envelope: {type(error).__name__}.") from error
    try:
        return _read(read.payload_type, strict_json.loads(read.payload))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InvalidEnvelope("The envelope is signed, but contains no verdict of seatrial.") from error


def _read(kind: str, payload: Mapping[str, Any]) -> Statement:
    (subject,), predicate = payload["subject"], payload["predicate"]
    about, ours = subject["annotations"], predicate["seatrial"]
    under = {c["name"]: "sha256:" + next(iter(c["digest"].values())) for c in predicate["configuration"]}
    outcome = Outcome(ours["outcome"])
    kinds = (kind, payload["_type"], payload["predicateType"], predicate["result"] == "PASSED")
    if kinds != (PAYLOAD, STATEMENT, TEST_RESULT, outcome is Outcome.PASS):
        raise ValueError("not a test result, or one that contradicts itself")
    return Statement(
        model=about["model"],
        version=about["version"],
        created=int(about["created"]),
        digest="sha256:" + subject["digest"]["dirHash"],
        policy_digest=under["policy"],
        reference_digest=under["reference"],
        outcome=outcome,
        evaluated=int(ours["evaluated"]),
    )


def signing_key(state: Path) -> CryptoSigner:
    """Return the key that signs verdicts: ``SEATRIAL_SIGNING_KEY``, else the project's, generated on first use.

    Raises:
        UsageError: the file is not an Ed25519 key in PEM, cannot be read, or other users can read it.
    """
    from securesystemslib.signer import CryptoSigner

    path = _private_path(state)
    if not path.exists():
        if SIGNING_KEY in os.environ:
            raise UsageError(
                f"There is no signing key at {path}, which {SIGNING_KEY} names. "
                f"Make one: openssl genpkey -algorithm ed25519 -out {path}"
            )
        write_once(path, CryptoSigner.generate_ed25519().private_bytes)
    if path.stat().st_mode & OTHERS:
        raise UsageError(f"Other users can read the signing key {path}. Make it private: chmod 600 {path}")
    key = _load(path, private=True)
    _publish(path.with_suffix(".pub"), key.public_key())
    return CryptoSigner(key)


def public_key(state: Path) -> SSlibKey:
    """Return the key that verifies verdicts: ``SEATRIAL_PUBLIC_KEY``, else the one beside the signing key.

    Raises:
        UsageError: there is none, or it is not an Ed25519 key in PEM.
    """
    from securesystemslib.signer import SSlibKey

    named = os.environ.get(PUBLIC_KEY)
    path = Path(named) if named else _private_path(state).with_suffix(".pub")
    if not path.is_file():
        raise UsageError(
            f"There is no public key at {path}. It is written beside the signing key with the first verdict. "
            f"If verdicts are signed elsewhere, set {PUBLIC_KEY} to its path."
        )
    return SSlibKey.from_crypto(_load(path, private=False))


def _private_path(state: Path) -> Path:
    return Path(os.environ.get(SIGNING_KEY) or state / "keys" / "verdict.key")


def _publish(path: Path, key: Any) -> None:
    """Write the public key beside the signing key, unless the folder is read-only."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if not path.exists():
        with contextlib.suppress(UsageError):
            atomic_write(path, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _load(path: Path, *, private: bool) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    what = "signing" if private else "public"
    try:
        pem = path.read_bytes()
        key = load_pem_private_key(pem, None) if private else load_pem_public_key(pem)
    except OSError as error:
        raise UsageError(f"The {what} key {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} is not a {what} key in PEM without a password.") from error
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise UsageError(f"{path} is not an Ed25519 key. Make one: openssl genpkey -algorithm ed25519 -out {path}")
    return key


def _test(event: Any) -> str:
    return f"{event.stage} · {event.check}" if event.stage else str(event.check)


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
