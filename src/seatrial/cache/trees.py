"""What is in folders, as one digest: of what small files hold, and of size and times of those that are large."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from seatrial.errors import SeatrialError

MOST_FILES, MOST_INSTALLED = 50_000, 300_000  # in one folder
LARGE_BYTES = 2**18  # a file from this size on is known by size and times
NOT_READ = frozenset({  # names of folders that hold nothing a pipeline reads, or what tools make anew each time
    "__pycache__", ".git", ".hg", ".svn", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache",
    ".tox", "node_modules",
})  # fmt: skip
COMPILED = ".pyc"
SIDES = ("-wal", "-shm", "-journal")  # of a database in a file


class TooManyFiles(SeatrialError):
    """A folder has more files than are read."""


def contents(folders: Collection[Path], *, without: Collection[Path] = ()) -> str:
    """Return the digest of what all files of the folders hold, in hex; links are followed.

    Virtual environments are left out, and what tools such as Git and pytest keep.

    Args:
        folders: a folder that is not there, or a file, counts as what it is.
        without: files and folders that are left out.

    Raises:
        TooManyFiles: there are more than ``MOST_FILES``.
    """
    left_out = {os.path.realpath(each) + side for each in without for side in ("", *SIDES)}
    digest = hashlib.sha256()
    for folder in folders:
        lines = sorted(_content(path) for path in _files(os.path.realpath(folder), left_out))
        digest.update(b"%s\0%d\0" % (os.fsencode(folder), len(lines)) + b"".join(lines))
    return digest.hexdigest()


def installed(folders: Collection[Path]) -> tuple[str, list[Path]]:
    """Return a digest of names, sizes and times of all files that are installed in folders, and the records among them.

    Installers write ``RECORD``, with the digests of what they installed, and ``direct_url.json``: what these hold
    counts too. The latter are returned: they say which packages are imported from elsewhere.

    Raises:
        TooManyFiles: there are more than ``MOST_INSTALLED``.
    """
    digest, links = hashlib.sha256(), list[Path]()
    for folder in folders:
        lines = []
        for path in _files(os.fspath(folder)):
            name = os.path.basename(path)
            if name in ("RECORD", "direct_url.json", "pyvenv.cfg") or name.endswith(".pth"):
                lines.append(_content(path))
            if name == "direct_url.json":
                links.append(Path(path))
            lines.append(_stated(path, times=("st_mtime_ns",)))
        lines.sort()
        digest.update(b"%s\0%d\0" % (os.fsencode(folder), len(lines)) + b"".join(lines))
    return digest.hexdigest(), links


def _files(top: str, without: Collection[str] | None = None) -> Iterator[str]:
    """Yield the paths of the files below a folder, each folder once; with ``without`` no virtual environment below."""
    waiting, seen, count = [top], set[tuple[int, int]](), 0
    while waiting:
        folder = waiting.pop()
        try:
            about = os.stat(folder)
            entries = list(os.scandir(folder)) if (about.st_dev, about.st_ino) not in seen else []
        except NotADirectoryError:
            yield folder
            continue
        except OSError:
            continue
        seen.add((about.st_dev, about.st_ino))
        if without is not None and folder != top and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.name in NOT_READ or (without and entry.path in without):
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            elif not entry.name.endswith(COMPILED) and (entry.is_file() or entry.is_symlink()):
                count += 1
                yield entry.path
        if count > (most := MOST_INSTALLED if without is None else MOST_FILES):
            raise TooManyFiles(f"'{top}' has more than {most:,} files")


def _content(path: str) -> bytes:
    """Return a line that says what a file holds; of a large one or one that cannot be read, size and times."""
    try:
        if os.stat(path).st_size < LARGE_BYTES:
            with open(path, "rb") as file:
                return b"%s\0%s\n" % (os.fsencode(path), hashlib.sha256(file.read()).digest())
    except OSError:
        pass
    return _stated(path, times=("st_mtime_ns", "st_ctime_ns"))


def _stated(path: str, *, times: Collection[str]) -> bytes:
    try:
        about = os.stat(path)
    except OSError:  # it has gone, or leads nowhere
        return b"%s\0-\n" % os.fsencode(path)
    return f"{path}\0{about.st_size}\0{[getattr(about, name) for name in times]}\n".encode("utf-8", "surrogateescape")
