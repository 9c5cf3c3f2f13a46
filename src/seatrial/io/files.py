"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePath

from seatrial.errors import UsageError

WORKPLACE, LEFT_SECONDS = "run-", 86_400.0
LEAST_BYTES = 2**20  # that a disk has left which is not full


def atomic_write(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, then rename: a reader sees the old file or the new one, never a half.

    Missing folders are made.

    Raises:
        UsageError: the file cannot be written there.
    """
    beside = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"'{path}' cannot be written: {error.strerror}. Name a file in a folder you may write to."
        ) from error


def is_leftover(path: PurePath) -> bool:
    """Return whether a file is one that editors, Python and operating systems leave beside those of people.

    Example:
        >>> [is_leftover(PurePath(name)) for name in ("raw.py", ".raw.py.swp", "raw.py~", "__pycache__/raw.pyc")]
        [False, True, True, True]
    """
    marked = path.name.endswith(("~", ".swp", ".swo")) or (path.name[:1] == "#" == path.name[-1:])
    return marked or any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def write_once(path: Path, content: bytes) -> None:
    """Write a secret, readable by its owner alone, unless it is there; of several writers at once the first one stands.

    Raises:
        UsageError: the file cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".once-")  # 0600 from the start
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(beside, path)
        except FileExistsError:
            return
        finally:
            os.unlink(beside)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror}.") from error


def full_disk(*places: Path) -> Path | None:
    """Return the first of these directories whose disk is full, or None.

    Example:
        >>> full_disk(Path("/"))
    """
    return next((place for place in places if shutil.disk_usage(place).free < LEAST_BYTES), None)


@contextlib.contextmanager
def workplace(parent: Path) -> Iterator[Path]:
    """Give a new directory below ``parent`` for as long as the block lasts: two at the same work share no file.

    What processes that were killed left there a day ago goes first.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob(f"{WORKPLACE}*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=WORKPLACE, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
