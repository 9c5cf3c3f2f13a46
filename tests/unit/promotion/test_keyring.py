"""The signing key, and the ring of public keys that are trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.promotion.keyring import PUBLIC_KEY, SIGNING_KEY, signing_key, trusted_keys


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIGNING_KEY, raising=False)
    monkeypatch.delenv(PUBLIC_KEY, raising=False)


def ids(state: Path) -> set[str]:
    return {key.keyid for key in trusted_keys(state)}


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """0600 in a folder of 0700; the second verdict is signed with the same key; others' reading is refused."""
    first = signing_key(tmp_path).public_key.keyid
    key = tmp_path / "keys" / "verdict.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert signing_key(tmp_path).public_key.keyid == first
    key.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        signing_key(tmp_path)


def test_a_key_that_replaces_another_joins_it_in_the_ring(tmp_path: Path) -> None:
    """Rotation is one step: the public keys of all of them stay, each under its own name."""
    with pytest.raises(UsageError, match="no public key"):
        trusted_keys(tmp_path)
    old = signing_key(tmp_path).public_key.keyid
    (tmp_path / "keys" / "verdict.key").unlink()
    new = signing_key(tmp_path).public_key.keyid
    assert ids(tmp_path) == {old, new}
    assert {p.name for p in (tmp_path / "keys").glob("*.pub")} == {f"verdict-{each[:8]}.pub" for each in (old, new)}


def test_the_ring_is_what_the_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, directories, or several; the project's own keys are not in it then."""
    one, two, own = (signing_key(tmp_path / name).public_key.keyid for name in ("one", "two", "own"))
    (first,) = (tmp_path / "one" / "keys").glob("*.pub")
    for value, expected in (
        (str(first), {one}),
        (str(tmp_path / "two" / "keys"), {two}),
        (os.pathsep.join([str(first), str(tmp_path / "two" / "keys"), str(first)]), {one, two}),
    ):
        monkeypatch.setenv(PUBLIC_KEY, value)
        assert ids(tmp_path / "own") == expected
    assert own not in expected
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.pub").write_text("ssh-ed25519 AAAA")
    for value, words in (("empty", "no public key"), ("nowhere", "which SEATRIAL_PUBLIC_KEY"), ("bad.pub", "in PEM")):
        monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / value))
        with pytest.raises(UsageError, match=words):
            trusted_keys(tmp_path / "own")
