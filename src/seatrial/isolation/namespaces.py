"""Run a command where it sees, and can signal, only what it starts itself, if the kernel makes namespaces.

Run as a script: ``python -I -S namespaces.py COMMAND…``. On Linux the command gets a process namespace of its own,
with its own view of /proc: the environment of other processes cannot be read from there, and when the command ends,
however it ends, the kernel ends everything that is left of it. It needs root, or a kernel that lets users make
namespaces, which many containers do not. Elsewhere the command takes the place of this process.
It uses the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PARENT_DEATH = 1  # option of Linux's prctl
_NEW_MOUNTS, _NEW_USER, _NEW_PROCESSES = 0x00020000, 0x10000000, 0x20000000  # flags of Linux's unshare
_RECURSIVE, _PRIVATE = 0x4000, 0x40000  # flags of Linux's mount, as are the next three
_NO_SUID, _NO_DEVICES, _NO_EXEC = 0x2, 0x4, 0x8
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


def run_in_namespaces(command: list[str]) -> int | None:
    """Run the command, if any, in namespaces of its own; return its status, or None where there are none."""
    if _LIBC is None or not _unshared(_LIBC):
        return None
    first = os.fork()
    if first:
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    try:
        _LIBC.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
        failed = _LIBC.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
        failed = failed or _LIBC.mount(b"proc", b"/proc", b"proc", _NO_SUID | _NO_DEVICES | _NO_EXEC, None)
        if not failed and not command:
            os._exit(0)
        # The first process of a namespace cannot be killed from within; the command can, as it could be elsewhere.
        if not failed and not (second := os.fork()):
            os.execv(command[0], command)  # noqa: S606  to run it is what this is for
        while not failed:
            ended, status = os.wait()
            if ended == second:
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    finally:
        os._exit(1)


def _unshared(libc: ctypes.CDLL) -> bool:
    uid, gid = os.getuid(), os.getgid()
    if not libc.unshare(_NEW_PROCESSES | _NEW_MOUNTS):
        return True
    if libc.unshare(_NEW_PROCESSES | _NEW_MOUNTS | _NEW_USER):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    except OSError:
        return False
    return True


def available() -> bool:
    """Whether the kernel makes namespaces. A process cannot leave them again, so a child tries."""
    trial = os.fork()
    if not trial:
        os._exit(0 if run_in_namespaces([]) == 0 else 1)
    return os.waitpid(trial, 0)[1] == 0


def main(command: list[str]) -> None:
    """Run the command in namespaces and end with its status, or become it; without one, tell whether there are any."""
    if not command:
        os._exit(not available())
    if available() and (status := run_in_namespaces(command)) is not None:
        os._exit(status & 0xFF)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
