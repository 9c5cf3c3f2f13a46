"""Work on parts whose process is lost in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.parity.streaming import Runner
from tests.support.waiting import until


@dataclass(frozen=True)
class Doomed:
    """Work that waits, the first time in its second part, to be killed; a file says who waits there."""

    work: Callable[[Any], Any]
    second: Any
    waiting: Path

    def __call__(self, part: Any) -> Any:
        if part == self.second:
            try:
                with self.waiting.open("x") as file:
                    file.write(str(os.getpid()))
            except FileExistsError:
                return self.work(part)
            self.waiting.with_suffix(".ready").touch()
            time.sleep(60)
        return self.work(part)


@dataclass(frozen=True)
class Killing:
    """A runner that loses a process in the last of so many pieces of work; ``lost`` says which one."""

    inner: Runner
    folder: Path
    pieces: int
    lost: list[int] = field(default_factory=list)
    mapped: list[int] = field(default_factory=list)

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        self.mapped.append(len(parts))
        if len(self.mapped) != self.pieces:
            yield from self.inner.map(work, parts)
            return
        waiting = self.folder / "waiting.txt"
        results = self.inner.map(Doomed(work, parts[1], waiting), parts)
        yield next(results)
        until(waiting.with_suffix(".ready").exists)
        self.lost.append(int(waiting.read_text()))
        os.kill(self.lost[-1], signal.SIGKILL)
        yield from results


def ends_its_process(_: Any) -> None:
    """Work that no process survives."""
    os.kill(os.getpid(), signal.SIGKILL)


def waits_too_long(_: Any) -> None:
    """Work that raises what waiting for a result raises too."""
    raise TimeoutError("of the work")


def opens(path: Path) -> bytes:
    """Work that reads a file."""
    return path.read_bytes()


def waits(_: Any) -> None:
    """Work that takes long."""
    time.sleep(60)
