"""The folder for what is the same for every project of a user, and is made again where it is gone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``$XDG_CACHE_HOME/seatrial``, by default ``~/.cache/seatrial``; it need not be there.

    A user without a home has one below the folder of temporary files.

    Example:
        >>> cache_folder({"XDG_CACHE_HOME": "/tmp"}).as_posix()
        '/tmp/seatrial'
    """
    if named := environ.get("XDG_CACHE_HOME"):
        return Path(named) / "seatrial"
    try:
        home = Path.home()
    except RuntimeError:
        home = Path(tempfile.gettempdir())
    return home / ".cache" / "seatrial"
