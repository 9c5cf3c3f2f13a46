"""What goes between a worker and a model's process: events come back as they were, and nothing else comes back."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from seatrial.errors import IsolationError, ProjectError, UsageError
from seatrial.events import Attachment, Case, Evaluated, Finding, Measurement, NotEvaluated, Severity
from seatrial.isolation import channel, codec, messages
from seatrial.policy.settings import validated
from seatrial.policy.tool import ToolSettings
from seatrial.trial import ChampionContract

EVENTS = [
    Measurement("load", "service", "p99", 0.1 + 0.2, "s"),
    Measurement("golden", None, "share", math.inf, column="a\ud800b"),
    Finding("golden", "raw", "two\nlines", severity=Severity.WARNING, evidence={"n": 2**63, "p": 1e-300, "k": ["é"]}),
    Evaluated("golden", "raw", 3, cached=True),
    NotEvaluated("quality", None, "why", crashed=True),
    Attachment("load", "service", "a/b.bin", bytes(range(256))),
]  # fmt: skip


def carried(event: object) -> object:
    """Send an event over a real line."""
    here, there = socket.socketpair()
    with here, there:
        record = codec.event_record(event)  # type: ignore[arg-type]
        channel.LineChannel(here, codec.plain).send({"reply": "event", "id": 1, "event": record})
        received = channel.LineChannel(there).receive()
    assert received is not None
    reply = messages.read_reply(received[0])
    assert isinstance(reply, messages.Emitted)
    return reply.event


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_an_event_comes_back_as_it_was(event: object) -> None:
    """Every field, every digit, infinity, lone surrogates and bytes."""
    assert carried(event) == event


def test_what_numpy_gives_comes_back_as_python_has_it() -> None:
    """NaN stays NaN; a NumPy scalar becomes the number that it is."""
    nan = carried(Measurement("c", None, "n", np.float64("nan")))
    assert isinstance(nan, Measurement)
    assert math.isnan(nan.value)
    evaluated = carried(Evaluated("c", None, np.int64(7)))  # type: ignore[arg-type]
    assert evaluated == Evaluated("c", None, 7)
    found = carried(Finding("c", None, "m", evidence={"n": np.int32(3), "set": {2, 1}}))
    assert isinstance(found, Finding)
    assert found.evidence == {"n": 3, "set": [1, 2]}


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"kind": "Verdict"}, {"kind": ["Evaluated"]},
        {"kind": "NotEvaluated", "check": "c", "stage": None, "reason": "r"},
        {"kind": "NotEvaluated", "check": "c", "stage": None, "reason": "r", "crashed": False, "more": 1},
        {"kind": "NotEvaluated", "check": "c", "stage": None, "reason": "r", "crashed": 0},
        {"kind": "Evaluated", "check": "c", "stage": 3, "compared": 1, "seconds": 0, "cached": False},
        {"kind": "Evaluated", "check": "c", "stage": None, "compared": True, "seconds": 0, "cached": False},
        {"kind": "Evaluated", "check": "c", "stage": None, "compared": 1.0, "seconds": 0, "cached": False},
        {"kind": "Measurement", "check": "c", "stage": None, "name": "n", "value": True, "unit": "", "column": None},
        {"kind": "Measurement", "check": "c", "stage": None, "name": "n", "value": "1", "unit": "", "column": None},
        {"kind": "Attachment", "check": "c", "stage": None, "name": "n", "content": "no base64!"},
        {"kind": "Attachment", "check": "c", "stage": None, "name": "n", "content": 3},
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(value: object) -> None:
    """No kind, a strange one, a field too few or too many, or one of the wrong type."""
    with pytest.raises(IsolationError):
        messages.read_reply({"reply": "event", "id": 1, "event": value})


def test_an_integer_stays_one() -> None:
    """A measurement of 3 is shown as 3, and keeps every digit beyond what a double holds."""
    measured = carried(Measurement("c", None, "n", 2**63 + 1))
    assert isinstance(measured, Measurement)
    assert measured.value == 2**63 + 1
    assert isinstance(measured.value, int)


REPLIES = [
    {}, {"reply": "done"}, {"reply": "done", "id": "1"}, {"reply": "done", "id": True}, {"reply": "verdict", "id": 1},
    {"reply": ["done"], "id": 1}, {"reply": "done", "id": 1, "more": 1}, {"id": 1, "answer": {}},
    {"reply": "progress", "id": 1, "done": 1.5, "of": 2, "next": "x"},
    {"reply": "failed", "id": 1, "error": None, "message": "x"},
    {"reply": "loaded", "id": 1, "cases": [["golden", "raw"]], "not_run": []},
    {"reply": "loaded", "id": 1, "cases": [{"check": "golden", "stage": 1}], "not_run": []},
]  # fmt: skip


@pytest.mark.parametrize("message", REPLIES, ids=str)
def test_what_is_no_reply_is_refused(message: dict[str, object]) -> None:
    """Of no known kind, without an id, with a field too few or too many, or one of the wrong type."""
    with pytest.raises(IsolationError, match="a message that the protocol does not have"):
        messages.read_reply(message)


def test_a_refusal_shows_no_value() -> None:
    """What the model's process sent may be data: the reason names the field alone."""
    event = {"kind": "NotEvaluated", "check": "c", "stage": None, "reason": 4111, "crashed": False}
    with pytest.raises(IsolationError, match="NotEvaluated: field 'reason'") as refused:
        messages.read_reply({"reply": "event", "id": 1, "event": event})
    assert "4111" not in str(refused.value)


