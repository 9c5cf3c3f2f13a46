"""Run tests without what only Linux has: ``pytest -p tests.support.no_linux``; what has no fallback fails.

The calls are removed from ``os``, and for our own modules there is no ``/proc``.
"""

import builtins
import errno
import os
import pathlib
import sys

LINUX = (
    "eventfd", "getrandom", "memfd_create", "pidfd_open", "posix_fadvise", "posix_fallocate", "sched_getaffinity",
    "sched_setaffinity", "setns", "splice", "unshare", "waitid",
)  # fmt: skip


def _is_proc(path):
    return isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith("/proc")


def _gone(path):
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))


def _without_proc(call):
    def guarded(path=".", *args, **kwargs):
        if _is_proc(path) and sys._getframe(1).f_globals.get("__name__", "").startswith(("seatrial", "pathlib")):
            raise _gone(path)
        return call(path, *args, **kwargs)

    return guarded


for name in LINUX:
    if hasattr(os, name):
        delattr(os, name)
for module, name in (
    (builtins, "open"),
    (os, "listdir"),
    (os, "readlink"),
    (os, "scandir"),
    (os, "stat"),
    (os, "open"),
):
    setattr(module, name, _without_proc(getattr(module, name)))
pathlib.io.open = builtins.open
