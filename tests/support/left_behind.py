"""What a session of tests leaves behind: processes, sockets that listen or are connected, and threads."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import uuid

import psutil

MARK = "SEATRIAL_TEST_SESSION"  # in the environment of whatever the session starts, also of what outlives its parent
PATIENCE_SECONDS = 15.0  # an end that was asked for takes its time
OURS = ("wire", "reverse proxy", "watch", "to ", "lease", "seatrial")  # daemons of libraries are theirs to keep
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "loky.backend")  # of Python, end with it


def marked() -> str:
    """Mark this session in its environment and return the mark."""
    return os.environ.setdefault(MARK, f"{os.getpid()}-{uuid.uuid4()}")


def left_behind(mark: str, before: set[int]) -> list[str]:
    """Return what is still there, in words, when what is about to end has had its time.

    ``before``: identities of the threads that were there before.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        gc.collect()
        found = [*_processes(mark), *_sockets(), *_threads(before)]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def _processes(mark: str) -> list[str]:
    mine = psutil.Process()
    own = {p.pid for p in mine.children(recursive=True)}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.pid in own or (process.pid != mine.pid and process.environ().get(MARK) == mark)
            command = " ".join(process.cmdline())
            if ours and process.status() != psutil.STATUS_ZOMBIE and not any(h in command for h in HELPERS):
                found.append(f"process {process.pid}: {command[:200]}")
    return found


def _sockets() -> list[str]:
    open_ = (psutil.CONN_LISTEN, psutil.CONN_ESTABLISHED)
    return [
        f"socket {s.laddr.port} {s.status} {s.raddr or ''}"
        for s in psutil.Process().net_connections("tcp")
        if s.status in open_
    ]


def _threads(before: set[int]) -> list[str]:
    new = [t for t in threading.enumerate() if t.ident not in before]
    return [f"thread {t.name}" for t in new if not t.daemon or t.name.startswith(OURS)]
