"""What a worker sends is read strictly: a reply of the protocol, on a line of bounded length, or nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest

from seatrial.errors import IsolationError, ProjectError
from seatrial.isolation import messages
from seatrial.policy.settings import validated
from seatrial.policy.tool import ToolSettings
from seatrial.worker import channel

STAGE = {
    "name": "raw", "needs": [], "key": None, "ordered": False, "samples": None, "calls": None, "columns": [],
    "batch_dependent": "",
}  # fmt: skip
OPENED = {
    "reply": "opened", "id": 1, "name": "p", "key": ["id"], "stages": [STAGE],
    "dependencies": [], "service": None, "loads_model": True,
}  # fmt: skip
REPLAYED = {"reply": "replayed", "id": 1, "file": "w1.arrow", "results": [[None]], "as_stored": [[0]]}
DEFINITION = {"file": "/project/pipeline.py", "name": "parse", "first_line": 1, "last_line": 3, "stages": ["raw"]}
DEFINED = {"reply": "defined", "id": 1, "definitions": [DEFINITION]}
REPLIES = [
    {}, {"reply": "loaded"}, {"reply": "loaded", "id": "1", "models": []},
    {"reply": "loaded", "id": True, "models": []},
    {"reply": "verdict", "id": 1}, {"reply": ["loaded"], "id": 1, "models": []}, {"id": 1, "answer": {}},
    {"reply": "loaded", "id": 1, "models": [], "more": 1}, {"reply": "loaded", "id": 1, "models": ["third"]},
    {"reply": "failed", "id": 1, "error": None, "message": "x"}, {**OPENED, "stages": [{"name": "raw"}]},
    {**OPENED, "loads_model": 1}, {**OPENED, "service": {"command": []}}, {**REPLAYED, "file": "../secret.arrow"},
    {**REPLAYED, "file": "/etc/passwd"}, {**REPLAYED, "file": "w1.arrow\n"}, {**REPLAYED, "results": [None]},
    {**REPLAYED, "results": [[{"error": "x"}]]}, {**REPLAYED, "as_stored": [True]}, {**REPLAYED, "as_stored": [["0"]]},
    {"reply": "answered", "id": 1, "file": "w1.arrow", "lookups": [1], "calls": {}},
    {"reply": "described", "id": 1, "environment": {"python": 3}},
    {"reply": "forked"}, {"reply": "ended", "id": 1, "code": "0"}, {**DEFINED, "definitions": [{}]},
    *({**DEFINED, "definitions": [{**DEFINITION, **wrong}]}
      for wrong in ({"first_line": 0}, {"last_line": "3"}, {"stages": []}, {"file": None}, {"text": "x"})),
]  # fmt: skip


def received(sent: bytes) -> object:
    """Return what a channel receives."""
    here, there = socket.socketpair()
    with here, there:
        threading.Thread(target=here.sendall, args=(sent,)).start()
        return channel.LineChannel(there.fileno(), there.fileno()).receive()


@pytest.mark.parametrize("message", REPLIES, ids=lambda m: json.dumps(m)[:60])
def test_what_is_no_reply_is_refused(message: dict[str, object]) -> None:
    """Of no known kind, without an id, with a field too few or too many, of the wrong type, or a file elsewhere."""
    with pytest.raises(IsolationError, match="a message that the protocol does not have"):
        messages.read_reply(message)


def test_a_reply_is_read() -> None:
    """With all its fields."""
    opened = messages.read_reply(OPENED)
    assert isinstance(opened, messages.Opened)
    assert [stage.model_dump() for stage in opened.stages] == [STAGE]
    assert isinstance(messages.read_reply(REPLAYED), messages.ReplayedReply)
    assert isinstance(messages.read_reply(DEFINED), messages.DefinedReply)


def test_a_refusal_shows_no_value() -> None:
    """What the worker sent may be data: the reason names the field alone."""
    with pytest.raises(IsolationError, match=r"field 'failed\.message'") as refused:
        messages.read_reply({"reply": "failed", "id": 1, "error": "model", "message": 4111})
    assert "4111" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [b"rubbish", b"3", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b"\xff", b'{"a": 1', b"", b'{"a": 1, "a": 2}'],
)
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    """Rubbish, another type, nested or long without end, no UTF-8, half of it, nothing, a name twice."""
    with pytest.raises(IsolationError):
        received(line + b"\n")


def test_an_object_comes_back_as_it_was() -> None:
    """Every digit, infinity and lone surrogates."""
    sent = {"n": 2**63 + 1, "p": 0.1 + 0.2, "f": float("inf"), "text": "a\ud800b\n"}
    here, there = socket.socketpair()
    with here, there:
        channel.LineChannel(here.fileno(), here.fileno()).send(sent)
        assert channel.LineChannel(there.fileno(), there.fileno()).receive() == sent


def flood(to: socket.socket) -> None:
    with contextlib.suppress(OSError):  # who is flooded hangs up
        to.sendall(b"x" * (2**20 + 2**18))


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is kept than a line may hold, and no more is sent."""
    monkeypatch.setattr(channel, "LINE_BYTES", 2**20)
    here, there = socket.socketpair()
    with here, there:
        threading.Thread(target=flood, args=(here,), daemon=True).start()
        end = channel.LineChannel(there.fileno(), there.fileno())
        with pytest.raises(IsolationError, match=r"more than 1,048,576 bytes"):
            end.receive()
        with pytest.raises(IsolationError, match=r"a line holds 1,048,576"):
            end.send({"text": "x" * 2**20})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": 3}, "setting 'memory' is not known.*Did you mean 'memory_mb'"),
        ({"memory_mb": 0}, "'memory_mb' must be an integer of at least 1; found 0"),
        ({"processes": 1.5}, "must be an integer of at least 1; found 1.5"),
        ({"load_seconds": True}, "must be a number above 0; found true"),
        (json.loads("[]"), r"'limits' must be a table, \[limits\]; found \[\]"),
    ],
)
def test_a_limit_that_is_none_is_refused(settings: object, message: str) -> None:
    """With what was found, and the nearest name."""
    with pytest.raises(ProjectError, match=message):
        validated(ToolSettings, {"pipeline": "a:b", "limits": settings}, "here", ProjectError)
