"""What is in folders, as one digest: of what small files hold, and of size and times of those that are large."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from seatrial.errors import SeatrialError

MOST_FILES, MOST_INSTALLED = 50_000, 300_000  # in one folder
LARGE_BYTES = 2**18  # a file from this size on is known by size and times
COMPILED = "__pycache__"
LINK = "direct_url.json"
SAYS = frozenset({"RECORD", LINK, "pyvenv.cfg"})  # files of installers
NOT_READ = frozenset({  # names of folders that hold nothing a pipeline reads, or what tools make anew each time
    COMPILED, ".git", ".hg", ".svn", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache",
    ".tox", "node_modules",
})  # fmt: skip
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
        digest.update(b"%s\n%d\n" % (os.fsencode(folder), len(lines)) + b"\n".join(lines))
    return digest.hexdigest()


def installed(folders: Collection[Path]) -> tuple[str, list[Path]]:
    """Return a digest of names, sizes and times of all files that are installed in folders, and the links among them.

    Installers write ``RECORD``, with the digests of what they installed, and ``direct_url.json``: what these hold
    counts too. The latter are returned, and folders that are links: they say what is imported from elsewhere.

    Raises:
        TooManyFiles: there are more than ``MOST_INSTALLED``.
    """
    lines, links = [str(folder).encode() for folder in folders], list[Path]()
    waiting = [os.fspath(folder) for folder in folders]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir():
                    if entry.is_symlink():
                        links.append(Path(entry.path))
                    elif name != COMPILED:
                        waiting.append(entry.path)
                elif not name.endswith(".pyc"):
                    lines.append(_content(entry.path) if name in SAYS or name.endswith(".pth") else _stated(entry))
                    if name == LINK:
                        links.append(Path(entry.path))
        if len(lines) > MOST_INSTALLED:
            raise TooManyFiles(f"'{folder}' and what is installed beside it have more than {MOST_INSTALLED:,} files")
    lines.sort()
    return hashlib.sha256(b"\n".join(lines)).hexdigest(), links


def _files(top: str, without: Collection[str]) -> Iterator[str]:
    """Yield the paths of the files below a folder, each folder once; without virtual environments below it."""
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
        if folder != top and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.name in NOT_READ or entry.path in without:
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            elif not entry.name.endswith(".pyc") and (entry.is_file() or entry.is_symlink()):
                count += 1
                yield entry.path
        if count > MOST_FILES:
            raise TooManyFiles(f"'{top}' has more than {MOST_FILES:,} files")


def _content(path: str) -> bytes:
    """Return a line that says what a file holds; of a large one or one that cannot be read, size and times."""
    name = os.fsencode(path)
    try:
        about = os.stat(path)
        if about.st_size < LARGE_BYTES or os.path.basename(path) in SAYS:
            with open(path, "rb") as file:
                return b"%s\0%s" % (name, hashlib.sha256(file.read()).digest())
    except OSError:  # it has gone, leads nowhere, or cannot be read by a worker either
        return b"%s\0-" % name
    return b"%s\0%d %d %d" % (name, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _stated(entry: os.DirEntry[str]) -> bytes:
    try:
        about = entry.stat()
    except OSError:
        return b"%s\0-" % os.fsencode(entry.path)
    return f"{entry.path}\0{about.st_size} {about.st_mtime_ns}".encode("utf-8", "surrogateescape")
