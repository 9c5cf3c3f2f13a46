"""What may be away, full or refuse while versions are validated: one function a fault, undone when its block ends."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.e2e.trials.postgres import Database
from tests.support.gateway import CUT, LOST, Gateway

EFFECTS = {
    "log-run": "/runs/create", "tags": "/model-versions/set-tag", "describe": "/model-versions/update",
    "alias": "/registered-models/alias",
}  # fmt: skip


class Disk:
    """A small file system of its own, which can be filled; it needs the right to mount one."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path, self._filler = path, path / ".filler"
        self._options = f"size={megabytes}m,mode=0777"
        self._sudo = [] if os.getuid() == 0 else ["sudo", "-n"]

    def __enter__(self) -> Disk:
        self.path.mkdir(parents=True, exist_ok=True)
        self._run("mount", "-t", "tmpfs", "-o", self._options, "tmpfs", str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._run("umount", "-l", str(self.path))

    def _run(self, *command: str) -> None:
        subprocess.run([*self._sudo, *command], check=True, capture_output=True)

    @contextlib.contextmanager
    def full(self, leaving: int = 0) -> Iterator[None]:
        """Fill it, but for some bytes."""
        piece = b"\0" * 2**16
        try:
            with self._filler.open("wb", buffering=0) as file:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(piece)
                file.truncate(max(0, file.tell() - leaving))
            yield
        finally:
            self._filler.unlink(missing_ok=True)


def can_mount(folder: Path) -> bool:
    """Return whether this user may mount a file system here."""
    try:
        with Disk(folder / "tried", 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@dataclass
class World:
    """What a project needs around it.

    Attributes:
        registry: before the MLflow server.
        store: before an object store with the files of versions and of verdicts.
        database: a server with the ledger, or the file of the ledger.
        disks: file systems that may be full: of the ledger, of results, of artifacts.
        restart: servers that can be killed and started again, by their names.
        dice: decides which answers are lost.
    """

    registry: Gateway
    store: Gateway
    database: Database | Path
    disks: Mapping[str, Disk]
    restart: Mapping[str, Callable[[], contextlib.AbstractContextManager[None]]]
    dice: Random


Fault = Callable[[World], contextlib.AbstractContextManager[None]]


def store_away(world: World) -> contextlib.AbstractContextManager[None]:
    """The object store is down."""
    return world.store.away()


def store_busy(world: World) -> contextlib.AbstractContextManager[None]:
    """The object store lists its files, and neither gives them out nor takes one."""
    return world.store.doing(lambda _, path: None if "list-type" in path else 503)


def store_cut(world: World) -> contextlib.AbstractContextManager[None]:
    """Every connection to the object store ends in the middle of a file."""
    return world.store.doing(lambda method, path: None if "list-type" in path or method == "HEAD" else CUT)


def registry_unavailable(world: World) -> contextlib.AbstractContextManager[None]:
    """The registry says 503 to everything."""
    return world.registry.doing(lambda *_: 503)


def answers_lost(world: World) -> contextlib.AbstractContextManager[None]:
    """The registry does what it is asked, and one answer in three never comes."""
    return world.registry.doing(lambda *_: LOST if world.dice.random() < 1 / 3 else None)


@contextlib.contextmanager
def database_away(world: World) -> Iterator[None]:
    """PostgreSQL is stopped; a SQLite file is locked by a process that hangs."""
    if isinstance(world.database, Database):
        world.database.stop()
        try:
            yield
        finally:
            world.database.start()
        return
    with contextlib.closing(sqlite3.connect(world.database, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def restarted(name: str) -> Fault:
    """A server is killed, and started again at the end."""
    return lambda world: world.restart[name]()


def full(name: str, leaving: int = 0) -> Fault:
    """A disk is full, but for some bytes."""

    @contextlib.contextmanager
    def fault(world: World) -> Iterator[None]:
        with world.disks[name].full(leaving):
            yield
        if name == "ledger" and isinstance(world.database, Database):
            world.database.revive()

    return fault


def refusing(*kinds: str) -> Fault:
    """The registry answers, and will not have effects of these kinds."""
    paths = [EFFECTS[kind] for kind in kinds]
    return lambda world: world.registry.doing(
        lambda method, path: 400 if method != "GET" and any(path.split("?")[0].endswith(p) for p in paths) else None
    )


FAULTS = {
    "store-away": store_away, "store-busy": store_busy, "store-cut": store_cut,
    "registry-503": registry_unavailable, "answers-lost": answers_lost, "registry-restarted": restarted("mlflow"),
    "database-away": database_away, "disk-of-ledger": full("ledger"), "disk-of-ledger-nearly": full("ledger", 2**14),
    "disk-of-results": full("results"), "disk-of-artifacts": full("artifacts"), "effects-refused": refusing(*EFFECTS),
    "prefect-restarted": restarted("prefect"),
}  # fmt: skip
