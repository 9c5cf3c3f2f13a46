"""The lock of a machine: whoever measures time under load has it, so that two do not measure each other.

It is a file lock, which the kernel frees when its holder ends, however it ends, with the processes that it forked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from seatrial.errors import UsageError

LOCK = "SEATRIAL_MACHINE_LOCK"  # names another file, such as one that the containers of a machine share
DEFAULT = "/tmp/seatrial-machine.lock"  # noqa: S108  for all users, whatever their TMPDIR; it stays empty
POLL_SECONDS, TELL_SECONDS = 0.2, 60.0


@contextlib.contextmanager
def held(seconds: float, on_wait: Callable[[float], object] = lambda _: None) -> Iterator[bool]:
    """Hold this machine's lock for a block; yield False where others had it all the time.

    Args:
        seconds: to wait for it at most.
        on_wait: called when the wait begins, and once a minute, with the seconds waited so far.

    Raises:
        UsageError: the lock's file cannot be opened.
    """
    descriptor = _opened(lock_file())
    try:
        yield _locked(descriptor, seconds, on_wait)
    finally:
        os.close(descriptor)


def lock_file() -> Path:
    """Return the file that is locked."""
    return Path(os.environ.get(LOCK) or DEFAULT)


def _opened(file: Path) -> int:
    """Open the file to read, which is enough to lock it, and make it where it is missing: another user's will do."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        try:
            return os.open(file, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                return os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o644)
            return os.open(file, flags)
    except OSError as error:
        raise UsageError(
            f"The lock of this machine, {file}, cannot be opened: {error.strerror}. Have {LOCK} name a file that every "
            "validation on this machine can open."
        ) from error


def _locked(descriptor: int, seconds: float, on_wait: Callable[[float], object]) -> bool:
    begin = told = time.monotonic()
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        now = time.monotonic()
        if now - begin >= seconds:
            return False
        if told == begin or now - told >= TELL_SECONDS:
            on_wait(now - begin)
            told = now
        time.sleep(POLL_SECONDS)
