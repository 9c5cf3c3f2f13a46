"""DSSE envelopes: JSON that is signed, and the statement of whether a trusted key signed it.

https://github.com/secure-systems-lab/dsse. A key's id in an envelope is a hint and is not signed: it is shown to
people, and nothing is decided by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.errors import SeatrialError
from seatrial.io import strict_json

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

MAX_BYTES = 2**20


class InvalidEnvelope(SeatrialError):
    """What is no envelope, or contains nothing of seatrial: damaged, or of another kind."""


@dataclass(frozen=True)
class Opened:
    """The content of an envelope. ``digest`` is of the payload, whoever signed it; ``keyid`` is what it claims."""

    kind: str
    body: Any
    digest: str
    keyid: str
    trusted: bool


def seal(body: Any, kind: str, signer: CryptoSigner) -> bytes:
    """Return the envelope of a body that JSON can carry, signed."""
    from securesystemslib.dsse import Envelope

    signed = Envelope(canonical(body), kind, {})
    signed.sign(signer)
    return canonical(signed.to_dict())


def open_envelope(content: bytes, ring: Sequence[Key]) -> Opened:
    """Return what is in an envelope, and whether a key of the ring signed it.

    Raises:
        InvalidEnvelope: it is too long, or not an envelope of JSON.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    if len(content) > MAX_BYTES:
        raise InvalidEnvelope(f"The envelope is longer than {MAX_BYTES:,} bytes.")
    try:
        read = Envelope.from_dict(strict_json.loads(content))
        body = strict_json.loads(read.payload)
        keyid = str(next(iter(read.signatures), ""))
        try:
            trusted = bool(ring) and bool(read.verify(list(ring), 1))
        except VerificationError:
            trusted = False
    except Exception as error:  # whatever untrusted bytes make the library raise
        raise InvalidEnvelope(f"This is not a DSSE envelope of JSON: {type(error).__name__}.") from error
    return Opened(str(read.payload_type), body, digest_of(read.payload), keyid, trusted)


def digest_of(payload: bytes) -> str:
    """Return ``sha256:<hex>`` of bytes."""
    return "sha256:" + hashlib.sha256(payload).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the JSON that is signed: sorted, without spaces, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
