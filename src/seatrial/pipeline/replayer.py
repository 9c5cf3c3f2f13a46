"""What runs the stages for a trial: the one seam between what is validated and what validates it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import pandas as pd

from seatrial.errors import PipelineError, SeatrialError, StageError
from seatrial.pipeline.copies import own_copy
from seatrial.pipeline.hooks import HttpAnswer, HttpRequest, Poll, reading, written
from seatrial.pipeline.path import Pipeline
from seatrial.pipeline.returned import Returned

Model = Literal["version", "champion"]
"""Whose model a stage gets: that of the version under validation, or the champion's."""

Source = Literal["recorded", "live", "fallback"]
"""What answers for a dependency: its recorded responses, the dependency itself, or its declared fallback."""

Replayed = list[pd.DataFrame | StageError]
"""The results of consecutive stages on one batch: their frames, and last the error of the stage that ended it."""


@dataclass(frozen=True)
class Answered:
    """What a live dependency answers to calls that were recorded at capture.

    Attributes:
        lookups: by recorded call, the rows in the recorded layout.
        calls: by recorded call, the answer as JSON text.
    """

    lookups: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Replayer(Protocol):
    """Runs stages on frames. It returns frames and errors, and decides nothing."""

    @property
    def models(self) -> Collection[Model]:
        """Whose models it can give to a stage that needs one."""
        ...

    def replay(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """Run consecutive stages on each batch by itself, and return the results of all of them for each.

        A stage gets the very frame that the stage before returned, as in the service.

        Args:
            stages: the names of the stages, in their order.
            batches: frames of the stage before the first. They stay as they are, whatever the stages write into.
            model: whose model the stages get, where they need one.
            sources: by dependency; those not named answer as recorded.

        Raises:
            PipelineError: there is no such stage, no such model, or a live dependency cannot be reached.
        """
        ...

    def ask(self, dependency: str, calls: Sequence[str] = ()) -> Answered:
        """Connect to a live dependency and repeat calls that were recorded at capture.

        Raises:
            PipelineError: it cannot be reached, a call raised, or it answers in another shape than it did.
        """
        ...

    def environment(self) -> Mapping[str, Any]:
        """Return the environment that the stages run in, as ``seatrial.reference.environment`` describes it."""
        ...


class LocalReplayer:
    """Runs the stages of a pipeline in this process, by plain calls.

    Args:
        pipeline: its stages.
        models: the loaded models, by whose they are; one that is None is not given to a stage.
        recorded: returns the clients that replay the recorded responses, by dependency; called once, when needed.
        columns: names that a message may mention when a stage fails for want of one of them.
        repeat: repeats recorded calls of a dependency on a client, for :meth:`ask`.
        environment: returns the environment of this process.

    Example:
        >>> shop = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f.assign(score=f["amount"] / 2))
        >>> replayer = LocalReplayer(shop)
        >>> [[frame]] = replayer.replay(["score"], [pd.DataFrame({"id": ["t-1"], "amount": [8.0]})])
        >>> frame["score"].tolist()
        [4.0]
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        models: Mapping[Model, Any] | None = None,
        recorded: Callable[[], Mapping[str, Any]] = dict,
        columns: Container[str] = (),
        repeat: Callable[[str, Any, Sequence[str]], Answered] | None = None,
        environment: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._pipeline, self._recorded, self._columns = pipeline, recorded, columns
        self._models: Mapping[Model, Any] = {role: m for role, m in (models or {}).items() if m is not None}
        self._repeat, self._environment = repeat, environment

    def of(self, pipeline: Pipeline) -> LocalReplayer:
        """Return one that runs the stages of another pipeline, with the same models and recorded responses."""
        return LocalReplayer(
            pipeline, models=self._models, recorded=self._recorded, columns=self._columns, repeat=self._repeat,
            environment=self._environment,
        )  # fmt: skip

    @property
    def models(self) -> Collection[Model]:
        """Whose models it was given."""
        return self._models.keys()

    def replay(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """See :meth:`Replayer.replay`."""
        # A stage may write into the frame it gets, which is the result of the one before, and later into its own.
        return [
            [r if isinstance(r, StageError) else own_copy(r.frame) for r in results]
            for results in self.each(stages, map(own_copy, batches), model=model, sources=sources)
        ]

    def each(
        self,
        stages: Sequence[str],
        batches: Iterable[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> Iterator[Iterator[Returned | StageError]]:
        """Yield the results for each batch, each before the next stage runs and may write into it.

        The stages may write into the batches too.
        """
        clients = {**self._recorded(), **{n: self._client(n, source) for n, source in (sources or {}).items()}}
        steps = [
            self._pipeline.step(s, model=self._models.get(model), clients=clients, columns=self._columns)
            for s in stages
        ]

        def results(frame: pd.DataFrame) -> Iterator[Returned | StageError]:
            last = Returned.of(frame)
            for step in steps:
                try:
                    last = step(last)
                except StageError as error:
                    yield error
                    return
                yield last

        return (results(batch) for batch in batches)

    def ask(self, dependency: str, calls: Sequence[str] = ()) -> Answered:
        """See :meth:`Replayer.ask`."""
        client = self._client(dependency, "live")
        return self._repeat(dependency, client, calls) if self._repeat and calls else Answered()

    def write_requests(self, batches: Sequence[pd.DataFrame]) -> list[HttpRequest]:
        """See :meth:`seatrial.pipeline.hooks.Hooks.write_requests`."""
        hook = None if self._pipeline.service is None else self._pipeline.service.request
        if hook is None:
            raise PipelineError(f"The service of pipeline '{self._pipeline.name}' has no request hook.")
        return [written(hook, batch) for batch in batches]

    def read_answers(self, answers: Sequence[HttpAnswer]) -> list[pd.DataFrame | Poll | SeatrialError]:
        """See :meth:`seatrial.pipeline.hooks.Hooks.read_answers`."""
        hook = None if self._pipeline.service is None else self._pipeline.service.response
        if hook is None:
            raise PipelineError(f"The service of pipeline '{self._pipeline.name}' has no response hook.")
        return [reading(hook, answer) for answer in answers]

    def environment(self) -> Mapping[str, Any]:
        """See :meth:`Replayer.environment`."""
        return self._environment()

    def _client(self, name: str, source: Source) -> Any:
        if source == "live":
            return self._pipeline.connect(name)[name]
        if source == "recorded":
            return self._recorded()[name]
        fallback = self._pipeline.dependencies[name].fallback
        if fallback is None:
            raise PipelineError(f"Dependency '{name}' declares no fallback.")
        return fallback()
