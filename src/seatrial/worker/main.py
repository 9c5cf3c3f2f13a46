"""The process that runs a project's code for a judge, which starts it and gives it FOLDER.

It reads requests from standard input, one JSON object a line, each with an ``id``, and sends one reply to each to
standard output, in any order; before the first it sends ``ready``, without being asked. Frames are Arrow streams in
files of FOLDER: a request names the file to read, a reply the one that was written.

- ``open``: the pipeline's file is run; the reply ``opened`` describes the pipeline.
- ``load``: the models and the record of the dependencies are loaded; the reply is ``loaded``.
- ``replay``: consecutive stages run on each batch; the reply ``replayed`` lists what each of them gave.
- ``ask``: recorded calls of a live dependency are repeated; the reply is ``answered``.
- ``capture``: a reference is captured, with live dependencies; the reply ``captured`` names its folder.
- ``environment``: the reply ``described`` has the environment of this process.
- ``close``: the process ends.
- those of a mutation test are in ``mutants.py``, those of a service's hooks in ``hooks.py``.

The reply ``failed`` has the name of an error of seatrial's, or ``model`` for an error of the project's code, and the
traceback of that code.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError, StageError
from seatrial.io.loading import import_sooner
from seatrial.pipeline import LocalReplayer, Pipeline, Returned, Stage, describe
from seatrial.reference.capture import captured
from seatrial.reference.environment import environment
from seatrial.reference.record import Record
from seatrial.reference.recording import repeat
from seatrial.worker import frames, hooks
from seatrial.worker.channel import LineChannel
from seatrial.worker.failures import ModelError, error_record, failure
from seatrial.worker.limits import hold_to
from seatrial.worker.loading import load_pipeline
from seatrial.worker.mutants import Mutants
from seatrial.worker.stored import handed_as_stored

HOOKS = ("request", "response")  # of a service


class Worker:
    """One pipeline, from the first request to the last.

    Args:
        channel: to the process that asks.
        folder: where the frames are.
        first_file: the number of the first file that it writes.
    """

    def __init__(self, channel: LineChannel, folder: Path, first_file: int = 0) -> None:
        self.channel, self.folder = channel, folder
        self.source: tuple[Path, str]
        self.pipeline: Pipeline
        self.replayer: LocalReplayer
        self._files = itertools.count(first_file)
        in_turn: dict[str, Callable[..., dict[str, Any]]] = {
            "open": self.open, "load": self.load, **Mutants(self, description, Worker).requests,
        }  # fmt: skip
        self._in_turn: Collection[str] = in_turn.keys()
        self._requests: Mapping[str, Callable[..., dict[str, Any]]] = {
            **in_turn, "replay": self.replay, "ask": self.ask, "capture": self.capture,
            "environment": self.environment, "write_requests": self.write_requests, "read_answers": self.read_answers,
        }  # fmt: skip

    def serve(self) -> None:
        """Reply to requests until one closes the process, or the other end is closed. Replays run side by side."""
        self.channel.send({"reply": "ready", "id": 0})
        while (request := self.channel.receive()) is not None:
            if request["request"] == "close":
                return
            if request["request"] in self._in_turn:
                self.reply(request)
            else:
                threading.Thread(target=self.reply, args=(request,), daemon=True).start()

    def reply(self, request: Mapping[str, Any]) -> None:
        """Send the reply to a request, or what made it fail."""
        fields = {name: value for name, value in request.items() if name not in ("id", "request")}
        try:
            answer = self._requests[request["request"]](**fields)
        except (Exception, SystemExit) as error:  # noqa: BLE001  of the project's own code
            answer = failure(error)
        self.channel.send({**answer, "id": request["id"]})

    def open(self, file: str, name: str, limits: Mapping[str, int]) -> dict[str, Any]:
        """Run the pipeline's file and describe the pipeline."""
        hold_to(limits)
        self.source = (Path(file), name)
        self.pipeline = load_pipeline(*self.source)
        return {"reply": "opened", **description(self.pipeline)}

    def load(self, models: Mapping[str, str]) -> dict[str, Any]:
        """Load the models, which is where their own code runs first, and the record of the dependencies."""
        record = Record(self.folder)
        clients = record.clients()
        load = self.pipeline.model
        loaded: dict[Any, Any] = {}
        for role, path in models.items():
            try:
                loaded[role] = load(path) if load else None
            except (Exception, SystemExit) as error:
                what = "model" if role == "version" else f"{role}'s model"
                raise ModelError(f"The {what} could not be loaded: {describe(error)}.") from error
        self.replayer = LocalReplayer(
            self.pipeline,
            models=loaded,
            recorded=lambda: clients,
            columns=record.columns,
            repeat=lambda name, client, calls: repeat(name, client, record.answers(name), calls),
        )
        return {"reply": "loaded", "models": list(self.replayer.models)}

    def replay(
        self, stages: Sequence[str], file: str, batches: int, model: Any, sources: Mapping[str, Any], marked: bool
    ) -> dict[str, Any]:
        """Run consecutive stages on each batch and write what they returned; ``marked``, say what is as stored."""
        given = frames.read(self.folder / file, batches, indexed=True)
        results: list[list[dict[str, str] | None]] = []
        as_stored: list[list[int]] = []
        path = self._new_file()
        with frames.StageWriter(path, len(stages), batches) as written:
            for batch in self.replayer.each(stages, given, model=model, sources=sources):
                of_batch: list[dict[str, str] | None] = []
                as_stored.append([])
                for at, (stage, result) in enumerate(zip(stages, batch)):  # noqa: B905  an error ends it early
                    error = result if isinstance(result, StageError) else None
                    if isinstance(result, Returned):
                        try:
                            numbers = [at] * (marked and handed_as_stored(result))
                            written.add(result.frame, at, f"stage '{stage}'")
                            as_stored[-1] += numbers
                        except SeatrialError as wrong:
                            error = StageError(stage, str(wrong))
                    of_batch.append(None if error is None else error_record(error))
                    if error is not None:
                        break
                results.append(of_batch)
        return {"reply": "replayed", "file": path.name, "results": results, "as_stored": as_stored}

    def ask(self, dependency: str, calls: Sequence[str]) -> dict[str, Any]:
        """Repeat recorded calls of a live dependency and write what it answers."""
        answered = self.replayer.ask(dependency, calls)
        path = self._new_file()
        frames.write(list(answered.lookups.values()), path)
        return {"reply": "answered", "file": path.name, "lookups": list(answered.lookups), "calls": answered.calls}

    def capture(self, file: str, given: Sequence[str], labels: bool, model: str, seed: int) -> dict[str, Any]:
        """Capture a reference from the requests, the frames given by stage and the labels, in this order in a file.

        Of requests in a folder of Parquet files, it is captured in partitions.
        """
        source = self.folder / file
        if source.is_dir():
            reference = captured(self.pipeline, source, model=model, seed=seed)
        else:
            requests, *rest = frames.read(source, 1 + len(given) + labels)
            reference = captured(
                self.pipeline, requests, model=model, seed=seed, labels=rest[-1] if labels else None,
                given=dict(zip(given, rest)),  # noqa: B905  labels follow
            )  # fmt: skip
        folder = f"reference-{next(self._files)}"
        reference.save(self.folder / folder)
        return {"reply": "captured", "folder": folder}

    def write_requests(self, file: str, batches: int) -> dict[str, Any]:
        """Write the service's requests of each batch."""
        return hooks.write_requests(self.replayer, self.folder / file, batches, self._new_file())

    def read_answers(self, file: str) -> dict[str, Any]:
        """Read the service's answers."""
        return hooks.read_answers(self.replayer, self.folder / file, self._new_file())

    def environment(self) -> dict[str, Any]:
        """Describe the environment of this process."""
        return {"reply": "described", "environment": environment()}

    def _new_file(self) -> Path:
        return self.folder / f"w{next(self._files)}.arrow"


