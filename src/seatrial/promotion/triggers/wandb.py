"""Authenticate and read what a Registry automation of Weights & Biases posts. Pure functions: no socket, no clock.

W&B sends the webhook's access token as ``Authorization: Bearer``, and ``X-Wandb-Signature``, the HMAC-SHA256 of the
body under the webhook's secret. It sends neither a time nor an id of the delivery, so a delivery is known by its body:
the same event again within the days that the ledger remembers is a replay, and starts nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from seatrial.promotion.triggers.delivery import NOT_AUTHENTIC, Delivery, Head, Read, Refused, Sender, payload_of

PATH = "/wandb"
TOKEN, SIGNATURE = "authorization", "x-wandb-signature"
UNKNOWN = "?"  # the version's number, where the event names an alias
NESTED = "client_payload"  # of a payload in the form of GitHub's repository dispatch
NOT_REGISTERED = re.compile(r"(UNLINK|REMOVE|DELETE)_|RUN_", re.ASCII)  # begin the types of events that add no version
_NAME = re.compile(r"[^/:\\#?%\x00-\x1f]{1,128}")
_VERSION = re.compile(r"(?:[^/:]+/){1,2}(?P<name>[^/:]+):(?P<reference>[^/:]+)")
_NUMBER = re.compile(r"v(0|[1-9][0-9]{0,9})", re.ASCII)


def sender(secret: bytes = b"", token: bytes = b"") -> Sender:
    """Return how the deliveries of W&B are read: each of the two that is given must be right.

    Raises:
        ValueError: neither is given.
    """
    if not secret and not token:
        raise ValueError("A webhook needs a secret or a token.")
    return partial(_receive, secret, token)


def sign(secret: bytes, body: bytes) -> str:
    """Return the signature of a body.

    Example:
        >>> sign(b"secret", b"{}")[:16]
        '77325902caca812d'
    """
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def _receive(secret: bytes, token: bytes, head: Head, _: float) -> Read:
    """Return how the body is read; 401 for a wrong token, before a byte of the body is."""
    scheme, _space, given = head.one(TOKEN).partition(" ")
    right = scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token)
    if (token and not right) or (secret and not head.one(SIGNATURE)):
        raise Refused(401, NOT_AUTHENTIC)
    return partial(_read, secret, head.one(SIGNATURE))


def _read(secret: bytes, signature: str, body: bytes) -> Delivery | None:
    if secret and not hmac.compare_digest(bytes.fromhex(sign(secret, body)), _digest(signature)):
        raise Refused(401, NOT_AUTHENTIC)
    payload = payload_of(body)
    nested = payload.get(NESTED)
    fields = {**payload, **nested} if isinstance(nested, Mapping) else payload
    kind, named = fields.get("event_type"), _named(fields)
    if named is None or (isinstance(kind, str) and NOT_REGISTERED.match(kind)):
        return None  # the test that W&B sends when a webhook is made, or an event of a run
    sha = hashlib.sha256(body).hexdigest()
    return Delivery(f"wandb-{sha}", sha, *named)


def _digest(signature: str) -> bytes:
    """Return the bytes of a signature; W&B's documentation shows base64, and its server is seen to send hex."""
    text = signature.removeprefix("sha256=")
    try:
        return bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _named(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the collection and the version's number that an event names; None where it names none.

    The payload is written by whoever makes the automation: the documented names are read, and from whichever text has
    the form of a version, its number.
    """
    versions = [match for text in _texts(fields) if (match := _VERSION.fullmatch(text))]
    given = fields.get("artifact_collection_name")
    name = given if isinstance(given, str) and not given.startswith("${") else None
    if name is None:
        if not versions:
            return None
        name = versions[0]["name"]
    if not _NAME.fullmatch(name):
        raise Refused(400, "The event has no valid name of a collection.")
    numbers = [n[1] for v in versions if v["name"] == name and (n := _NUMBER.fullmatch(v["reference"]))]
    return name, numbers[0] if numbers else UNKNOWN


def _texts(fields: Mapping[str, Any]) -> Iterator[str]:
    return (value for value in fields.values() if isinstance(value, str))
