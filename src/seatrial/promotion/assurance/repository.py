"""The history of a folder in its Git repository. Git is asked what it stores; nothing of the repository runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seatrial.errors import SeatrialError

SECONDS = 60.0  # for one command
MOST = 500  # commits of the folder, the newest first
MOST_BYTES = 2**24  # of the files of one commit
QUIET = ("-c", "log.showSignature=false", "--no-pager", "--literal-pathspecs")  # a signature is shown by a program
ALONE = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
OURS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX")


class NoHistory(SeatrialError):
    """There is no repository, or Git cannot read it; the message is a clause that says why."""


@dataclass(frozen=True)
class Commit:
    """A commit: its author's name, and when it was made: the later of its two dates, seconds since 1970."""

    id: str
    author: str
    at: int


@dataclass(frozen=True)
class History:
    """The commits that touch a folder.

    Attributes:
        folder: in the repository's work tree.
        shallow: commits whose parents a shallow clone does not have: who changed a file last is not known there.
    """

    folder: Path
    shallow: frozenset[str]

    def commits(self, before: str = "HEAD", path: str = "") -> tuple[Commit, ...]:
        """Return the commits that touch the folder, or one path below it, the newest first; at most 500.

        Args:
            before: the commit to begin with.
            path: below the folder.
        """
        form = "--format=%H%x1f%an%x1f%at%x1f%ct"
        said = self._git("log", "-z", f"-n{MOST}", "--encoding=UTF-8", form, before, "--", f"./{path}")
        made = (entry.split("\x1f") for entry in said.decode("utf-8", "replace").split("\0") if entry)
        return tuple(Commit(name, author, max(int(a), int(c))) for name, author, a, c in made)

    def files(self, commit: str) -> dict[str, bytes]:
        """Return the files of the folder in a commit, by their paths below it; a link is none."""
        return dict(_files(self.folder, commit))

    def _git(self, *words: str) -> bytes:
        return _git(self.folder, *words)


def history_of(folder: Path) -> History:
    """Return the history of a folder.

    Raises:
        NoHistory: it is in no repository, there is no commit yet, or Git is not installed.

    Example::

        for commit in history_of(Path("expectations")).commits():
            print(commit.author, commit.id)
    """
    if not folder.is_dir():
        raise NoHistory(f"there is no folder {folder.name}")
    _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    said = _git(folder, "rev-parse", "--git-path", "shallow").decode("utf-8", "surrogateescape").rstrip("\n")
    file = folder / said  # an absolute path stays as it is
    return History(folder, frozenset(file.read_text(encoding="ascii").split() if file.is_file() else ()))


@lru_cache(MOST)
def _files(folder: Path, commit: str) -> tuple[tuple[str, bytes], ...]:
    listed = _git(folder, "ls-tree", "-r", "-l", "-z", commit, "--", "./").decode("utf-8", "surrogateescape")
    entries = (line.partition("\t") for line in listed.split("\0") if line)
    found = {path: about.split() for about, _, path in entries}
    wanted = {path: id_ for path, (mode, _, id_, _) in found.items() if mode.startswith("100")}
    given = "".join(f"{id_}\n" for id_ in wanted.values()).encode()
    try:
        if sum(int(found[path][3]) for path in wanted) > MOST_BYTES:
            raise NoHistory(f"the policy has more than {MOST_BYTES:,} bytes")
        return tuple(zip(wanted, _blobs(_git(folder, "cat-file", "--batch", given=given)), strict=True))
    except ValueError as error:
        raise NoHistory("files of its older commits are not in this clone: git fetch --refetch --no-filter") from error


def _blobs(answered: bytes) -> Iterator[bytes]:
    """Yield the contents that ``git cat-file --batch`` answers: for each a line that ends in its size, then itself."""
    at = 0
    while at < len(answered):
        end = answered.index(b"\n", at)
        size = int(answered[at:end].split()[-1])
        yield answered[end + 1 : end + 1 + size]
        at = end + 2 + size


def _git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    told = {name: value for name, value in os.environ.items() if name not in OURS}
    try:
        done = subprocess.run(  # noqa: S603  Git, with words of ours and ids that it gave
            ["git", "-C", str(folder), *QUIET, *words],  # noqa: S607  the one that people use here
            capture_output=True, check=False, timeout=SECONDS, input=given,
            env={**told, **ALONE},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise NoHistory("Git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NoHistory(f"Git took longer than {SECONDS:.0f} s") from error
    if done.returncode:
        raise NoHistory(_reason(done.stderr.decode("utf-8", "replace").strip().splitlines()))
    return done.stdout


def _reason(said: Sequence[str]) -> str:
    first = said[0] if said else ""
    if "not a git repository" in first:
        return "it is in no Git repository"
    if "dubious ownership" in first:
        return "its Git repository belongs to another user, and Git refuses to read it (safe.directory)"
    return f"Git said: {first.removeprefix('fatal: ')[:120]}" if first else "its Git repository has no commit"