def description(pipeline: Pipeline) -> dict[str, Any]:
    """Return what a pipeline declares, as JSON types."""
    service = pipeline.service
    return {
        "name": pipeline.name,
        "key": list(pipeline.key_of()),
        "stages": [stage_description(pipeline.stage(s)) for s in pipeline.stages],
        "dependencies": [
            {"name": d.name, "url": d.url, "fallback": d.fallback is not None} for d in pipeline.dependencies.values()
        ],
        "service": None if service is None else {
            "command": list(map(str, service.command)), "ready": service.ready, "predict": service.predict,
            "stop": list(map(str, service.stop)),
            "openapi": service.openapi, "env": dict(service.env), "batch": service.batch, "serves": service.serves,
            "cwd": None if service.cwd is None else str(service.cwd), "ready_seconds": float(service.ready_seconds),
            "url": service.url, "headers": dict(service.headers),
            "verify": service.verify if isinstance(service.verify, bool) else str(service.verify),
            "cert": [str(service.cert)] if isinstance(service.cert, str) else list(map(str, service.cert or ())),
            **{hook: str(getattr(f, "__name__", hook)) if (f := getattr(service, hook)) else "" for hook in HOOKS},
            "envelope": service.envelope,
            "poll_seconds": None if service.poll_seconds is None else float(service.poll_seconds),
        },
        "loads_model": pipeline.model is not None,
    }  # fmt: skip


def stage_description(stage: Stage) -> dict[str, Any]:
    """Return what a pipeline says of a stage, as JSON types."""
    key = (stage.key,) if isinstance(stage.key, str) else stage.key
    return {
        "name": stage.name, "needs": list(stage.needs), "key": None if key is None else list(key),
        "ordered": stage.ordered, "samples": None if stage.samples is None else vars(stage.samples),
        "calls": stage.calls, "columns": list(stage.columns), "batch_dependent": stage.batch_dependent,
    }  # fmt: skip


def channel_on_standard_streams() -> LineChannel:
    """Return the channel, and give standard output to what the project's code prints."""
    reading, writing = os.dup(0), os.dup(1)  # not inherited by what the project's code starts
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return LineChannel(reading, writing)


def main(folder: str) -> None:
    """Serve standard input, then end at once, whatever threads still run."""
    import_sooner()
    try:
        Worker(channel_on_standard_streams(), Path(folder)).serve()
    except BaseException:  # noqa: BLE001  whatever it is, it is printed, and the process ends
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