@pytest.mark.parametrize(
    "request_",
    [
        messages.Open(id=1, root="/project"),
        messages.LoadVersion(
            id=2, model="m", reference="r", champion=None, live=["store"], only=None, skip=[], seed=3,
            champion_contract=messages.champion_record(ChampionContract("1", {"openapi": "3.1.0"}, "", Path("/r"))),
        ),
        messages.RunCase(id=3, case=messages.case_record(Case("golden"))),
        messages.Close(id=4),
    ],
    ids=lambda r: r.request,
)  # fmt: skip
def test_a_request_comes_back_as_it_was(request_: messages.Request) -> None:
    """What one side sends, the other side reads."""
    here, there = socket.socketpair()
    with here, there:
        channel.LineChannel(here).send(request_.model_dump())
        received = channel.LineChannel(there).receive()
    assert received is not None
    assert messages.read_request(received[0]) == request_


def test_a_champion_contract_comes_back_as_it_was() -> None:
    """Its paths too."""
    for contract in (None, ChampionContract("1", {"a": 1}, "why", Path("/reference")), ChampionContract("2")):
        assert messages.champion_contract(messages.champion_record(contract)) == contract


def test_a_request_of_wrong_types_names_the_field() -> None:
    """It is refused before it is sent."""
    with pytest.raises(UsageError, match=r"request 'open' cannot be sent: field 'root'"):
        messages.request(messages.Open, id=1, root=3)


@pytest.mark.parametrize(
    "line",
    [b"rubbish", b"3", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b"\xff", b'{"a": 1', b"", b'{"a": 1, "a": 2}'],
)
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    """Rubbish, another type, nested or long without end, no UTF-8, half of it, nothing, a name twice."""
    here, there = socket.socketpair()
    with here, there:
        threading.Thread(target=here.sendall, args=(line + b"\n",)).start()
        with pytest.raises(IsolationError):
            channel.LineChannel(there).receive()


def flood(to: socket.socket) -> None:
    with contextlib.suppress(OSError):  # who is flooded hangs up
        to.sendall(b"x" * (2**20 + 2**18))


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is kept than a line may hold, and no more is sent."""
    monkeypatch.setattr(channel, "LINE_BYTES", 2**20)
    here, there = socket.socketpair()
    with here, there:
        threading.Thread(target=flood, args=(here,), daemon=True).start()
        with pytest.raises(IsolationError, match=r"more than 1,048,576 bytes"):
            channel.LineChannel(there).receive()
        with pytest.raises(IsolationError, match=r"a line holds 1,048,576"):
            channel.LineChannel(there).send({"text": "x" * 2**20})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": 3}, "setting 'memory' is not known.*Did you mean 'memory_mb'"),
        ({"memory_mb": 0}, "'memory_mb' must be an integer of at least 1; found 0"),
        ({"processes": 1.5}, "must be an integer of at least 1; found 1.5"),
        ({"load_seconds": True}, "must be a number above 0; found true"),
        (json.loads("[]"), r"'isolation' must be a table, \[isolation\]; found \[\]"),
    ],
)
def test_a_limit_that_is_none_is_refused(settings: object, message: str) -> None:
    """With what was found, and the nearest name."""
    with pytest.raises(ProjectError, match=message):
        validated(ToolSettings, {"pipeline": "a:b", "isolation": settings}, "here", ProjectError)
