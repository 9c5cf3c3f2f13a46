"""Authenticate and read a webhook delivery of MLflow. Pure functions: no socket, no clock.

The signature is MLflow's: ``v1,base64(HMAC-SHA256(secret, "{delivery id}.{timestamp}.{raw body}"))``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.io import strict_json

ID, TIMESTAMP, SIGNATURE = "x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature"
AGE_SECONDS = 300  # in both directions, because clocks differ
HEAD_BYTES, BODY_BYTES = 16_384, 65_536
NAME_LENGTH = 256  # of a registered model, as MLflow's database has it
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)  # a registry may number by milliseconds
NOT_AUTHENTIC = "The signature is missing or wrong, or the timestamp is too old."


class Refused(Exception):
    """A delivery that is not accepted: the HTTP status, and a reason that reveals nothing to an attacker."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Delivery:
    """An authenticated delivery, and the version that it names."""

    id: str
    body_sha: str
    name: str
    number: str


def envelope_of(headers: Iterable[tuple[bytes, bytes]], now: float) -> tuple[str, str, str]:
    """Return id, timestamp and signature of the headers, before the body is read.

    Raises:
        Refused: 431 or 413 for a head or body that is too long, 415 for a body that is not plain JSON, 401 for a
            missing, duplicated or malformed header, or a timestamp more than ``AGE_SECONDS`` from now.
    """
    headers = list(headers)
    if sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES:
        raise Refused(431, f"The head of a request is limited to {HEAD_BYTES:,} bytes.")
    given: dict[str, list[str]] = {}
    for name, value in headers:
        given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def one(name: str) -> str:
        values = given.get(name, [])
        return values[0].strip() if len(values) == 1 else ""

    if one("content-encoding") not in ("", "identity") or len(given.get("content-encoding", [])) > 1:
        raise Refused(415, "A compressed body is not accepted.")
    if one("content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "The content type must be application/json.")
    if length := one("content-length"):
        if not _SECONDS.fullmatch(length):
            raise Refused(400, "The content length is not a number.")
        if int(length) > BODY_BYTES:
            raise Refused(413, f"The body of a request is limited to {BODY_BYTES:,} bytes.")
    identity, stamp, signature = one(ID), one(TIMESTAMP), one(SIGNATURE)
    known = _ID.fullmatch(identity) and _SECONDS.fullmatch(stamp) and signature
    if not known or abs(now - int(stamp)) > AGE_SECONDS:
        raise Refused(401, NOT_AUTHENTIC)
    return identity, stamp, signature


def sign(secret: bytes, identity: str, stamp: str, body: bytes) -> str:
    """Return the signature that MLflow sends with a body."""
    signed = hmac.new(secret, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def read(secret: bytes, envelope: tuple[str, str, str], body: bytes) -> Delivery | None:
    """Return the delivery; None for an event that is not a new version.

    Raises:
        Refused: 401 for a signature that was not made with the secret, 400 for a body that cannot be read.
    """
    identity, stamp, signature = envelope
    if not hmac.compare_digest(sign(secret, identity, stamp, body).encode(), signature.encode()):
        raise Refused(401, NOT_AUTHENTIC)
    try:
        payload = strict_json.loads(body)
    except ValueError as error:
        raise Refused(400, f"The body is not plain JSON: {error}") from error
    if not isinstance(payload, Mapping) or not all(isinstance(payload.get(k), str) for k in ("entity", "action")):
        raise Refused(400, "The body is not an event.")
    if (payload["entity"], payload["action"]) != ("model_version", "created"):
        return None
    name, number = _version(payload.get("data"))
    return Delivery(identity, hashlib.sha256(body).hexdigest(), name, number)


def _version(data: Any) -> tuple[str, str]:
    name, number = (data.get("name"), data.get("version")) if isinstance(data, Mapping) else (None, None)
    number = str(number) if isinstance(number, int) and not isinstance(number, bool) else number
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH:
        raise Refused(400, "The event has no valid model name.")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise Refused(400, "The event has no valid version number.")
    return name, number
