"""What a request to a service that runs elsewhere carries: its headers, and how TLS is checked."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from seatrial.errors import UsageError

HIDDEN = "***"
LEAST = 4  # characters of a secret that is searched for: a shorter one would be found in any number


@dataclass(frozen=True)
class Access:
    """How a service is reached: with which headers, and over which TLS. Every placeholder is filled.

    It holds secrets: it shows none of them, and nothing but a request may hold its headers.

    Attributes:
        headers: sent with every request, by name; a request's own headers come after them.
        verify: how the server's certificate is checked: against the authorities that this machine trusts, against
            those in a file or folder, or (False) not at all.
        cert: what the client shows of itself: the path of its certificate, with its key in the same file or in a second
            one, and the password of the key as a third.
        secrets: the values that came from the environment or from files; they must get nowhere but to the service.

    Example:
        >>> access = Access({"authorization": "Bearer s3cret-7f"}, secrets=("s3cret-7f",))
        >>> access, access.redacted("401 for s3cret-7f")
        (Access(headers=['authorization'], verify=True, cert=0), '401 for ***')
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    cert: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Access(headers={sorted(self.headers)}, verify={self.verify!r}, cert={len(self.cert)})"

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new TLS context for a client.

        Raises:
            UsageError: a file of it cannot be read as what it should be.
        """
        context = ssl.create_default_context()
        if self.verify is True and (bundle := _bundle()):  # a slim image has no authorities of its own
            context.load_verify_locations(bundle)
        try:
            what, path = "verify", str(self.verify)
            if self.verify is False:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            elif self.verify is not True:
                # Stated by name, an authority is trusted as it is: most of those made at home lack an extension.
                context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
                folder = os.path.isdir(path)
                context.load_verify_locations(capath=path if folder else None, cafile=None if folder else path)
            if self.cert:
                what, path = "cert", self.cert[0]
                key, password = (*self.cert[1:], None, None)[:2]
                context.load_cert_chain(path, key or None, lambda: password or "")
        except (OSError, ssl.SSLError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no certificate or key"
            raise UsageError(
                f"Service({what}={path!r}) cannot be used: {why}. "
                + ("Give the path of a file in PEM." if what == "cert" else "Give the path of the authority in PEM.")
            ) from error
        return context

    def redacted(self, text: str) -> str:
        """Return the text without the secrets, in whatever form of a wire or a file they are in."""
        for form in self.forms():
            text = text.replace(form, HIDDEN)
        return text

    def forms(self) -> list[str]:
        """Return the secrets as they could be written, the longest first: plain, escaped for JSON, quoted, base64.

        A value that any result may hold by itself, such as ``true``, is none.
        """
        own = [s for s in self.secrets if len(s) >= LEAST and s not in ("true", "false", "null")]
        found = {form for secret in own for form in _forms(secret)}
        return sorted(found, key=lambda form: (-len(form), form))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote_plus(secret)
    encoded = secret.encode("utf-8", "surrogatepass")
    yield base64.b64encode(encoded).decode().rstrip("=")
    yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def _bundle() -> str:
    with contextlib.suppress(ImportError):
        import certifi

        return "" if os.environ.get("SSL_CERT_FILE") else certifi.where()
    return ""
