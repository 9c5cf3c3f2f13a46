"""A replayer that was sent to another process: a worker of its own there, started alike, while it is asked.

Once this is imported, a :class:`~seatrial.isolation.replayer.RemoteReplayer` can be pickled.
"""

from __future__ import annotations

import atexit
import contextlib
import copyreg
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import IsolationError, SeatrialError, TargetError
from seatrial.isolation.environment import numeric
from seatrial.isolation.launch import Launch
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.pipeline import Model, Replayed, Source
from seatrial.reference.snapshot import Reference

IDLE_SECONDS = 60.0  # after which a worker that nobody asks is ended: whoever sent it may have ended without a word


@dataclass(frozen=True)
class Recipe:
    """How a worker is started again.

    Attributes:
        name: the same wherever the same replayer is sent.
        launch: how the worker is started.
        source: the file of the pipeline, and its name in it.
        load_seconds: the time it may take to read the pipeline, and again to load the models.
        case_seconds: the time that one request may take.
        reference: what its dependencies answer by, once models were loaded.
        models: their paths.
    """

    name: str
    launch: Launch
    source: tuple[Path, str]
    load_seconds: float
    case_seconds: float
    reference: Reference | None
    models: Mapping[Model, Path]

    def open(self) -> RemoteReplayer:
        """Start the worker, and load the models.

        Raises:
            IsolationError, EnvironmentUnavailable, PipelineError: it cannot be started here, or ended over it.
        """
        replayer = RemoteReplayer(
            self.launch, self.source, load_seconds=self.load_seconds, case_seconds=self.case_seconds
        )
        try:
            replayer.pipeline()
            if self.reference is not None:
                replayer.load(self.reference, self.models)
        except BaseException:
            replayer.close(0.0)
            raise
        return replayer


@dataclass
class _Shared:
    """The worker of a recipe in this process, and how many ask it at the moment."""

    opening: threading.Lock = field(default_factory=threading.Lock)
    replayer: RemoteReplayer | None = None
    asking: int = 0
    idle: threading.Timer | None = None


_shared: dict[str, _Shared] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Elsewhere:
    """What a pickled :class:`~seatrial.isolation.replayer.RemoteReplayer` becomes: it replays stages, and nothing else.

    All that come from the same one share a worker in their process. It starts with the first request, and ends a minute
    after the last one, or with the process.

    Attributes:
        recipe: how the worker is started.
    """

    recipe: Recipe

    def replay(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """See :meth:`seatrial.isolation.replayer.RemoteReplayer.replay_in_turn`.

        Raises:
            IsolationError: the worker ended, broke a limit or the protocol, or took too long; the next request starts
                another.
            TargetError: it cannot be started here.
        """
        with _asked(self.recipe) as replayer:
            return replayer.replay_in_turn(stages, batches, model=model, sources=sources)


@contextlib.contextmanager
def _asked(recipe: Recipe) -> Iterator[RemoteReplayer]:
    with _lock:
        here = _shared.setdefault(recipe.name, _Shared())
        here.asking += 1
        if here.idle is not None:
            here.idle.cancel()
    try:
        with here.opening:
            if here.replayer is None:
                here.replayer = _opened(recipe)
            replayer = here.replayer
        yield replayer
    except IsolationError:
        with here.opening:
            if here.replayer is not None and here.replayer.broken:
                here.replayer.close(0.0)
                here.replayer = None
        raise
    finally:
        with _lock:
            here.asking -= 1
            if not here.asking:
                here.idle = threading.Timer(IDLE_SECONDS, _end, (recipe.name,))
                here.idle.daemon = True
                here.idle.start()


def _sent(replayer: RemoteReplayer) -> Any:
    recipe = Recipe(
        replayer.process.folders.root.name, replace(replayer.launch, numeric=numeric(os.environ)), replayer.source,
        replayer.load_seconds, replayer.case_seconds, *replayer.loaded,
    )  # fmt: skip
    return Elsewhere, (recipe,)


copyreg.pickle(RemoteReplayer, _sent)


def _opened(recipe: Recipe) -> RemoteReplayer:
    """Open the worker; it was opened where it comes from, so that what is wrong is wrong with this place."""
    try:
        return recipe.open()
    except SeatrialError as error:
        raise TargetError(
            f"The worker of the project cannot be started on {socket.gethostname()}: {error} Project, model, "
            "interpreter and what 'environment' of [tool.seatrial] names are the same wherever partitions are compared."
        ) from error


def _end(name: str) -> None:
    """End the worker of a recipe unless it is asked again."""
    with _lock:
        here = _shared.get(name)
        if here is None or here.asking:
            return
        del _shared[name]
    if here.replayer is not None:
        here.replayer.close()


@atexit.register
def _end_all() -> None:
    for here in list(_shared.values()):
        if here.replayer is not None:
            here.replayer.close(0.0)
