"""A file system of its own, by bubblewrap: the machine's, read-only, without what a project's code must not see."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

EMPTIED = ("/home", "/root", "/tmp", "/var/tmp")  # noqa: S108  what users keep there is not shown
WORKS_SECONDS = 10.0


def arguments(
    *,
    readable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    needed: Iterable[Path] = (),
    writable: Iterable[Path] = (),
) -> list[str]:
    """Return the command that a command is appended to.

    Later folders lie over earlier ones: a hidden folder inside a readable one is empty, and a needed one inside that
    is there.

    Args:
        readable: what may be read, of that which is not shown by default.
        hidden: files and folders that are empty there.
        needed: what is read, wherever it lies.
        writable: folders that are written to.

    Example:
        >>> arguments(writable=[Path("/tmp/work")])[-3:]
        ['--bind', '/tmp/work', '/tmp/work']
    """
    command = [
        shutil.which("bwrap") or "bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
    ]  # fmt: skip
    for folder in filter(Path.is_dir, map(Path, EMPTIED)):
        command += ["--tmpfs", str(folder)]
    for path in readable:
        command += ["--ro-bind-try", str(path), str(path)]
    for path in filter(Path.exists, hidden):
        command += ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", "/dev/null", str(path)]
    for path in needed:
        command += ["--ro-bind", str(path), str(path)]
    for path in writable:
        command += ["--bind", str(path), str(path)]
    return command


@cache
def works() -> bool:
    """Return whether bubblewrap is installed, and the kernel lets it make what it needs."""
    try:
        tried: Sequence[str] = [*arguments(), "true"]
        return subprocess.run(tried, capture_output=True, check=False, timeout=WORKS_SECONDS).returncode == 0  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
