"""Signed verdicts: what a signature covers, and what is refused. Untrusted JSON: what is not read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import UsageError
from seatrial.events import Evaluated, Finding, NotEvaluated, Outcome, Severity, Subject, Verdict
from seatrial.io import strict_json
from seatrial.promotion import attestation


def verdict(outcome: Outcome, **parts: Any) -> Verdict:
    """A verdict of version 3 of a model."""
    empty: dict[str, Any] = {"findings": (), "evaluated": (Evaluated("golden", "raw", 9),), "not_evaluated": ()}
    return Verdict(
        outcome=outcome,
        subject=Subject("shop", "3", "sqlite:///x", 17, "sha256:" + "ab" * 32),
        path=("raw",),
        measurements=(),
        policy_digest="sha256:" + "cd" * 32,
        reference_digest="sha256:" + "ef" * 32,
        **{**empty, **parts},
    )


def payload(envelope: bytes) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(json.loads(envelope)["payload"])))


def test_what_was_signed_reads_back_and_is_an_in_toto_test_result(tmp_path: Path) -> None:
    """Subject, policy, reference, outcome; the statement names the public types and digests."""
    signed = attestation.envelope(verdict(Outcome.PASS), tmp_path)
    read = attestation.verify(signed, attestation.public_key(tmp_path))
    assert (read.model, read.version, read.created, read.outcome) == ("shop", "3", 17, Outcome.PASS)
    assert (read.digest, read.policy_digest) == ("sha256:" + "ab" * 32, "sha256:" + "cd" * 32)
    read_back = payload(signed)
    assert read_back["_type"] == "https://in-toto.io/Statement/v1"
    assert read_back["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert read_back["subject"][0]["digest"] == {"dirHash": "ab" * 32}
    assert read_back["predicate"]["passedTests"] == ["raw · golden"]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.PASS])
def test_only_a_pass_is_passed(outcome: Outcome) -> None:
    """Inconclusive is never PASSED, and what was not evaluated is named among what did not pass."""
    stated = attestation.statement(
        verdict(
            outcome,
            findings=(Finding("golden", "raw", "x"), Finding("quality", None, "y", severity=Severity.WARNING)),
            not_evaluated=(NotEvaluated("load", "service", "too few"),),
        )
    )["predicate"]
    assert stated["result"] == "FAILED"
    assert stated["failedTests"] == ["raw · golden", "service · load"]
    assert stated["warnedTests"] == ["quality"]
    assert stated["passedTests"] == []


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """0600 in a folder of 0700; the second verdict is signed with the same key; others' reading is refused."""
    attestation.envelope(verdict(Outcome.PASS), tmp_path)
    key = tmp_path / "keys" / "verdict.key"
    first = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    attestation.envelope(verdict(Outcome.FAIL), tmp_path)
    assert key.read_bytes() == first
    key.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        attestation.envelope(verdict(Outcome.PASS), tmp_path)


def forged(envelope: dict[str, Any], how: str, other: bytes) -> bytes:
    """Return the envelope as somebody without the key would have it."""
    inner = json.loads(base64.b64decode(envelope["payload"]))
    if how == "payload altered":
        inner["subject"][0]["digest"]["dirHash"] = "00" * 32
        envelope["payload"] = base64.b64encode(json.dumps(inner).encode()).decode()
    elif how == "signature of another key under this key's name":
        envelope["signatures"][0]["sig"] = json.loads(other)["signatures"][0]["sig"]
    elif how == "no signature":
        envelope["signatures"] = []
    elif how == "another type of payload":
        envelope["payloadType"] = "text/plain"
    elif how == "signatures that are no list":
        envelope["signatures"] = "all of them"
    elif how == "too long":
        return b" " * 2**21
    elif how == "not JSON":
        return b"PASSED"
    return json.dumps(envelope).encode()


@pytest.mark.parametrize(
    "how",
    [
        "payload altered", "signature of another key under this key's name", "no signature", "another type of payload",
        "signatures that are no list", "too long", "not JSON",
    ],
)  # fmt: skip
def test_what_the_key_did_not_sign_is_refused(tmp_path: Path, how: str) -> None:
    """Each forgery is InvalidEnvelope, never a statement and never a traceback."""
    signed = attestation.envelope(verdict(Outcome.FAIL), tmp_path / "ours")
    other = attestation.envelope(verdict(Outcome.FAIL), tmp_path / "theirs")
    key = attestation.public_key(tmp_path / "ours")
    attestation.verify(signed, key)
    for content in (forged(json.loads(signed), how, other), other):
        with pytest.raises(attestation.InvalidEnvelope):
            attestation.verify(content, key)


def test_a_signed_statement_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """PASSED beside an outcome that is none."""
    from securesystemslib.dsse import Envelope

    stated = attestation.statement(verdict(Outcome.FAIL))
    stated["predicate"]["result"] = "PASSED"
    envelope = Envelope(json.dumps(stated).encode(), attestation.PAYLOAD, {})
    envelope.sign(attestation.signing_key(tmp_path))
    with pytest.raises(attestation.InvalidEnvelope, match="contains no verdict"):
        attestation.verify(json.dumps(envelope.to_dict()).encode(), attestation.public_key(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000, b'{"a":' * 50 + b"1" + b"}" * 50, b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b"NaN",
        b"[Infinity]", b"1e999", b"[-1e999]", rb'"\ud800"', rb'{"\udfff": 1}', rb'"a\u0000b"', b"\xff", b"", b"{",
        b'"' + b"\\" * 9, b"9" * 5_000,
    ],
)  # fmt: skip
def test_json_that_is_not_plain_is_refused(text: bytes) -> None:
    """Deep, ambiguous, beyond numbers, beyond text, or no JSON at all: ValueError, whatever it is."""
    with pytest.raises(ValueError):  # noqa: PT011  the kind is the fact; the words differ
        strict_json.loads(text)


def test_plain_json_is_read() -> None:
    """Brackets within texts are no nesting; pairs of surrogates are characters."""
    assert strict_json.loads(b'{"a": "[[[[", "b": [1, 2.5, null, "\\ud83d\\ude00 \\" {"]}', depth=2) == {
        "a": "[[[[",
        "b": [1, 2.5, None, '\U0001f600 " {'],
    }
