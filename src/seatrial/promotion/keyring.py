"""The keys of verdicts: one that signs, and a ring of public keys that are trusted.

A key is known by its id, which securesystemslib computes from the public key. To rotate, replace the signing key: its
public half is written beside those of its predecessors, whose statements count for as long as theirs stay in the ring.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import UsageError
from seatrial.io.files import atomic_write, write_once

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

SIGNING_KEY, PUBLIC_KEY = "SEATRIAL_SIGNING_KEY", "SEATRIAL_PUBLIC_KEY"
OTHERS = 0o007
SHORT_ID = 8  # characters of a key's id, in names of files and in messages


def signing_key(state: Path) -> CryptoSigner:
    """Return the key that signs verdicts: ``SEATRIAL_SIGNING_KEY``, else the project's, generated on first use.

    Its public key is written beside it, into a file that is named after the key's id.

    Args:
        state: the project's state directory, which contains its keys.

    Raises:
        UsageError: the file is not an Ed25519 key in PEM, cannot be read, or other users can read it.
    """
    from securesystemslib.signer import CryptoSigner

    path = private_key(state)
    if not path.exists():
        write_once(path, CryptoSigner.generate_ed25519().private_bytes)
    key = _load(path, private=True)
    signer = CryptoSigner(key)
    _publish(path.with_name(f"{path.stem}-{signer.public_key.keyid[:SHORT_ID]}.pub"), key.public_key())
    return signer


def private_key(state: Path) -> Path:
    """Return the file of the key that signs, which exists unless it is the project's own and not made yet.

    Raises:
        UsageError: there is none where ``SEATRIAL_SIGNING_KEY`` says, or other users can read it.
    """
    path = _private_path(state)
    if not path.exists():
        if os.environ.get(SIGNING_KEY):
            raise UsageError(
                f"There is no signing key at {path}, which {SIGNING_KEY} names. "
                f"Make one: openssl genpkey -algorithm ed25519 -out {path}"
            )
        return path
    if path.stat().st_mode & OTHERS:
        raise UsageError(f"Other users can read the signing key {path}. Make it private: chmod 600 {path}")
    return path


def trusted_keys(state: Path) -> list[Key]:
    """Return the ring: the keys at ``SEATRIAL_PUBLIC_KEY``, else every public key beside the project's signing keys.

    The variable names a file, a directory of ``.pub`` files, or several of these, separated by ``:``.

    Raises:
        UsageError: there is none, or a file is not an Ed25519 public key in PEM.
    """
    from securesystemslib.signer import SSlibKey

    paths = public_keys(state)
    keys = {key.keyid: key for key in (SSlibKey.from_crypto(_load(path, private=False)) for path in paths)}
    return list(keys.values())


def public_keys(state: Path) -> list[Path]:
    """Return the files of the ring; UsageError where there is none."""
    named = os.environ.get(PUBLIC_KEY)
    paths = list(_named(named) if named else _beside(state))
    if not paths:
        where = named or _private_path(state).parent
        raise UsageError(
            f"There is no public key at {where}. It is written beside the signing key with the first verdict: "
            f"seatrial validate MODEL_URI. If verdicts are signed elsewhere, set {PUBLIC_KEY} to its path, or to a "
            "directory with several."
        )
    return paths


def _named(value: str) -> Iterator[Path]:
    for part in filter(None, value.split(os.pathsep)):
        path = Path(part)
        if path.is_dir():
            yield from sorted(path.glob("*.pub"))
        elif path.is_file():
            yield path
        else:
            raise UsageError(
                f"There is no public key at {path}, which {PUBLIC_KEY} names. Give a file, a directory of .pub files, "
                f"or several of these separated by '{os.pathsep}'."
            )


def _beside(state: Path) -> list[Path]:
    private = _private_path(state)
    own = (state / "keys").glob("*.pub")
    return sorted({*own, *private.parent.glob(f"{private.stem}*.pub")})


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
