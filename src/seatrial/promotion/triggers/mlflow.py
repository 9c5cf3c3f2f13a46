"""Authenticate and read a webhook delivery of MLflow. Pure functions: no socket, no clock.

The signature is MLflow's: ``v1,base64(HMAC-SHA256(secret, "{delivery id}.{timestamp}.{raw body}"))``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import partial
from typing import Any

from seatrial.promotion.triggers.delivery import (
    NOT_AUTHENTIC,
    Delivery,
    Head,
    Read,
    Refused,
    Sender,
    payload_of,
    timely,
)

PATH = "/mlflow"
ID, TIMESTAMP, SIGNATURE = "x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature"
NAME_LENGTH = 256  # of a registered model, as MLflow's database has it
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)  # a registry may number by milliseconds


def sender(secret: bytes) -> Sender:
    """Return how MLflow's deliveries are read that are signed with a secret."""
    return partial(_receive, secret)


def _receive(secret: bytes, head: Head, now: float) -> Read:
    """Return how the body is read; 401 for a missing, duplicated or malformed header, or an old timestamp."""
    identity, stamp, signature = head.one(ID), head.one(TIMESTAMP), head.one(SIGNATURE)
    if not (_ID.fullmatch(identity) and timely(stamp, now) and signature):
        raise Refused(401, NOT_AUTHENTIC)
    return partial(_read, secret, identity, stamp, signature)


def sign(secret: bytes, identity: str, stamp: str, body: bytes) -> str:
    """Return the signature that MLflow sends with a body."""
    signed = hmac.new(secret, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def _read(secret: bytes, identity: str, stamp: str, signature: str, body: bytes) -> Delivery | None:
    if not hmac.compare_digest(sign(secret, identity, stamp, body).encode(), signature.encode()):
        raise Refused(401, NOT_AUTHENTIC)
    payload = payload_of(body)
    if not all(isinstance(payload.get(k), str) for k in ("entity", "action")):
        raise Refused(400, "The body is not an event.")
    if (payload["entity"], payload["action"]) != ("model_version", "created"):
        return None
    name, number = _version(payload.get("data"))
    return Delivery(identity, hashlib.sha256(body).hexdigest(), name, number)


def _version(data: Any) -> tuple[str, str]:
    name, number = (data.get("name"), data.get("version")) if isinstance(data, dict) else (None, None)
    number = str(number) if isinstance(number, int) and not isinstance(number, bool) else number
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH:
        raise Refused(400, "The event has no valid model name.")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise Refused(400, "The event has no valid version number.")
    return name, number
