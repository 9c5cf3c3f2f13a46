"""The pipeline: its stages in order, each as a plain step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import PipelineError, nearest
from seatrial.pipeline.parts import Dependency, Key, Service, Stage, Step
from seatrial.pipeline.refusals import RESERVED, check_keys, check_model, check_service, check_settings
from seatrial.pipeline.requests import key_columns
from seatrial.pipeline.rule import parameters_of, run_stage


class Pipeline:
    """The path from raw input to response.

    Stages are keyword arguments in the order they run: two or more, under any names. A stage is a function whose
    first parameter is the frame of the previous stage; the first stage receives the requests as they arrive. Its
    other parameters are ``model`` and the names of dependencies, and the pipeline fills them.

    Args:
        name: the name of the pipeline.
        key: the column, or the columns together, that name a request. They are unique and never null, and every stage
            keeps them.
        model: a function from the local path of a model version to the loaded model.
        dependencies: what stages call while they run.
        service: how the served model is started and called.
        **stages: the stages by name: functions, or a :class:`Stage` that says more about one.

    Raises:
        PipelineError: there are fewer than two stages, a name is reserved or given twice, a stage stands under the
            name of a setting, a stage has a parameter that the pipeline cannot fill, or none takes the model.

    Example:
        >>> def parse(frame):
        ...     return frame.astype({"amount": float})
        >>> def predict(frame, model):
        ...     return frame.assign(score=frame["amount"] * model)
        >>> pipeline = Pipeline("payments", key="id", model=float, raw=parse, prediction=predict)
        >>> pipeline.stages
        ('raw', 'prediction')
        >>> pipeline.step("prediction", model=0.5)(pd.DataFrame({"id": ["t-1"], "amount": [8.0]}))["score"].tolist()
        [4.0]
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        key: Key,
        model: Callable[[str], Any] | None = None,
        dependencies: Sequence[Dependency] = (),
        service: Service | None = None,
        **stages: Callable[..., pd.DataFrame] | Stage,
    ) -> None:
        check_settings(name, key=key, model=model, dependencies=dependencies, service=service)
        self.name = name
        self.key: Any = key if isinstance(key, str) else tuple(key)
        self.model = model
        self.service = service
        self.source: tuple[Path, str] | None = None  # the file and name it was loaded from, where a project loaded it
        made_in = Path(sys._getframe(1).f_code.co_filename)
        self._made_in = made_in.resolve().parent if made_in.is_file() else None
        self.dependencies = {d.name: d for d in dependencies}
        if len(self.dependencies) != len(dependencies):
            raise PipelineError(
                f"Pipeline '{name}' has two dependencies of one name: {', '.join(d.name for d in dependencies)}. "
                "Rename one of them."
            )
        if taken := set(self.dependencies) & {*stages, *RESERVED}:
            raise PipelineError(
                f"Dependency '{min(taken)}' of pipeline '{name}' has the name of a stage or a setting. Rename it."
            )
        if odd := [s for s in (*stages, *self.dependencies) if not s.isidentifier()]:
            raise PipelineError(
                f"Pipeline '{name}' has a stage or dependency '{odd[0]}'. Its name is used for files and columns: "
                "use letters, digits and _."
            )
        if len(stages) < 2:
            raise PipelineError(
                f"Pipeline '{name}' has {len(stages)} stage(s); it needs two or more. "
                "Pass them as keyword arguments in order, such as raw=parse, features=build_features."
            )
        fillable = [*(["model"] if model else []), *self.dependencies]
        declared = {s: f if isinstance(f, Stage) else Stage(f) for s, f in stages.items()}
        check_keys(name, key, declared)
        self._stages = {
            s: replace(stage, name=s, needs=stage.needs or parameters_of(s, stage.function, fillable))
            for s, stage in declared.items()
        }
        check_model(name, self._stages, model)
        served = self._stages.get((service and service.serves) or "", list(self._stages.values())[-1])
        check_service(name, service, key, served)

    @property
    def folder(self) -> Path:
        """Return the folder of the file that defines it, where its service runs; the current one where none does."""
        return self.source[0].parent if self.source else self._made_in or Path.cwd()

    @property
    def stages(self) -> tuple[str, ...]:
        """Return the names of the stages in order."""
        return tuple(self._stages)

    @property
    def path(self) -> tuple[str, ...]:
        """Return the places where a difference can originate, in order.

        Each dependency stands before the first stage that uses it.
        """
        places: list[str] = []
        for stage in self._stages.values():
            places += [n for n in stage.needs if n in self.dependencies and n not in places]
            places.append(stage.name)
        return tuple(places)

    def stage(self, name: str) -> Stage:
        """Return one stage.

        Raises:
            PipelineError: there is no such stage; the message names the nearest one.
        """
        if name not in self._stages:
            raise PipelineError(
                f"Pipeline '{self.name}' has no stage '{name}'. Its stages: {', '.join(self.stages)}."
                f"{nearest(name, self.stages)}"
            )
        return self._stages[name]

    def key_of(self, name: str | None = None) -> tuple[str, ...]:
        """Return the columns that name a row of a stage's frame; of a request where no stage is named.

        Example:
            >>> ranking = Stage(lambda frame: frame, key=("id", "item"))
            >>> shop = Pipeline("shop", key="id", raw=lambda frame: frame, ranking=ranking)
            >>> shop.key_of(), shop.key_of("raw"), shop.key_of("ranking")
            (('id',), ('id',), ('id', 'item'))
        """
        own = None if name is None else self.stage(name).key
        return key_columns(self.key if own is None else own)

    def rows_of(self, name: str) -> dict[str, Any]:
        """Return how rows of a stage's frames are matched, as arguments of :func:`seatrial.parity.compare.compare`.

        Example:
            >>> ranking = Stage(lambda frame: frame, key=("id", "item"), ordered=True)
            >>> shop = Pipeline("shop", key="id", raw=lambda frame: frame, ranking=ranking)
            >>> shop.rows_of("ranking")
            {'key': ('id', 'item'), 'request': ('id',), 'ordered': True}
        """
        return {"key": self.key_of(name), "request": self.key_of(), "ordered": self.stage(name).ordered}

    def before(self, name: str) -> str | None:
        """Return the stage before ``name``; None for the first, which receives the requests."""
        at = self.stages.index(self.stage(name).name)
        return self.stages[at - 1] if at else None

    def connect(self, *names: str) -> dict[str, Any]:
        """Return clients of the named dependencies, connected to their own addresses; of all where none is named.

        Raises:
            PipelineError: a dependency cannot be reached.
        """
        return {name: _connect(d) for name, d in self.dependencies.items() if not names or name in names}

    def step(
        self,
        name: str,
        *,
        model: Any = None,
        clients: Mapping[str, Any] | None = None,
        columns: Container[str] = (),
    ) -> Step:
        """Return a stage as a step: its parameters are filled, and the frame it returns is checked.

        Args:
            name: the stage.
            model: the loaded model, for stages that need it.
            clients: the client of each dependency by name, for stages that need one.
            columns: names that a message may mention when the stage fails for want of one of them.

        Raises:
            PipelineError: the stage needs a model or a client that was not given.
        """
        stage = self.stage(name)
        given = {**(clients or {}), **({} if model is None else {"model": model})}
        if missing := [n for n in stage.needs if n not in given]:
            how = "model=..." if missing[0] == "model" else f"clients={{'{missing[0]}': ...}}"
            raise PipelineError(f"Stage '{name}' needs '{missing[0]}', and none was given. Pass {how}.")
        return partial(run_stage, stage, self.key_of(name), {n: given[n] for n in stage.needs}, columns)

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}: {' → '.join(self.stages)})"


def _connect(dependency: Dependency) -> Any:
    try:
        return dependency.connect(dependency.address)
    except Exception as error:
        raise PipelineError(
            f"Dependency '{dependency.name}' cannot be reached: {type(error).__name__}. "
            "Start it, or correct its url in the pipeline."
        ) from error
