"""What a check may see: the pipeline under trial, its reference and policy, and the replays, each run once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from seatrial.errors import UsageError, unknown
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline, Step
from seatrial.policy.policy import Policy
from seatrial.reference.snapshot import Reference, shared

T = TypeVar("T")
Replay = Literal["isolated", "chained"]


class Trial:
    """One version under trial. Every method may be called from several threads; each piece of work is done once.

    Args:
        pipeline: the path under trial.
        reference: what training saw; it must match the pipeline.
        policy: what must hold.
        model: the loaded model, for stages that ask for it.
        live: dependencies to ask again, now, beside the recorded answers.
        champion: the promoted version's model, for the quality check.
        seed: of every random choice a check makes.
        model_path: where ``model`` was loaded from, so that another process can load it too.
        promised: what the promoted version's users rely on, for the contract check.
        champion_path: where the promoted version's model lies, so that its service can be started beside.

    Attributes:
        on_progress: called while a long question runs with how much is done, of how much, and what comes next. Set
            it to show progress; it must return at once and not raise.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        reference: Reference,
        *,
        policy: Policy | None = None,
        model: Any = None,
        live: Sequence[str] = (),
        champion: Any = None,
        seed: int = 0,
        model_path: str | None = None,
        champion_contract: ChampionContract | None = None,
        champion_path: str | None = None,
    ) -> None:
        reference.matches(pipeline)
        if strangers := [name for name in live if name not in pipeline.dependencies]:
            raise UsageError(unknown("Dependency", strangers[0], pipeline.dependencies))
        self.pipeline = pipeline
        self.reference = reference
        self.policy = policy or Policy()
        self.model = model
        self.live = tuple(live)
        self.champion = champion
        self.seed = seed
        self.model_path = model_path
        self.champion_contract = champion_contract
        self.champion_path = champion_path
        self.on_progress: Callable[[int, int, str], object] = lambda *_: None
        self._done: dict[Any, Future[Any]] = {}
        self._lock = threading.Lock()
        self._held, self._holding = ExitStack(), threading.Lock()

    def step(self, stage: str, *, model: Any = None) -> Step:
        """Return the stage as a step, dependencies answering as recorded, with another ``model`` where one is given."""
        model = self.model if model is None else model
        return self.pipeline.step(stage, model=model, clients=self.clients, columns=self.reference.columns)

    @property
    def clients(self) -> Mapping[str, Any]:
        """The dependencies' stand-ins."""
        return self.once("clients", self.reference.clients)

    def input_of(self, stage: str) -> pd.DataFrame:
        """Return what the stage was fed at training time, as a copy: a stage may write into what it is given."""
        return _copy(self.reference.input_of(stage))

    def isolated(self, stage: str) -> pd.DataFrame:
        """Return what the stage makes of the reference's own input: a difference here is born here.

        Raises:
            StageError: the stage raised or broke the rule.
        """
        frame = self.once(("isolated", stage), lambda: self.step(stage)(self.input_of(stage)))
        return shared(frame)

    def chained(self, stage: str) -> pd.DataFrame:
        """Return what the whole path up to and with ``stage`` makes of the requests: what a user would get.

        Raises:
            StageError: a stage on the way raised or broke the rule.
        """
        before = self.pipeline.before(stage)
        frame = self.once(
            ("chained", stage),
            lambda: self.step(stage)(self.input_of(stage) if before is None else _copy(self.chained(before))),
        )
        return shared(frame)

    def parity(self, stage: str, replay: Replay = "isolated") -> Parity:
        """Return the comparison of a replay of the stage with what training saw."""

        def work() -> Parity:
            actual = self.isolated(stage) if replay == "isolated" else self.chained(stage)
            return compare(
                self.reference.frame(stage),
                actual,
                key=self.pipeline.key,
                tolerances=self.policy.of(stage).tolerances,
                floors=self.reference.noise.get(stage, {}),
            )

        return self.once(("parity", replay, stage), work)

    def once(self, name: Any, work: Callable[[], T]) -> T:
        """Do a piece of work the first time it is asked for under ``name``, and return its result every time."""
        with self._lock:
            future = self._done.get(name)
            mine = future is None
            if future is None:
                future = self._done[name] = Future()
        if mine:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
                raise
        result: T = future.result()
        return result

    def hold(self, manager: AbstractContextManager[T]) -> T:
        """Enter what shall live as long as the trial, such as a started service, and return what it gives."""
        with self._holding:
            return self._held.enter_context(manager)

    def close(self) -> None:
        """Leave everything that is held. Whoever makes a trial closes it, or uses it in a ``with`` block."""
        with self._holding:
            self._held.close()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _copy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy that shares nothing, lists and dicts in cells included."""
    own = frame.copy()
    for name in (n for n, dtype in frame.dtypes.items() if dtype.kind == "O"):
        if isinstance(next(iter(frame[name].dropna()), None), list | dict | set | np.ndarray):
            own[name] = frame[name].map(deepcopy)
    return own


@dataclass(frozen=True)
class ChampionContract:
    """Values and paths alone, so that another process can be handed them.

    Attributes:
        version: its number.
        openapi: the document of its service when it last passed; None where none is stored.
        why: there is no document, in words.
        reference: the directory of its reference, for its answers; None where it is the version on trial, or has none.
    """

    version: str
    openapi: Mapping[str, Any] | None = field(default=None, repr=False)
    why: str = ""
    reference: Path | None = None
