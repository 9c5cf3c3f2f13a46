"""What is deleted of a project's state: what is too many, too old, or too much, the oldest first.

One rule for all that is kept by the folder: results, downloaded models, built environments and local evidence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial.sinks.files import LATEST

CACHE = "cache"  # below the project's state: results that later runs use again
DAY = 86_400.0  # seconds
IN_USE_SECONDS = DAY  # since it was last changed or used, a download may be one that a process still reads
EVERY = 10**9  # as many as there are
LEFTOVER_DAYS = 2.0  # after which a temporary folder of ours belongs to nobody: no validation takes that long


MADE = (  # the kinds of temporary folders that a validation makes
    "again", "artifacts", "clearml", "deploy", "elsewhere", "evaluate", "evidence", "fixture", "imports", "kfp",
    "mutant", "pairs", "predictions", "pytest", "reference", "refresh", "select", "service", "trial", "verdict",
    "verify", "wandb",
)  # fmt: skip


@dataclass(frozen=True)
class Retention:
    """How much is kept of one kind: so many folders, for so many seconds, in so many bytes."""

    validations: int
    seconds: float
    total_bytes: int


@dataclass(frozen=True)
class Pruned:
    """What was deleted, or would be: how many folders of each kind, and their size in bytes."""

    results: int = 0
    downloads: int = 0  # models and environments
    cached: int = 0
    leftovers: int = 0
    size: int = 0

    def __str__(self) -> str:
        kinds = {
            "results": self.results, "downloads": self.downloads, "cached": self.cached, "leftovers": self.leftovers,
        }  # fmt: skip
        named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        return f"{named}; {self.size / 2**20:,.1f} MiB"


def prune_files(
    state: Path, kept: Retention, *, environment_bytes: int, cache_bytes: int, used: Collection[Path] = (),
    now: float | None = None, dry: bool = False,
) -> Pruned:  # fmt: skip
    """Delete what is too many, too old or too much, and what processes left behind.

    Results and downloaded models together have at most ``kept.total_bytes`` afterwards, unless what is used, or was
    downloaded in the last day, has more.

    Args:
        state: the project's state directory.
        kept: how many results, and for how long results, downloads and environments are kept.
        environment_bytes: of the environments that were built for versions.
        cache_bytes: of the results that later runs use again.
        used: folders of results that stay, whatever their age, such as those of the versions in use.
        now: seconds since 1970; by this machine's clock by default.
        dry: delete nothing, and say what would be.
    """
    now = time.time() if now is None else now
    staying = {each.resolve() for each in used}
    every = [each for parent in _folders(state / "reports") for each in _folders(parent)]
    free = [each for each in every if each.resolve() not in staying]
    models, environments = _folders(state / "versions"), _folders(state / "environments")
    held = sum(map(_size, (set(every) - set(free)) | _read(models, now)))
    results = too_many(free, kept, now, held)
    held += sum(map(_size, set(free) - set(results)))
    downloads = too_many(set(models) - _read(models, now), replace(kept, validations=EVERY), now, held)
    limit = Retention(EVERY, kept.seconds, environment_bytes)
    held = sum(map(_size, _read(environments, now)))
    downloads += too_many(set(environments) - _read(environments, now), limit, now, held)
    places = (Path(tempfile.gettempdir()), state)
    cached = unused(state, replace(kept, total_bytes=cache_bytes), now)
    leftovers = [each for place in places for each in _ours(place) if changed(each) < now - LEFTOVER_DAYS * DAY]
    size = sum(map(_size, (*results, *downloads, *cached, *leftovers)))
    if not dry:
        delete((*results, *downloads, *cached, *leftovers))
    return Pruned(len(results), len(downloads), len(cached), len(leftovers), size)


def too_many(folders: Iterable[Path], kept: Retention, now: float, held_bytes: int = 0) -> list[Path]:
    """Return the folders that go: those too old, and beyond number and size the oldest, of equal age by their name.

    Args:
        folders: all of one kind.
        kept: what may stay.
        now: seconds since 1970.
        held_bytes: of what stays in any case, and counts.
    """
    gone, number, size = list[Path](), 0, held_bytes
    for folder in sorted(folders, key=lambda each: (changed(each), each.name), reverse=True):
        own = _size(folder)
        fits = number < kept.validations and size + own <= kept.total_bytes
        if not fits or now - changed(folder) > kept.seconds:
            gone.append(folder)
        else:
            number, size = number + 1, size + own
    return gone


def unused(state: Path, kept: Retention, now: float) -> list[Path]:
    """Return the folders of results that no run used for longest, beyond the time and the size that is kept."""
    return too_many(_folders(state / CACHE), replace(kept, validations=EVERY), now)


def delete(folders: Iterable[Path]) -> None:
    """Delete folders, and the folder that each was in where nothing else is left in it but a link to what is gone."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        latest = folder.parent / LATEST
        with contextlib.suppress(OSError):  # another process deletes it too, or makes a new one
            if latest.is_symlink() and not latest.exists():
                latest.unlink()
            if folder.parent.parent.name in ("reports", "private"):
                folder.parent.rmdir()  # one that is not empty stays


def latest_results(parent: Path) -> Path | None:
    """Return the folder of the newest results in one that has those of a version; None where there is none."""
    latest = parent / LATEST
    return latest.resolve() if latest.exists() else None


def _read(downloads: Iterable[Path], now: float) -> set[Path]:
    """Return those that a process may still read."""
    return {each for each in downloads if now - changed(each) < IN_USE_SECONDS}


def _ours(temporary: Path) -> list[Path]:
    """Return the temporary folders in a place that this user's validations made; those of others are not among them."""
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


def changed(folder: Path) -> float:
    """Return when a folder was last changed, seconds since 1970; now where it is gone meanwhile."""
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
