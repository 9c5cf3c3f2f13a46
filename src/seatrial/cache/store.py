"""Files that the project's key alone can write: one that is damaged, cut off or from elsewhere is not there."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from seatrial.errors import UsageError
from seatrial.io.files import atomic_write

MOST_BYTES = 16 * 2**20  # of one entry
PURPOSE = b"seatrial cache 1"


class Store:
    """Entries by name, below a folder.

    Args:
        folder: where they are.
        key: the bytes of the project's private key; what they authenticate here is no signature of a verdict.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store(Path(folder), b"secret")
        ...     store.write("a/b", {"n": 1})
        ...     store.read("a/b"), store.read("a/c"), Store(Path(folder), b"another").read("a/b")
        True
        ({'n': 1}, None, None)
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder, self._key = folder, hmac.digest(key, PURPOSE, "sha256")

    def read(self, name: str) -> Any:
        """Return the content of an entry; None where there is none that can be believed."""
        try:
            with (self._folder / name).open("rb") as file:
                stated, _, body = file.read(MOST_BYTES + 1).partition(b"\n")
            if not hmac.compare_digest(stated, self._mac(name, body)):
                return None
            return json.loads(body)
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, name: str, content: Any) -> bool:
        """Write an entry whole, or not at all; return whether it is there: it may be too large, or the disk full.

        Raises:
            TypeError, ValueError: JSON cannot hold the content.
        """
        body = json.dumps(content, separators=(",", ":")).encode()
        if len(body) > MOST_BYTES - 128:
            return False
        try:
            atomic_write(self._folder / name, self._mac(name, body) + b"\n" + body)
        except UsageError:
            return False
        return True

    def has(self, folder: str) -> bool:
        """Return whether there is anything in a folder of entries."""
        return (self._folder / folder).is_dir()

    def touch(self, folder: str) -> None:
        """Note that a folder of entries is used: those that are not used for longest are deleted first."""
        with contextlib.suppress(OSError):
            os.utime(self._folder / folder)

    def _mac(self, name: str, body: bytes) -> bytes:
        return hmac.new(self._key, name.encode() + b"\0" + body, sha256).hexdigest().encode()
