"""How a connection ended before its answer did."""

from __future__ import annotations

import re

import httpx

from seatrial.errors import AnswerError


class ClosedError(AnswerError):
    """The service closed the connection before its answer began."""


def is_closed(error: Exception) -> bool:
    """Whether the other side closed the connection, and did not send something that is no HTTP."""
    gone = isinstance(error, httpx.ReadError | httpx.WriteError)
    return gone or (isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error))


def reason(error: Exception) -> str:
    """Return an error's text without a full stop, or its name where it has none."""
    return str(error).rstrip(".")[:200] or type(error).__name__


def refused_tls(error: Exception) -> str:
    """Return why TLS was not agreed on, and what to type, or the empty string where that is not the error."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "it is not trusted here"
        return (
            f"the certificate of the service cannot be verified: {why}. If it is its own, or of an authority of your "
            'own, name that in Service(verify="ca.pem")'
        )
    if re.search(r"CERTIFICATE_REQUIRED|certificate required|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE", text):
        return (
            "the service ended the TLS handshake, as it does where it asks for a client certificate that it knows. "
            'Name one in Service(cert=("client.pem", "client.key"))'
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return "it does not speak TLS on this port. Write http:// in its url, or the port of https"
    return ""
