"""What a mutation test puts into a pipeline: a code mutant, or a frame mutant that changes what a stage returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import pandas as pd

from seatrial.errors import ProjectError
from seatrial.mutation.code_changes import CodeChange
from seatrial.mutation.operators.frames import OPERATORS
from seatrial.mutation.patching import load_patched
from seatrial.pipeline import Pipeline


class Inapplicable(Exception):
    """A frame mutant whose operator cannot be applied to this frame: it was never in the pipeline."""


@dataclass(frozen=True)
class FrameMutant:
    """A change of what one stage returns.

    Example::

        FrameMutant("times_1000", "features", ("amount",)).apply(pipeline)

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

    def apply(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline with the stage wrapped."""
        change = OPERATORS[self.operator].apply

        def mutated(out: pd.DataFrame) -> pd.DataFrame:
            if not len(out):
                return out
            try:
                return change(out, *self.on)
            except Exception as error:
                raise Inapplicable from error

        return with_stages(pipeline, **{self.stage: _then(pipeline.stage(self.stage).function, mutated)})

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

    def apply(self, pipeline: Pipeline) -> Pipeline:
        """Load the pipeline again with the changed code; raises whatever loading raises."""
        if pipeline.source is None:
            raise ProjectError(f"Pipeline '{pipeline.name}' was not loaded from a project; its code cannot be changed.")
        loaded = load_patched(pipeline.source, self.change.file, self.change.source)
        loaded.service = None
        return loaded

    def __str__(self) -> str:
        return f"{self.change.file.name}:{self.change.line} in {self.change.definition}"


@dataclass(frozen=True)
class Original:
    """No change at all: a pipeline that every check must pass."""

    stages: tuple[str, ...]

    def apply(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline unchanged, loaded again where it was loaded from a file."""
        loaded = with_stages(pipeline) if pipeline.source is None else load_patched(pipeline.source)
        loaded.service = None
        return loaded

    def __str__(self) -> str:
        return "no mutant"


Mutant = FrameMutant | CodeMutant | Original


def with_stages(pipeline: Pipeline, **changed: Callable[..., pd.DataFrame]) -> Pipeline:
    """Return the pipeline with other functions for some stages, and without its service."""
    functions: dict[str, Any] = {name: pipeline.stage(name).function for name in pipeline.stages} | changed
    dependencies = list(pipeline.dependencies.values())
    return Pipeline(pipeline.name, key=pipeline.key, model=pipeline.model, dependencies=dependencies, **functions)


def _then(stage: Callable[..., pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[..., Any]:
    @wraps(stage)
    def changed(frame: pd.DataFrame, **needs: Any) -> pd.DataFrame:
        return change(stage(frame, **needs))

    return changed
