"""Whether an error is the environment's: a server or a disk that is away or full, and not a fault of the version."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator

from seatrial.errors import Interrupted

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})
AWAY = frozenset(
    {
        errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EHOSTUNREACH,
        errno.ENETUNREACH, errno.ENETDOWN, errno.EPIPE,
    }
)  # fmt: skip
BUSY = frozenset({408, 425, 429})  # statuses that say: later
CLIENTS = frozenset(
    {"aiohttp", "azure", "boto3", "botocore", "google", "http", "httpx", "requests", "s3transfer", "urllib3"}
)
_NAMES = re.compile(
    r"connect|timeout|timed|endpoint|unavailable|retry|retries|protocol|servicerequest|serviceresponse|proxy|ssl"
    r"|incomplete|stream|chunked|payload|httpclient"  # of an answer that ended too early
)
_CODES = frozenset({"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came of, says that a server does not answer or a disk is full.

    So does a validation that was interrupted. Clients of object stores are known by their package; none is imported.

    Example:
        >>> is_unavailable(ConnectionRefusedError()), is_unavailable(FileNotFoundError())
        (True, False)
    """
    return any(map(_says_so, _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _says_so(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL | AWAY:
        return True
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror | Interrupted):
        return True
    if getattr(error, "error_code", None) in _CODES:
        return True
    status = _status(error)
    if status is not None:
        return status >= 500 or status in BUSY
    package = type(error).__module__.partition(".")[0]
    return package in CLIENTS and bool(_NAMES.search(type(error).__name__.lower()))


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a response that an error carries, as requests, httpx, azure and botocore do."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        response = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return response if isinstance(response, int) else None
    for name in ("status_code", "status", "code"):
        status = getattr(response if response is not None else error, name, None)
        if isinstance(status, int) and 100 <= status < 600:
            return status
    return None
