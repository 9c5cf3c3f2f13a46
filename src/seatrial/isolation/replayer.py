"""A replayer whose stages run in a worker, of which it believes frames and errors alone, each bounded and checked."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import ReferenceInvalid, SeatrialError
from seatrial.isolation import hooks, messages
from seatrial.isolation.description import described
from seatrial.isolation.launch import Launch
from seatrial.isolation.prestart import Opening, opening
from seatrial.isolation.process import Process
from seatrial.isolation.results import results_of
from seatrial.isolation.rpc import RpcClient
from seatrial.pipeline import Answered, HttpAnswer, HttpRequest, Model, Pipeline, Poll, Replayed, Source
from seatrial.reference.snapshot import Reference
from seatrial.worker import frames
from seatrial.worker.hooks import answer_frame

LOAD_SECONDS, CASE_SECONDS = 300.0, 1800.0
CLOSE_SECONDS = 30.0  # for a worker to end by itself


class RemoteReplayer:
    """Runs the stages of a pipeline in a worker. Its methods may be called from several threads.

    Args:
        launch: how the worker is started.
        source: the file of the pipeline, and its name in it.
        root: of the project; a process that was started for it before, with that seed, is taken.
        hash_seed: the worker's ``PYTHONHASHSEED``; that of this process by default.
        load_seconds: the time it may take to read the pipeline, and again to load the models.
        case_seconds: the time that one request may take.
        process: a worker that runs already, in place of a new one.
        pipeline: what that worker described before.

    Attributes:
        loaded: the reference and the models that were loaded last.
    """

    def __init__(
        self,
        launch: Launch,
        source: tuple[Path, str],
        *,
        root: Path | None = None,
        hash_seed: int | None = None,
        load_seconds: float = LOAD_SECONDS,
        case_seconds: float = CASE_SECONDS,
        process: Process | None = None,
        pipeline: Pipeline | None = None,
    ) -> None:
        self.launch, self.source, self._taken_for = launch, source, root
        self.load_seconds, self.case_seconds = load_seconds, case_seconds
        if process is None:
            self._opening = opening(launch, source, root=root, hash_seed=hash_seed)
        else:
            self._opening = Opening(RpcClient(process), 0)
        self._rpc = self._opening.rpc
        self.process = self._rpc.process
        self._models: tuple[Model, ...] = ()
        self._pipeline = pipeline
        self._files = itertools.count()
        self._turn = threading.Lock()
        self.loaded: tuple[Reference | None, Mapping[Model, Path]] = (None, {})

    @property
    def broken(self) -> str | None:
        """Why no stage can run any more, as a sentence; None while they can."""
        return self._rpc.broken

    @property
    def models(self) -> Collection[Model]:
        """Whose models it has loaded."""
        return self._models

    def pipeline(self) -> Pipeline:
        """Return the pipeline as the worker describes it: its stages run there alone.

        Raises:
            ProjectError, PipelineError: it cannot be used.
            IsolationError: the worker ended over it, or took too long.
        """
        if self._pipeline is None:
            what = "reading the pipeline, load_seconds"
            opened = self._rpc.reply(self._opening.request, messages.Opened, self.load_seconds, what)
            self._pipeline = described(opened, self.source)
        return self._pipeline

    def load(self, reference: Reference, models: Mapping[Model, Path]) -> None:
        """Load the models, with what the dependencies of the reference answered.

        Raises:
            IsolationError: a model could not be loaded, or the worker ended over it, broke a limit, or took too long.
        """
        reference.write_record(self.process.folders.frames)
        placed = {role: str(self.process.placed(path, role)) for role, path in models.items()}
        what = "loading the model, load_seconds"
        reply = self.request("load", messages.Loaded, self.load_seconds, what, models=placed)
        self._models = tuple(reply.models)
        self.loaded = (reference, dict(models))

    def placed(self, model: Path, role: Model = "version") -> Path:
        """Return the path under which the worker, and the services beside it, find a model."""
        return self.process.placed(model, role)

    def replay(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """See :meth:`seatrial.pipeline.Replayer.replay`.

        Raises:
            IsolationError: the worker ended, broke a limit or the protocol, or took too long.
        """
        return self._replayed(stages, batches, model, sources or {}, in_turn=False)

    def replay_in_turn(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        *,
        model: Model = "version",
        sources: Mapping[str, Source] | None = None,
    ) -> list[Replayed]:
        """As :meth:`replay`; of what is asked so, the worker runs one at a time.

        The frames cannot be written into, and those that were handed on as they are stored say so.
        """
        return self._replayed(stages, batches, model, sources or {}, in_turn=True)

    def _replayed(
        self,
        stages: Sequence[str],
        batches: Sequence[pd.DataFrame],
        model: Model,
        sources: Mapping[str, Source],
        *,
        in_turn: bool,
    ) -> list[Replayed]:
        with self.sent(batches) as given, self._turn if in_turn else contextlib.nullcontext():
            reply = self._in_case(
                "replay", messages.ReplayedReply, f"stage '{stages[0]}'", stages=list(stages), file=given,
                batches=len(batches), model=model, sources=dict(sources), marked=in_turn,
            )  # fmt: skip
        count = sum(r is None for results in reply.results for r in results)
        found = self._frames(reply.file, count, read_only=in_turn)
        try:
            return results_of(reply, found, stages, len(batches), self.pipeline().key_of, marked=in_turn)
        except ValueError as error:
            raise self._rpc.unreadable(str(error)) from error

    def ask(self, dependency: str, calls: Sequence[str] = ()) -> Answered:
        """See :meth:`seatrial.pipeline.Replayer.ask`."""
        what = f"dependency '{dependency}'"
        reply = self._in_case("ask", messages.AnsweredReply, what, dependency=dependency, calls=list(calls))
        rows = self._frames(reply.file, len(reply.lookups))
        answered = Answered(dict(zip(reply.lookups, rows, strict=True)), reply.calls)
        if {*answered.lookups, *answered.calls} != set(calls):
            raise self._rpc.unreadable("answers to other calls than were repeated")
        return answered

    def write_requests(self, batches: Sequence[pd.DataFrame]) -> list[HttpRequest]:
        """See :meth:`seatrial.pipeline.Replayer.write_requests`."""
        with self.sent(batches) as given:
            what, kind = "the request hook", messages.RequestedReply
            reply = self._in_case("write_requests", kind, what, file=given, batches=len(batches))
        return hooks.requests_of(self._frames(reply.file, 1), len(batches), self._rpc.unreadable)

    def read_answers(self, answers: Sequence[HttpAnswer]) -> list[pd.DataFrame | Poll | SeatrialError]:
        """See :meth:`seatrial.pipeline.Replayer.read_answers`."""
        with self.sent([answer_frame(answers)]) as given:
            reply = self._in_case("read_answers", messages.ReadReply, "the response hook", file=given)
        found = self._frames(reply.file, sum(not r.error and r.poll is None for r in reply.results))
        return hooks.answers_of(reply, found, len(answers), self._rpc.unreadable)

    def environment(self) -> Mapping[str, Any]:
        """See :meth:`seatrial.pipeline.Replayer.environment`."""
        found: messages.Described = self._in_case("environment", messages.Described, "the environment")
        return found.environment

    def request(self, request: str, kind: type[Any], seconds: float, what: str, **fields: Any) -> Any:
        """Send a request and return the reply of this kind; ``what`` is it, with its limit, in a message.

        Raises:
            IsolationError: the worker ended, broke the protocol, or took longer.
            SeatrialError: of the kind that the worker names.
        """
        return self._rpc.reply(self._rpc.begin(request, **fields), kind, seconds, what)

    def another(self, hash_seed: int) -> RemoteReplayer:
        """Return one in a process of its own, started alike."""
        return RemoteReplayer(
            self.launch, self.source, root=self._taken_for, hash_seed=hash_seed,
            load_seconds=self.load_seconds, case_seconds=self.case_seconds,
        )  # fmt: skip

    def give_up(self, why: str) -> None:
        """End the worker; ``why`` is a sentence."""
        self._rpc.give_up(why)

    def close(self, within_seconds: float = CLOSE_SECONDS) -> None:
        """End the worker, and wait so long for it to end by itself."""
        self._rpc.close(within_seconds)

    def __enter__(self) -> RemoteReplayer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(CLOSE_SECONDS if kind is None else 0.0)

    def _in_case(self, request: str, kind: type[Any], what: str, **fields: Any) -> Any:
        return self.request(request, kind, self.case_seconds, f"{what}, case_seconds", **fields)

    def new_path(self, suffix: str = "") -> Path:
        """Return where something may be written for the worker to read."""
        return self.process.folders.frames / f"j{next(self._files)}{suffix}"

    @contextlib.contextmanager
    def sent(self, batches: Sequence[pd.DataFrame]) -> Iterator[str]:
        """Write the batches, give the name of their file, and remove it."""
        path = self.new_path(".arrow")
        frames.write(batches, path)
        try:
            yield path.name
        finally:
            path.unlink(missing_ok=True)

    def _frames(self, name: str, count: int, *, read_only: bool = False) -> list[pd.DataFrame]:
        """Read the frames of a file that the worker wrote, and remove it."""
        path = self.process.folders.frames / name
        try:
            return list(frames.read(path, count, read_only=read_only))
        except ReferenceInvalid as error:
            raise self._rpc.unreadable(str(error)) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
