"""What is deleted of a project's state: results, downloads and leftovers that are too many, too old, or too much."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seatrial.sinks.files import LATEST

DAY = 86_400.0  # seconds
LEFTOVER_DAYS = 2.0  # after which a temporary folder of ours belongs to nobody: no validation takes that long


MADE = (  # the kinds of temporary folders that a validation makes
    "again", "artifacts", "clearml", "deploy", "elsewhere", "evaluate", "evidence", "fixture", "kfp", "mutant",
    "reference", "service", "trial", "verdict", "verify",
)  # fmt: skip


@dataclass(frozen=True)
class Pruned:
    """What was deleted, or would be: how many folders of each kind, and their size in bytes."""

    results: int = 0
    downloads: int = 0
    leftovers: int = 0
    size: int = 0

    def __str__(self) -> str:
        kinds = ((self.results, "results"), (self.downloads, "downloads"), (self.leftovers, "leftovers"))
        named = ", ".join(f"{count:,} {kind}" for count, kind in kinds)
        return f"{named}; {self.size / 2**20:,.1f} MiB"


def prune_files(state: Path, *, validations: int, days: float, total_bytes: int, dry: bool = False) -> Pruned:
    """Delete results beyond a number, an age or a size, the oldest first, and what processes left behind.

    The latest results of each version stay, whatever their age: ``seatrial show`` reads them.

    Args:
        state: the project's state directory.
        validations: whose results are kept.
        days: for which results and downloaded models are kept.
        total_bytes: of all results that are kept.
        dry: delete nothing, and say what would be.
    """
    now = time.time()
    results = list(_too_many(_results(state / "reports"), validations, now - days * DAY, total_bytes))
    downloads = [each for each in _folders(state / "versions") if _changed(each) < now - days * DAY]
    leftovers = [each for each in _ours(Path(tempfile.gettempdir())) if _changed(each) < now - LEFTOVER_DAYS * DAY]
    size = sum(map(_size, (*results, *downloads, *leftovers)))
    if not dry:
        for folder in (*results, *downloads, *leftovers):
            shutil.rmtree(folder, ignore_errors=True)
        for parent in _folders(state / "reports"):
            with contextlib.suppress(OSError):  # one that is not empty stays
                parent.rmdir()
    return Pruned(len(results), len(downloads), len(leftovers), size)


def _results(reports: Path) -> list[Path]:
    """Return the folders of results but the latest of each version, the newest first."""
    found = []
    for parent in _folders(reports):
        latest = (parent / LATEST).resolve()
        found += [folder for folder in _folders(parent) if folder.resolve() != latest]
    return sorted(found, key=_changed, reverse=True)


def _too_many(newest_first: Iterable[Path], most: int, since: float, total_bytes: int) -> Iterator[Path]:
    size = 0
    for kept, folder in enumerate(newest_first, 1):
        own = _size(folder)
        if kept > most or size + own > total_bytes or _changed(folder) < since:
            yield folder
        else:
            size += own


def _ours(temporary: Path) -> list[Path]:
    """Return the temporary folders that this user's validations made; those of others are not among them."""
    found = (each for name in MADE for each in temporary.glob(f"seatrial-{name}-*"))
    return [each for each in found if each.is_dir() and not each.is_symlink() and _is_ours(each)]


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.stat().st_uid == os.getuid()
    return False


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir() or parent.is_symlink():
        return []
    return [each for each in parent.iterdir() if each.is_dir() and not each.is_symlink()]


def _changed(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime
    return time.time()  # gone meanwhile


def _size(folder: Path) -> int:
    size = 0
    for parent, _, files in os.walk(folder):  # what vanishes meanwhile has no size
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size
