"""How a Dask cluster is named."""

from __future__ import annotations

from urllib.parse import urlsplit

LOCAL = "local"
CLUSTERS = f'the address of its scheduler, as in "tcp://10.0.0.5:8786" or with tls, or "{LOCAL}"'


def is_scheduler(address: str) -> bool:
    """Whether this can be the address of a Dask scheduler.

    Example:
        >>> is_scheduler("tcp://10.0.0.5:8786"), is_scheduler("http://10.0.0.5:8787")
        (True, False)
    """
    parts = urlsplit(address)
    try:
        return bool(parts.scheme in ("tcp", "tls") and parts.hostname and parts.port and not parts.path.strip("/"))
    except ValueError:
        return False
