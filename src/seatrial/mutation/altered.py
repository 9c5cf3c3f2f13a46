"""A replayer in which one stage returns other frames than it does; they are changed here, wherever the stages run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from seatrial.errors import ReferenceInvalid, StageError
from seatrial.pipeline import Answered, Model, Replayed, Replayer, Source, check_keyed, own_copy


class Inapplicable(Exception):
    """A frame mutant whose operator cannot be applied to this frame: it was never in the pipeline."""


class Altered:
    """Runs stages by another replayer and changes what one of them returns; the next stage gets the changed frame.

    Args:
        replayer: runs the stages.
        stage: whose frames are changed.
        key: the key columns of its frames.
        change: returns the changed frame; Inapplicable where it cannot.
    """

    def __init__(
        self, replayer: Replayer, stage: str, key: Sequence[str], change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        self._replayer, self._stage, self._key, self._change = replayer, stage, key, change

    @property
    def models(self) -> Collection[Model]:
        """See :class:`seatrial.pipeline.Replayer`."""
        return self._replayer.models

    def replay(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """See :meth:`seatrial.pipeline.Replayer.replay`."""
        if self._stage not in stages:
            return self._replayer.replay(stages, batches, model=model, sources=sources)
        until = stages.index(self._stage) + 1
        found = self._replayer.replay(stages[:until], batches, model=model, sources=sources)
        for results in found:
            if isinstance(frame := results[-1], pd.DataFrame):
                results[-1] = self._changed(frame)
        rest = stages[until:]
        for results in found if rest else ():
            if isinstance(frame := results[-1], pd.DataFrame):
                try:
                    [further] = self._replayer.replay(rest, [own_copy(frame)], model=model, sources=sources)
                except ReferenceInvalid as error:  # it cannot be carried to a worker: no stage could return it
                    results[-1] = StageError(self._stage, str(error))
                else:
                    results.extend(further)
        return found

    def ask(self, dependency: str, calls: Sequence[str] = ()) -> Answered:
        """See :meth:`seatrial.pipeline.Replayer.ask`."""
        return self._replayer.ask(dependency, calls)

    def environment(self) -> Mapping[str, Any]:
        """See :meth:`seatrial.pipeline.Replayer.environment`."""
        return self._replayer.environment()

    def _changed(self, frame: pd.DataFrame) -> pd.DataFrame | StageError:
        try:
            changed = self._change(frame)
            check_keyed(self._stage, self._key, changed)
        except StageError as error:
            return error
        except Inapplicable as error:
            wrong = StageError(self._stage, f"The mutant of stage '{self._stage}' cannot be applied to its frame.")
            wrong.__cause__ = error
            return wrong
        return changed
