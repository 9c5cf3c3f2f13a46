"""What a mutation test puts into a pipeline: a code mutant, or a frame mutant that changes what a stage returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import ProjectError
from seatrial.mutation.altered import Altered, Inapplicable
from seatrial.mutation.code_changes import CodeChange
from seatrial.mutation.forks import ForkedReplayer
from seatrial.mutation.operators.frames import OPERATORS
from seatrial.pipeline import Pipeline, Replayer


@dataclass(frozen=True)
class FrameMutant:
    """A change of what one stage returns.

    Example::

        FrameMutant("times_1000", "features", ("amount",)).apply(replayer, pipeline)

    Attributes:
        operator: name of the operator.
        stage: the stage whose frame changes.
        on: the columns it is applied to, or the key for an operator of the whole frame.
    """

    operator: str
    stage: str
    on: tuple[str, ...]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stage it originates in."""
        return (self.stage,)

    def apply(self, replayer: Replayer, pipeline: Pipeline) -> tuple[Replayer, Pipeline]:
        """Return a replayer that changes the frames of the stage; the pipeline is the same."""
        return Altered(replayer, self.stage, pipeline.key_of(self.stage), self._changed), pipeline

    def _changed(self, frame: pd.DataFrame) -> pd.DataFrame:
        if not len(frame):
            return frame
        try:
            with np.errstate(all="ignore"):  # a number that overflows is what the operator is for
                return OPERATORS[self.operator].apply(frame, *self.on)
        except Exception as error:
            raise Inapplicable from error

    def __str__(self) -> str:
        whole = OPERATORS[self.operator].fits is None
        return f"{self.operator} of {self.stage}{'' if whole else f'.{self.on[0]}'}"


@dataclass(frozen=True)
class CodeMutant:
    """A change of the code that some stages reach."""

    change: CodeChange

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that reach it, in path order."""
        return self.change.stages

    def apply(self, replayer: Replayer, pipeline: Pipeline) -> tuple[Replayer, Pipeline]:
        """Let the worker load its pipeline again with the changed code, and return that pipeline.

        Raises:
            IsolationError: it does not load.
            ProjectError: the stages do not run in a worker of their own.
        """
        if not isinstance(replayer, ForkedReplayer):
            raise ProjectError(f"Pipeline '{pipeline.name}' was not loaded from a project; its code cannot be changed.")
        replayer.patch(self.change.file, self.change.source)
        return replayer, bare(replayer.pipeline())

    def __str__(self) -> str:
        return f"{self.change.file.name}:{self.change.line} in {self.change.definition}"


@dataclass(frozen=True)
class Original:
    """No change at all: a pipeline that every check must pass."""

    stages: tuple[str, ...]

    def apply(self, replayer: Replayer, pipeline: Pipeline) -> tuple[Replayer, Pipeline]:
        """Return both unchanged."""
        return replayer, pipeline

    def __str__(self) -> str:
        return "no mutant"


Mutant = FrameMutant | CodeMutant | Original


def bare(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline without its service and its file: a fresh process would load it without the mutant."""
    stages: dict[str, Any] = {name: pipeline.stage(name) for name in pipeline.stages}
    dependencies = list(pipeline.dependencies.values())
    return Pipeline(pipeline.name, key=pipeline.key, model=pipeline.model, dependencies=dependencies, **stages)
