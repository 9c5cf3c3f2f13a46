"""A replayer over a channel: what it gives is what plain calls give, and what a worker makes up is not taken."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seatrial import Dependency, capture
from seatrial.errors import IsolationError, PipelineError, StageError
from seatrial.isolation import prestart
from seatrial.isolation.launch import Folders, Launch
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.pipeline import AS_STORED, LocalReplayer
from seatrial.worker import frames, main
from seatrial.worker.channel import LineChannel

FILE = """
from seatrial import Dependency, Pipeline

class Store:
    def balance(self, ids):
        return {i: len(i) for i in ids}

def raw(frame):
    return frame.assign(amount=frame["amount"].astype("float32"))

def features(frame, store):
    if (frame["amount"] < 0).any():
        raise KeyError("amount")
    return frame.assign(balance=frame["id"].map(store.balance(list(frame["id"]))), tags=[["a"]] * len(frame))

def score(frame, model):
    frame["tags"].iloc[0].append("b")
    return frame[["id"]].assign(score=frame["amount"] * model)

store = Dependency("store", url="memory://", connect=lambda _: Store(), fallback=Store)
shop = Pipeline("shop", key="id", dependencies=[store], model=lambda path: len(path), raw=raw, features=features,
                score=score)
"""
REQUESTS = pd.DataFrame({"id": ["a", "bb", "ccc"], "amount": [1.5, 2.0, 4.0]})


class Process:
    """What stands for a process: a thread of this one at the other end of the channel."""

    def __init__(self, folder: Path, serve: Callable[[socket.socket, Path], object]) -> None:
        self.socket, self.there = socket.socketpair()
        self.folders, self.log = Folders(folder), folder / "log"
        self.folders.frames.mkdir()
        self.ended, self.ending = threading.Event(), "was ended"
        self.thread = threading.Thread(target=serve, args=(self.there, self.folders.frames), daemon=True)
        self.thread.start()

    def placed(self, model: Path, name: str) -> Path:
        """Return the model's own path."""
        return model

    def wait(self, within_seconds: float | None = None) -> bool:
        """Wait for its end."""
        return self.ended.wait(within_seconds)

    def end(self) -> None:
        """End it."""
        self.ended.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


def work(end: socket.socket, folder: Path) -> None:
    """Serve as the worker does."""
    with end:
        main.Worker(LineChannel(end.fileno(), end.fileno()), folder).serve()


Start = Callable[[Callable[[socket.socket, Path], object]], RemoteReplayer]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    (tmp_path / "pipeline.py").write_text(FILE)
    monkeypatch.setattr(main, "hold_to", lambda limits: None)
    with contextlib.ExitStack() as opened:

        def started(serve: Callable[[socket.socket, Path], object]) -> RemoteReplayer:
            process = Process(tmp_path, serve)
            monkeypatch.setattr(prestart, "Process", lambda *_: process)
            replayer = RemoteReplayer(Launch(), (tmp_path / "pipeline.py", "shop"), case_seconds=20)
            opened.callback(replayer.close, 0.0)
            return replayer

        yield started


def test_it_gives_what_plain_calls_give(start: Start, tmp_path: Path) -> None:
    """The frames of all stages, an error by its stage, another source, a live answer, and the description."""
    remote = start(work)
    described = remote.pipeline()
    real = main.load_pipeline(tmp_path / "pipeline.py", "shop")
    reference = capture(real, REQUESTS, model="four")
    remote.load(reference, {"version": Path("four")})
    local = LocalReplayer(real, models={"version": 4}, recorded=reference.clients, columns=reference.columns)
    assert main.description(described) == main.description(real)
    assert [*remote.models] == ["version"]
    batches = [REQUESTS, REQUESTS.iloc[:1], REQUESTS.assign(amount=-1.0), REQUESTS.iloc[:0]]
    for stages in (described.stages, ("raw",)):
        ours = local.replay(stages, [b.copy() for b in batches])
        theirs = remote.replay(stages, batches)
        assert [len(results) for results in ours] == [len(results) for results in theirs]
        for one, other in zip(chain(*ours), chain(*theirs), strict=True):
            if isinstance(one, StageError):
                assert (one.stage, str(one)) == (other.stage, str(other))
            else:
                pd.testing.assert_frame_equal(one, other)
    [[degraded]] = remote.replay(["features"], [reference.frame("raw")], sources={"store": "fallback"})
    assert degraded["balance"].tolist() == [1, 2, 3]
    [call] = reference.answers("store").lookups
    assert remote.ask("store", [call]).lookups[call]["value"].tolist() == ["1", "2", "3"]
    assert remote.environment()["libraries"]["pandas"] == pd.__version__
    assert not list((tmp_path / "frames").glob("[jw]*.arrow"))


def test_frames_that_were_handed_over_as_they_are_stored_are_marked(start: Start) -> None:
    """Each by itself, for its batch and stage; what a stage adds that does not cross is known there alone."""
    remote = start(work)
    remote.pipeline()
    remote.load(capture(main.load_pipeline(remote.source[0], "shop"), REQUESTS, model="four"), {})
    many = pd.DataFrame({"id": [f"t-{n}" for n in range(1_000)], "amount": 1.0})
    for batch, marked in ((many, True), (many[1:], False)):
        [[few], [found]] = remote.replay_in_turn(["raw"], [REQUESTS, batch])
        assert (few.attrs.get(AS_STORED), found.attrs.get(AS_STORED)) == (None, marked or None)
        assert not any(frame.attrs for [frame] in remote.replay(["raw"], [REQUESTS, batch]))


