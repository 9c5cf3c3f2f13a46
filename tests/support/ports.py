"""Ports of servers that take seconds to start: given to no other worker of the tests, and to no connection."""

from __future__ import annotations

import os
import socket
from itertools import cycle

FIRST, EACH, WORKERS = 20_000, 2_000, 6  # all below what Linux and macOS give to whoever asks for any port

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_begin = FIRST + _worker * EACH
_ports = cycle([_begin + (os.getpid() + n) % EACH for n in range(EACH)])


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens, another one each time."""
    for port in _ports:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")
