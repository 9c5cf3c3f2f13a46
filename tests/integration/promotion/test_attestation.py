"""Signed verdicts: keys of the environment, and digests that public tools compute."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seatrial.errors import ReferenceInvalid, UsageError
from seatrial.io.bundle import directory_digest
from seatrial.project import Project
from seatrial.promotion.code import read_code
from seatrial.promotion.envelope import open_envelope, seal
from seatrial.promotion.keyring import signing_key, trusted_keys

SIGNING, PUBLIC = "SEATRIAL_SIGNING_KEY", "SEATRIAL_PUBLIC_KEY"


def test_keys_named_in_the_environment_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from openssl signs; without it, or as another kind, it is an error that says how to make one."""
    mine = tmp_path / "mine.pem"
    monkeypatch.delenv(PUBLIC, raising=False)
    monkeypatch.setenv(SIGNING, str(mine))
    with pytest.raises(UsageError, match="no signing key at"):
        signing_key(tmp_path)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", mine], check=True, capture_output=True)
    mine.chmod(0o600)
    signed = seal({"x": 1}, "kind", signing_key(tmp_path))
    assert not (tmp_path / "keys").exists()
    assert open_envelope(signed, trusted_keys(tmp_path)).trusted
    monkeypatch.delenv(SIGNING)
    with pytest.raises(UsageError, match="no public key"):
        trusted_keys(tmp_path)
    public = tmp_path / "public.pem"
    subprocess.run(["openssl", "pkey", "-in", mine, "-pubout", "-out", public], check=True, capture_output=True)
    monkeypatch.setenv(PUBLIC, str(public))
    assert open_envelope(signed, trusted_keys(tmp_path)).trusted
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", mine], check=True, capture_output=True)
    monkeypatch.setenv(SIGNING, str(mine))
    with pytest.raises(UsageError, match="not an Ed25519 key"):
        signing_key(tmp_path)


def test_the_digest_of_code_is_what_public_tools_compute(tmp_path: Path) -> None:
    """From the listing that the statement carries, with sha256sum."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "a/pipeline.py:pipeline"\n')
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pipeline.py").write_text("x = 1\n")
    code = read_code(Project.find(tmp_path))
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(code.files.items()))
    summed = subprocess.run(["sha256sum"], input=listing, capture_output=True, text=True, check=True).stdout
    assert code.digest == "sha256:" + summed.split()[0]
    one = subprocess.run(["sha256sum", "a/pipeline.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert code.files["a/pipeline.py"] == one.stdout.split()[0]


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