def test_keys_that_were_not_recorded_are_told_apart(start: Start, tmp_path: Path) -> None:
    """The error of a stage whose dependency has no such record says so across the channel."""
    remote = start(work)
    real = main.load_pipeline(tmp_path / "pipeline.py", "shop")
    remote.pipeline()
    remote.load(capture(real, REQUESTS, model="four"), {})
    other = REQUESTS.assign(id=["x", "y", "z"])
    [[error]] = remote.replay(["features"], [other])
    assert isinstance(error, StageError)
    assert isinstance(error.__cause__, PipelineError)


def test_a_stage_of_the_description_does_not_run_here(start: Start) -> None:
    """It says where it does."""
    described = start(work).pipeline()
    with pytest.raises(PipelineError, match="runs in a process of its own"):
        described.stage("raw").function(REQUESTS)


def answering(reply: Callable[[dict[str, Any], Path], dict[str, Any]]) -> Callable[[socket.socket, Path], None]:
    """Serve with replies of the test's own, once the pipeline is described."""

    def serve(end: socket.socket, folder: Path) -> None:
        channel = LineChannel(end.fileno(), end.fileno())
        with end, contextlib.suppress(OSError):
            channel.send({"reply": "ready", "id": 0})
            while request := channel.receive():
                if request["request"] == "open":
                    shop = main.load_pipeline(Path(request["file"]), request["name"])
                    channel.send({"reply": "opened", "id": request["id"], **main.description(shop)})
                elif request["request"] != "close":
                    channel.send({"id": request["id"], **reply(request, folder)})

    return serve


def replayed(frame: pd.DataFrame, results: list[list[Any]]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Reply to a replay with a frame, as often as results say."""

    def reply(_: dict[str, Any], folder: Path) -> dict[str, Any]:
        frames.write([frame] * sum(r is None for of in results for r in of), folder / "w0.arrow")
        return {"reply": "replayed", "file": "w0.arrow", "results": results, "as_stored": [[]] * len(results)}

    return reply


ERROR = {"error": "x", "unrecorded": "", "details": ""}
MADE_UP = {
    "fewer batches": [[None, None]], "more batches": [[None, None]] * 3, "a stage too many": [[None, None, None]] * 2,
    "a stage too few": [[None], [None, None]], "no stage": [[], [None, None]],
    "a result after an error": [[ERROR, None], [None, None]],
}  # fmt: skip


@pytest.mark.parametrize("what", MADE_UP)
def test_results_of_other_shapes_are_not_taken(start: Start, what: str) -> None:
    """Each batch has a frame of each stage, up to its error."""
    remote = start(answering(replayed(REQUESTS, MADE_UP[what])))
    remote.pipeline()
    with pytest.raises(IsolationError, match="sent what cannot be read: results of"):
        remote.replay(["raw", "features"], [REQUESTS] * 2)
    assert remote.broken
    with pytest.raises(IsolationError, match="results of"):
        remote.replay(["raw"], [REQUESTS])


def test_a_frame_that_breaks_the_rule_is_the_error_of_its_stage(start: Start) -> None:
    """Though the worker did not say so."""
    remote = start(answering(replayed(pd.concat([REQUESTS] * 2), [[None]])))
    remote.pipeline()
    [[error]] = remote.replay(["raw"], [REQUESTS])
    assert isinstance(error, StageError)
    assert "repeats" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        {"reply": "loaded", "models": []}, {"reply": "answered", "file": "w0.arrow", "lookups": [], "calls": {}},
        {"reply": "replayed", "file": "w7.arrow", "results": [[None]], "as_stored": [[]]},
        {"id": 77, "reply": "loaded", "models": []},
    ],
    ids=["of another kind", "to another request", "a file that is not there", "to no request"],
)  # fmt: skip
def test_a_reply_that_was_not_asked_for_ends_the_worker(start: Start, reply: dict[str, Any]) -> None:
    """The first word of it is enough."""
    remote = start(answering(lambda *_: reply))
    remote.pipeline()
    with pytest.raises(IsolationError, match="sent what cannot be read"):
        remote.replay(["raw"], [REQUESTS])
    assert remote.process.ended.is_set()


def test_answers_to_other_calls_are_not_taken(start: Start) -> None:
    """A live dependency's answer that is missing would compare nothing."""

    def reply(_: dict[str, Any], folder: Path) -> dict[str, Any]:
        frames.write([], folder / "w0.arrow")
        return {"reply": "answered", "file": "w0.arrow", "lookups": [], "calls": {}}

    remote = start(answering(reply))
    remote.pipeline()
    with pytest.raises(IsolationError, match="answers to other calls"):
        remote.ask("store", ["call"])


def test_a_dependency_is_declared_there(start: Start) -> None:
    """Its fallback and connection are in the worker."""
    store = start(work).pipeline().dependencies["store"]
    assert isinstance(store, Dependency)
    assert store.fallback is not None
    with pytest.raises(PipelineError):
        store.connect(store.url)
