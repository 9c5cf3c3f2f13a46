"""Signed verdicts: keys of the environment, and a digest that public tools compute."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import ReferenceInvalid, UsageError
from seatrial.events import Evaluated, Outcome, Subject, Verdict
from seatrial.io.bundle import directory_digest
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


def test_keys_named_in_the_environment_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from openssl signs; without it, or as another kind, it is an error that says how to make one."""
    mine = tmp_path / "mine.pem"
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", str(mine))
    with pytest.raises(UsageError, match="no signing key at"):
        attestation.signing_key(tmp_path)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", mine], check=True, capture_output=True)
    mine.chmod(0o600)
    signed = attestation.envelope(verdict(Outcome.PASS), tmp_path)
    assert not (tmp_path / "keys").exists()
    monkeypatch.delenv("SEATRIAL_SIGNING_KEY")
    with pytest.raises(UsageError, match="no public key"):
        attestation.public_key(tmp_path)
    monkeypatch.setenv("SEATRIAL_PUBLIC_KEY", str(mine.with_suffix(".pub")))
    assert attestation.verify(signed, attestation.public_key(tmp_path)).outcome is Outcome.PASS
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", mine], check=True, capture_output=True)
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", str(mine))
    with pytest.raises(UsageError, match="not an Ed25519 key"):
        attestation.signing_key(tmp_path)


def test_the_content_digest_is_what_public_tools_compute(tmp_path: Path) -> None:
    """in-toto's dirHash: sha256sum of the sorted listing, also where a folder and a file share their first letters."""
    for name in ("a/b", "a-b", "a.txt", "Z", "ä"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    command = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum | cut -f1 -d' '"
    listed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert directory_digest(tmp_path) == "sha256:" + listed.stdout.strip()
    (tmp_path / "a\nb").write_text("one file that reads like two in the listing")
    with pytest.raises(ReferenceInvalid, match="line break"):
        directory_digest(tmp_path)
