"""Signed verdicts: what a signature covers, and what is refused. Untrusted JSON: what is not read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from seatrial.events import Evaluated, Finding, NotEvaluated, Outcome, Severity, Subject, Verdict
from seatrial.io import strict_json
from seatrial.promotion import attestation
from seatrial.promotion.attestation import Link
from seatrial.promotion.code import Code
from seatrial.promotion.envelope import MAX_BYTES, InvalidEnvelope, seal
from seatrial.promotion.keyring import signing_key, trusted_keys

CODE = Code({"pipeline.py": "ab" * 32}, "server")
LINK = Link("ledger", 4, 2, "sha256:" + "01" * 32)


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


def envelope(judged: Verdict, state: Path, **parts: Any) -> bytes:
    return attestation.envelope(judged, CODE, LINK, signing_key(state), **parts)


def payload(envelope: bytes) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(json.loads(envelope)["payload"])))


def test_what_was_signed_reads_back_and_is_an_in_toto_test_result(tmp_path: Path) -> None:
    """Subject, code, policy, reference, outcome, evidence, its place; the statement names public types and digests."""
    evidence = {"report.html": "ba" * 32}
    signed = envelope(verdict(Outcome.PASS), tmp_path, evidence=evidence, evidence_digest="sha256:" + "dc" * 32)
    read = attestation.read(signed, trusted_keys(tmp_path))
    assert (read.model, read.version, read.created, read.outcome) == ("shop", "3", 17, Outcome.PASS)
    assert (read.code, read.code_digest, read.link, read.trusted) == (CODE, CODE.digest, LINK, True)
    assert (read.evidence, read.evidence_digest) == (evidence, "sha256:" + "dc" * 32)
    assert (read.model_digest, read.policy_digest) == ("sha256:" + "ab" * 32, "sha256:" + "cd" * 32)
    read_back = payload(signed)
    assert read_back["_type"] == "https://in-toto.io/Statement/v1"
    assert read_back["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert read_back["subject"][0]["digest"] == {"dirHash": "ab" * 32}
    assert read_back["subject"][1]["digest"] == {"dirHash": CODE.digest.removeprefix("sha256:")}
    assert read_back["predicate"]["passedTests"] == ["raw · golden"]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.PASS])
def test_only_a_pass_is_passed(outcome: Outcome) -> None:
    """Inconclusive is never PASSED, and what was not evaluated is named among what did not pass."""
    stated = attestation.statement(
        verdict(
            outcome,
            findings=(Finding("golden", "raw", "x"), Finding("quality", None, "y", severity=Severity.WARNING)),
            not_evaluated=(NotEvaluated("load", "service", "too few"),),
        ),
        CODE,
        LINK,
        evidence={},
    )["predicate"]
    assert stated["result"] == "FAILED"
    assert stated["failedTests"] == ["raw · golden", "service · load"]
    assert stated["warnedTests"] == ["quality"]
    assert stated["passedTests"] == []


def test_of_many_files_as_many_are_named_as_an_envelope_carries(tmp_path: Path) -> None:
    """The digest covers all; the statement stays within its limit, and says how many there are."""
    many = Code({f"{'folder/' * 30}{n}.py": "ab" * 32 for n in range(10_000)})
    signed = attestation.envelope(verdict(Outcome.PASS), many, LINK, signing_key(tmp_path))
    assert len(signed) < MAX_BYTES
    read = attestation.read(signed, trusted_keys(tmp_path))
    assert 500 < len(read.code.files) < 10_000
    assert read.code_digest == many.digest
    assert payload(signed)["subject"][1]["annotations"]["count"] == 10_000


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
    return json.dumps(envelope).encode()


@pytest.mark.parametrize(
    "how",
    [
        "payload altered", "signature of another key under this key's name", "no signature", "another type of payload",
        "signatures that are no list",
    ],
)  # fmt: skip
def test_what_the_key_did_not_sign_is_not_trusted(tmp_path: Path, how: str) -> None:
    """Each forgery is no statement, or one that is not trusted; never a traceback."""
    signed = envelope(verdict(Outcome.FAIL), tmp_path / "ours")
    other = envelope(verdict(Outcome.FAIL), tmp_path / "theirs")
    ring = trusted_keys(tmp_path / "ours")
    assert attestation.read(signed, ring).trusted
    for content in (forged(json.loads(signed), how, other), other):
        try:
            assert not attestation.read(content, ring).trusted
        except InvalidEnvelope:
            assert content is not other
    assert attestation.read(other, [*ring, *trusted_keys(tmp_path / "theirs")]).trusted
    assert not attestation.read(signed, []).trusted


@pytest.mark.parametrize("content", [b" " * 2**21, b"PASSED", b"{}", b'{"payload": 1}'])
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    """Too long, not JSON, another document."""
    with pytest.raises(InvalidEnvelope):
        attestation.read(content, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: stated["predicate"].update(result="PASSED"),
        lambda stated: stated["predicate"]["seatrial"].update(number=0),
        lambda stated: stated["predicate"]["seatrial"].update(number=10**12),
        lambda stated: stated["predicate"]["seatrial"].update(epoch="4"),
        lambda stated: stated["subject"].pop(),
        lambda stated: stated["subject"][0]["annotations"].update(created="17"),
        lambda stated: stated["predicate"].pop("configuration"),
        lambda stated: stated.update(predicateType="https://slsa.dev/provenance/v1"),
    ],
)  # fmt: skip
def test_a_signed_statement_that_is_none_of_ours_is_refused(tmp_path: Path, change: Any) -> None:
    """PASSED beside an outcome that is none, a number beyond every chain, a subject without code, another type."""
    stated = attestation.statement(verdict(Outcome.FAIL), CODE, LINK, evidence={})
    change(stated)
    with pytest.raises(InvalidEnvelope, match="contains no verdict"):
        attestation.read(seal(stated, attestation.PAYLOAD, signing_key(tmp_path)), trusted_keys(tmp_path))


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
