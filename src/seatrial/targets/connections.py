"""How a connection ended before its answer did, and where a redirect may lead."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl

import httpx

from seatrial.errors import AnswerError

ALERT_SECONDS = 1.0  # from the end of a TLS handshake to what the service has against it


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


async def refused_after_handshake(url: httpx.URL, context: ssl.SSLContext) -> str:
    """Return why a service ends TLS connections once their handshake is over, or the empty string.

    With TLS 1.3 a client knows only then that it is refused, and a request that is on its way hides the reason. So
    nothing is sent on this connection.
    """
    writer = None
    try:
        async with asyncio.timeout(ALERT_SECONDS):
            name = url.host.strip("[]")
            reader, writer = await asyncio.open_connection(name, url.port or 443, ssl=context, server_hostname=name)
            await reader.read(1)
    except (OSError, TimeoutError) as error:  # an error of TLS is one of the system
        return refused_tls(error)
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    return ""


def onward(url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Return where a redirect that keeps method and body leads on this host; others are answers like any.

    Raises:
        AnswerError: it leads to another host.
    """
    if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
        return None
    to = url.join(response.headers["location"])
    if (to.scheme, to.host, to.port) != (url.scheme, url.host, url.port):
        raise AnswerError(
            f"{url.scheme}://{url.netloc.decode()} redirects to another host, "
            f"'{to.host or to.scheme}'; it was not followed."
        )
    return to if response.status_code in (307, 308) else None
