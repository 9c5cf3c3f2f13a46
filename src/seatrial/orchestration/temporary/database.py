"""A database with the tables of this release of Prefect, made once and copied for each new project.

Prefect makes its tables by some hundred migrations, which takes longer than a small validation. The first server that
starts from nothing leaves a copy of its empty database in the user's cache; without that copy a server makes its
tables as ever.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from seatrial.process.cached import cache_folder

_DATABASE_VARIABLES = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_", "PREFECT_PROFILE")
_SETTINGS_FILES = ("prefect.toml", ".env")  # Prefect reads them in the directory where it is started
NAME = "prefect.db"  # Prefect's own name for it


class Database:
    """The SQLite database of a temporary server, before and after its start.

    Args:
        environ: of the server.
        cache: the folder for templates; the user's cache by default.
    """

    def __init__(self, environ: Mapping[str, str], cache: Path | None = None) -> None:
        home = environ.get("PREFECT_HOME", "")
        self._file = None if not home or _may_be_elsewhere(environ, Path(home)) else Path(home) / NAME
        self._template = (cache or cache_folder(environ)) / f"prefect-{version('prefect')}.db"
        self._new = self._file is not None and not self._file.exists()

    def prepare(self) -> bool:
        """Copy the template where there is no database yet; return whether its tables are those of this release."""
        if self._file is None:
            return False
        wanted = _revision(self._template)
        if wanted and self._new:
            with contextlib.suppress(OSError):
                _copy(self._template, self._file)
        return bool(wanted) and _revision(self._file) == wanted

    def keep_template(self) -> None:
        """Keep a copy of a database that the server has just made from nothing. A full disk costs the copy alone."""
        if self._file is None or not self._new or self._template.exists():
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            self._template.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._template.parent) as place:
                copy = Path(place) / NAME
                with closing(sqlite3.connect(self._file)) as source, closing(sqlite3.connect(copy)) as target:
                    source.backup(target)
                    target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
                os.replace(copy, self._template)


def _may_be_elsewhere(environ: Mapping[str, str], home: Path) -> bool:
    """Return whether Prefect's settings may name another database; then Prefect alone decides what is to be done."""
    if any(name.startswith(_DATABASE_VARIABLES) for name in environ):
        return True
    if (home / "profiles.toml").exists() or any(Path(name).exists() for name in _SETTINGS_FILES):
        return True
    with contextlib.suppress(OSError):
        return "tool.prefect" in Path("pyproject.toml").read_text(encoding="utf-8", errors="replace")
    return False


def _revision(file: Path) -> str:
    """Return the revision of the tables of a database; empty where there is none."""
    if not file.is_file():
        return ""
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT version_num FROM alembic_version").fetchall()
        return ",".join(sorted(str(row[0]) for row in found))
    return ""


def _copy(template: Path, file: Path) -> None:
    """Copy a template, unless another server of the project has made its database meanwhile."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # as Prefect makes it
    with tempfile.TemporaryDirectory(dir=file.parent) as place:
        copy = Path(shutil.copyfile(template, Path(place) / NAME))
        copy.chmod(0o600)
        with contextlib.suppress(FileExistsError):
            os.link(copy, file)
