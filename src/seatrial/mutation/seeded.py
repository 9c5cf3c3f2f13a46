"""What can be seeded into a pipeline: a mutant of its code, or a fault on what a stage answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import pandas as pd

from seatrial.errors import ProjectError
from seatrial.mutation.mutants import Mutant
from seatrial.mutation.operators.frames import KINDS
from seatrial.mutation.patching import transplanted
from seatrial.pipeline import Pipeline


class Inapplicable(Exception):
    """A fault that could not be put on this frame: it was never seeded."""


@dataclass(frozen=True)
class FrameFault:
    """A fault on what one stage answers, and what it is applied to: columns, or the key for one of the whole frame."""

    kind: str
    stage: str
    on: tuple[str, ...]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stage it is born in."""
        return (self.stage,)

    def plant(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline with the stage wrapped."""
        fault = KINDS[self.kind].apply

        def faulty(out: pd.DataFrame) -> pd.DataFrame:
            if not len(out):
                return out
            try:
                return fault(out, *self.on)
            except Exception as error:
                raise Inapplicable from error

        return with_stages(pipeline, **{self.stage: _then(pipeline.stage(self.stage).function, faulty)})

    def __str__(self) -> str:
        whole = KINDS[self.kind].fits is None
        return f"{self.kind} of {self.stage}{'' if whole else f'.{self.on[0]}'}"


@dataclass(frozen=True)
class MutantFault:
    """A mutant of the code that some stages reach."""

    mutant: Mutant

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that reach it, in path order."""
        return self.mutant.stages

    def plant(self, pipeline: Pipeline) -> Pipeline:
        """Load the pipeline anew with the mutant in it; raises whatever loading raises."""
        if pipeline.source is None:
            raise ProjectError(f"Pipeline '{pipeline.name}' was not loaded from a project; its code cannot be changed.")
        made = transplanted(pipeline.source, self.mutant.file, self.mutant.source)
        made.service = None
        return made

    def __str__(self) -> str:
        return f"{self.mutant.file.name}:{self.mutant.line} in {self.mutant.definition}"


@dataclass(frozen=True)
class NoFault:
    """Nothing at all: what an exam must not find fault with."""

    stages: tuple[str, ...]

    def plant(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline as it is, loaded anew where it was loaded from a file."""
        made = with_stages(pipeline) if pipeline.source is None else transplanted(pipeline.source)
        made.service = None
        return made

    def __str__(self) -> str:
        return "no fault"


Seeded = FrameFault | MutantFault | NoFault


def with_stages(pipeline: Pipeline, **changed: Callable[..., pd.DataFrame]) -> Pipeline:
    """Return the pipeline with other functions in the place of some stages, and without its service."""
    functions: dict[str, Any] = {name: pipeline.stage(name).function for name in pipeline.stages} | changed
    dependencies = list(pipeline.dependencies.values())
    return Pipeline(pipeline.name, key=pipeline.key, model=pipeline.model, dependencies=dependencies, **functions)


def _then(stage: Callable[..., pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[..., Any]:
    @wraps(stage)
    def changed(frame: pd.DataFrame, **needs: Any) -> pd.DataFrame:
        return change(stage(frame, **needs))

    return changed
