"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from seatrial.errors import UsageError


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
