"""Whether anything listens at an address, found out within a second."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

SECONDS = 1.0
PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def unreachable(address: str) -> str:
    """Return why nothing can answer at an address; empty where something listens, or it is not known.

    A host that is slow to answer, or that is reached through a proxy, is not called unreachable.

    Args:
        address: such as ``http://127.0.0.1:5000``.

    Example:
        >>> unreachable("http://127.0.0.1:1/")
        'Connection refused'
    """
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    except ValueError:
        return "the port is not a number"
    if not parts.hostname:
        return "it names no host"
    if port is None or getproxies().get(parts.scheme):
        return ""
    try:
        socket.create_connection((parts.hostname, port), timeout=SECONDS).close()
    except TimeoutError:
        return ""
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
